"""What goes into a clinical score: the domain of each input, and the reading of one value.

A blank is never taken for "no" or "normal", and a value outside its scale is refused rather than put into the nearest
band.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from numbers import Real
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from ml.errors import MLError

InputValue: TypeAlias = int | float | bool | str


class InputKind(Enum):
    """How a value is read."""

    INTEGER = "integer"
    COMPLETED_YEARS = "completed years"
    NUMBER = "number"
    BOOLEAN = "yes or no"
    CHOICE = "choice"


@dataclass(frozen=True)
class ScoreInput:
    """One input: its name in code, its name for people, and the values it can take (bounds inclusive)."""

    name: str
    label: str
    kind: InputKind
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""
    choices: tuple[str, ...] = ()


class ScoreNotComputable(MLError):  # noqa: N818 - the clinical term; an absent value is no fault of the program
    """At least one input of a score is blank.

    Attributes
    ----------
    missing
        Names of the blank inputs, in the order in which the score declares them.
    """

    def __init__(self, score_name: str, missing: tuple[str, ...]) -> None:
        labels = ", ".join(INPUTS[name].label for name in missing)
        super().__init__(
            "score_not_computable",
            f"{score_name} cannot be computed because these inputs are blank: {labels}. Enter them first.",
        )
        self.missing = missing


def _catalog(*definitions: ScoreInput) -> Mapping[str, ScoreInput]:
    return MappingProxyType({definition.name: definition for definition in definitions})


# 130 years and 1000 mL lie beyond any patient: they catch a birth year typed as an age and a volume given in cubic
# millimeters.
INPUTS: Mapping[str, ScoreInput] = _catalog(
    ScoreInput("age", "age", InputKind.COMPLETED_YEARS, 0, 130, "years"),
    ScoreInput("gcs", "Glasgow Coma Scale", InputKind.INTEGER, 3, 15),
    ScoreInput("nihss", "NIH Stroke Scale", InputKind.INTEGER, 0, 42),
    ScoreInput("volume_ml", "hematoma volume", InputKind.NUMBER, 0, 1000, "mL"),
    ScoreInput("ivh", "intraventricular hemorrhage", InputKind.BOOLEAN),
    ScoreInput("infratentorial", "infratentorial origin", InputKind.BOOLEAN),
    ScoreInput("lobar", "lobar hematoma", InputKind.BOOLEAN),
    ScoreInput("site", "hematoma site", InputKind.CHOICE, choices=("lobar", "deep", "infratentorial")),
    ScoreInput("anticoagulation", "oral anticoagulation", InputKind.BOOLEAN),
    ScoreInput("cognitive_impairment", "cognitive impairment before the hemorrhage", InputKind.BOOLEAN),
)


def is_blank(value: object) -> bool:
    """Return whether a value is absent: ``None``, an empty string, NaN, ``pandas.NA`` or ``NaT``."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value.strip()
    try:
        return bool(value != value)  # only a NaN differs from itself
    except TypeError:
        return True  # pandas.NA has no truth value
    except ValueError:
        return False  # an array: not blank, and refused by read_input


def read_input(name: str, value: object) -> InputValue:
    """Check one value that is not blank and return it as the plain type that the bands are written for.

    Parameters
    ----------
    name
        A key of `INPUTS`.
    value
        Numbers may be int, float, Decimal or numpy scalars, never bool; yes/no may be bool or the codes 0 and 1.

    Raises
    ------
    MLError
        ``score_input_type`` or ``score_input_range``.
    """
    definition = INPUTS[name]
    if definition.kind is InputKind.BOOLEAN:
        return _read_boolean(definition, value)
    if definition.kind is InputKind.CHOICE:
        return _read_choice(definition, value)
    return _read_number(definition, value)


def _read_boolean(definition: ScoreInput, value: object) -> bool:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, Real | Decimal) and value in (0, 1):
        return bool(value)
    raise MLError("score_input_type", f"The input '{definition.label}' must be yes or no (true or false, 1 or 0).")


def _read_choice(definition: ScoreInput, value: object) -> str:
    if isinstance(value, str) and value in definition.choices:
        return str(value)
    allowed = ", ".join(definition.choices)
    raise MLError("score_input_type", f"The input '{definition.label}' must be one of: {allowed}.")


def _read_number(definition: ScoreInput, value: object) -> int | float:
    whole = definition.kind is InputKind.INTEGER
    unit = f" {definition.unit}" if definition.unit else ""
    domain = f"a {'whole ' if whole else ''}number from {definition.low:g} to {definition.high:g}{unit}"
    sentence = f"The input '{definition.label}' must be {domain}."
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real | Decimal):
        raise MLError("score_input_type", sentence)
    number = float(value)
    if not definition.low <= number <= definition.high:
        raise MLError("score_input_range", f"{sentence} The value given is {number:g}.")
    if definition.kind is InputKind.NUMBER:
        return number
    if whole and not number.is_integer():
        raise MLError("score_input_range", f"{sentence} The value given is {number:g}.")
    return math.floor(number)
