"""Other units in which a number may have been measured: the person says which, and the platform converts."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated

from django.utils.translation import gettext as _
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from apps.crf.texts import Text

if TYPE_CHECKING:
    from apps.crf.dictionary import Variable

_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class OtherUnit:
    """A unit and how many of the variable's own unit one of it is."""

    unit: Text
    factor: Annotated[float, Field(gt=0)]

    @property
    def name(self) -> str:
        """What pages and programs call it, in every language."""
        return self.unit.en


def convert(variable: Variable, text: str, name: str) -> tuple[float, str]:
    """Return a number in the variable's own unit, to its decimals, and what was typed with its unit.

    Raises ValueError with a sentence for a unit that the variable does not have, and for what is no number.
    """
    other = next((each for each in variable.other_units if each.name == name), None)
    if other is None:
        raise ValueError(_("It is not asked for in this unit. Choose one of the units that are offered."))
    if "," in text:
        raise ValueError(_("Write the decimal sign as a point: 12.5, not 12,5."))
    if not _NUMBER.fullmatch(text):
        raise ValueError(_("Enter a number in %(unit)s, such as 2.5.") % {"unit": other.unit})
    return to_decimals(variable, float(text) * other.factor), f"{text} {name}"


def to_decimals(variable: Variable, number: float) -> float:
    """Round to what the variable holds; a half is rounded up, as people and the page's script do it."""
    if variable.type == "integer":
        return math.floor(number + 0.5)
    power: int = 10**variable.decimals
    return math.floor(number * power + 0.5) / power


def fitting_units(variable: Variable, number: float, low: float, high: float) -> list[str]:
    """Return the other units in which a number that lies outside would lie within the bounds."""
    return [str(each.unit) for each in variable.other_units if low <= number * each.factor <= high]
