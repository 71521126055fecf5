"""What the values of the form did to a prognosis, as the page and its table show it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.crf.dictionary import load_dictionary
from apps.crf.values import display

# The others lie in a disclosure.
SHOWN_FIRST = 8


@dataclass(frozen=True)
class Bar:
    """One feature: its name and value in the reader's language, its share of the log-odds,
    and its bar between -1 (towards a favorable outcome) and 1 (towards a poor one)."""

    label: str
    text: str
    unit: str
    logit: float
    left: float
    width: float


def bars_of(contributions: Sequence[dict[str, Any]]) -> list[Bar]:
    """Return the bars in the order given; the largest share fills one side."""
    longest = max((abs(entry["logit"]) for entry in contributions), default=0.0) or 1.0
    return [_bar(entry, entry["logit"] / longest) for entry in contributions]


def _bar(entry: dict[str, Any], length: float) -> Bar:
    # A feature of an older dictionary keeps its bare name.
    variable = load_dictionary().variables.get(entry["feature"])
    return Bar(
        label=str(variable.label) if variable else entry["feature"],
        text=display(variable, entry["value"]) if variable else str(entry["value"] or ""),
        unit=str(variable.unit) if variable and variable.unit else "",
        logit=entry["logit"],
        left=round(min(length, 0.0), 4),
        width=round(abs(length), 4),
    )


def probability_of(logit: float) -> float:
    """Return the probability of log-odds."""
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))
