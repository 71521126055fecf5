"""Why a value is missing: a coded reason stands where the value would, so that a blank is never a guess."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.crf.conditions import Value, Values

# The column of exports and imports that says why values are missing: nihss=not_done; smoking=unknown
REASONS_COLUMN = "missing_reasons"


class Missing(models.TextChoices):
    UNKNOWN = "unknown", _("Unknown")
    NOT_DONE = "not_done", _("Not done")
    REFUSED = "refused", _("Refused")
    NOT_APPLICABLE = "not_applicable", _("Not applicable")


@dataclass(frozen=True)
class Absent:
    """What a variable without a value has instead. Not a text, which the value of a variable could equal."""

    reason: Missing

    def __str__(self) -> str:
        return str(self.reason.label)


Answer: TypeAlias = Value | Absent
Answers: TypeAlias = Mapping[str, Answer]


def answer_of(value: Value, reason: str) -> Answer:
    """Put together what the database keeps in two columns."""
    return Absent(Missing(reason)) if reason else value


def answers_of(values: Values, missing: Mapping[str, str]) -> dict[str, Answer]:
    return {**values, **{name: Absent(Missing(reason)) for name, reason in missing.items()}}


def known(answers: Answers) -> dict[str, Value]:
    """Return the values alone: all that checks, branches, scores and models look at."""
    return {name: answer for name, answer in answers.items() if not isinstance(answer, Absent)}


def reasons(answers: Answers) -> dict[str, str]:
    """Return the coded reasons alone."""
    return {name: answer.reason.value for name, answer in answers.items() if isinstance(answer, Absent)}


def as_data(answer: Answer) -> Any:
    """Return an answer as JSON holds it in the audit trail."""
    return {"missing": answer.reason.value} if isinstance(answer, Absent) else answer


def from_data(data: Any) -> Answer:
    """Return what `as_data` was given."""
    return Absent(Missing(data["missing"])) if isinstance(data, dict) else data


def reasons_as_text(missing: Mapping[str, str], names: Iterable[str]) -> str:
    """Return the coded reasons as one cell of a table, in the order of `names`."""
    return "; ".join(f"{name}={missing[name]}" for name in names if name in missing)


def text_as_reasons(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield (part, variable, code) of what `reasons_as_text` returns, as people edit it; a code may be blank."""
    for part in re.split("[;；\n]", text):
        if part.strip():
            name, _sign, code = part.replace("＝", "=").partition("=")
            yield part.strip(), name.strip().lower(), code.strip().lower()
