"""The fields of a form's page: for each variable its value, why that is missing, and the unit that it was typed in."""

from collections.abc import Mapping
from dataclasses import dataclass

# Before the name of a variable. A hyphen is in no variable's name.
MISSING = "missing-"
UNIT = "unit-"


@dataclass(frozen=True)
class Posted:
    """The same by variable, as `save_form` takes it."""

    values: dict[str, str]
    missing: dict[str, str]
    units: dict[str, str]


def variable_of(field: str) -> str:
    """Return the name of the variable that a field belongs to."""
    return field.removeprefix(MISSING).removeprefix(UNIT)


def read_posted(raw: Mapping[str, str]) -> Posted:
    """Sort the fields by what they say."""
    return Posted(
        values={name: text for name, text in raw.items() if not name.startswith((MISSING, UNIT))},
        missing={variable_of(name): text for name, text in raw.items() if name.startswith(MISSING)},
        units={variable_of(name): text for name, text in raw.items() if name.startswith(UNIT)},
    )
