"""One value of the form: from what was typed to a typed JSON value, and back to what is shown."""

import math
import re
import unicodedata
from collections.abc import Callable
from datetime import date, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.crf.conditions import Value
from apps.crf.dictionary import TODAY, Range, Variable, VariableType
from apps.crf.missing import Absent, Answer
from apps.crf.units import fitting_units

_INTEGER = re.compile(r"[+-]?[0-9]{1,15}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,15}(?:\.([0-9]+))?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Control and formatting characters, lone surrogates, private use, unassigned, line and paragraph separators: none can
# be seen in a form, and some break a database, a CSV file or the direction of a line.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_YES_NO = {"true": True, "false": False}
_LONGEST = 2000


class RefusedValueError(ValueError):
    """The value can't be stored; the message is the sentence for the person who entered it."""


def parse_value(variable: Variable, raw: object) -> Value:
    """Turn what a form field or a JSON document holds into the variable's type; blank becomes None.

    Raises RefusedValueError with one sentence that says what is wrong and what to do.
    """
    if raw is None:
        return None
    if not isinstance(raw, bool | int | float | str):
        raise RefusedValueError(_("One value is needed here, not a list or an object."))
    if isinstance(raw, str):
        raw = clean_text(raw, variable.max_length if variable.type == VariableType.TEXT else _LONGEST)
        if not raw:
            return None
    return _PARSERS[variable.type](variable, raw)


def clean_text(text: str, longest: int) -> str:
    """Return a text without white space around it; RefusedValueError if it is too long or holds what can't be seen."""
    if len(text) > longest:
        sentence = ngettext(
            "The text is too long: at most %(n)d character is possible. Shorten it.",
            "The text is too long: at most %(n)d characters are possible. Shorten it.",
            longest,
        )
        raise RefusedValueError(sentence % {"n": longest})
    text = text.strip()
    if any(unicodedata.category(character) in _UNSEEN for character in text):
        raise RefusedValueError(_("The text holds a character that can't be seen. Delete it and type it again."))
    return text


def _integer(variable: Variable, raw: bool | int | float | str) -> Value:
    text = _number_text(raw)
    if text is None or not _INTEGER.fullmatch(text):
        raise RefusedValueError(
            _("Enter a whole number %(range)s, in digits only.") % {"range": describe(variable.range, variable)}
        )
    return _in_range(variable, int(text))


def _decimal(variable: Variable, raw: bool | int | float | str) -> Value:
    text = _number_text(raw)
    if text is not None and "," in text:
        raise RefusedValueError(_("Write the decimal sign as a point: 12.5, not 12,5."))
    found = _DECIMAL.fullmatch(text) if text is not None else None
    if not found or text is None:
        raise RefusedValueError(
            _("Enter a number %(range)s, such as 2.5.") % {"range": describe(variable.range, variable)}
        )
    if len(found.group(1) or "") > variable.decimals:
        sentence = ngettext(
            "Enter at most %(n)d digit after the point.",
            "Enter at most %(n)d digits after the point.",
            variable.decimals,
        )
        raise RefusedValueError(sentence % {"n": variable.decimals})
    return _in_range(variable, float(text) + 0.0)  # no -0.0


def _number_text(raw: bool | int | float | str) -> str | None:
    """Return a number as text, so that one grammar judges both; None for what is no number."""
    if isinstance(raw, bool) or (isinstance(raw, float) and not math.isfinite(raw)):
        return None
    if isinstance(raw, str):
        return raw
    # JSON knows no whole numbers, so 60.0 is 60; repr is else the shortest text that gives the number back.
    return repr(int(raw)) if float(raw).is_integer() else repr(raw)


def _in_range(variable: Variable, number: float) -> float:
    low, high = bounds(variable.range)
    if not low <= number <= high:
        sentence = _("Enter a value %(range)s; %(value)s lies outside.") % {
            "range": describe(variable.range, variable), "value": format_number(number),
        }  # fmt: skip
        for unit in fitting_units(variable, number, low, high):
            sentence += " " + _("If it was measured in %(unit)s, choose that unit beside the field.") % {"unit": unit}
        raise RefusedValueError(sentence)
    return number


def _yes_no(variable: Variable, raw: bool | int | float | str) -> Value:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and raw in _YES_NO:
        return _YES_NO[raw]
    raise RefusedValueError(_("Choose yes or no (true or false), or leave it blank."))


def _choice(variable: Variable, raw: bool | int | float | str) -> Value:
    if isinstance(raw, int | str) and not isinstance(raw, bool):
        for choice in variable.choices:
            if str(choice.value) == str(raw):
                return choice.value
    known = ", ".join(str(choice.value) for choice in variable.choices)
    raise RefusedValueError(_("Choose one of the values that are offered: %(values)s.") % {"values": known})


def _date(variable: Variable, raw: bool | int | float | str) -> Value:
    sentence = _("Enter a date of the calendar as year-month-day, such as 2024-03-31.")
    if not isinstance(raw, str) or not _DATE.fullmatch(raw):
        raise RefusedValueError(sentence)
    try:
        day = date.fromisoformat(raw)
    except ValueError as error:
        raise RefusedValueError(sentence) from error
    low, high = date_bounds(variable.range)
    if day > high and variable.range is not None and variable.range.high == TODAY:
        raise RefusedValueError(_("The date lies in the future. Enter a date up to today."))
    if not low <= day <= high:
        raise RefusedValueError(
            _("Enter a date from %(low)s to %(high)s.") % {"low": low.isoformat(), "high": high.isoformat()}
        )
    return raw


def _text(variable: Variable, raw: bool | int | float | str) -> Value:
    if not isinstance(raw, str):
        raise RefusedValueError(_("Enter a text."))
    if variable.pattern is not None and not re.fullmatch(variable.pattern.regex, raw):
        raise RefusedValueError(str(variable.pattern.sentence))
    return raw


_PARSERS: dict[VariableType, Callable[[Variable, bool | int | float | str], Value]] = {
    VariableType.INTEGER: _integer,
    VariableType.DECIMAL: _decimal,
    VariableType.YESNO: _yes_no,
    VariableType.CHOICE: _choice,
    VariableType.DATE: _date,
    VariableType.TEXT: _text,
}


def bounds(limits: Range | None) -> tuple[float, float]:
    """Return the bounds of a number."""
    if limits is None or not isinstance(limits.low, float) or not isinstance(limits.high, float):
        return -math.inf, math.inf
    return limits.low, limits.high


def date_bounds(limits: Range | None) -> tuple[date, date]:
    """Return the bounds of a date.

    `today` is the latest date of any place on Earth (UTC+14): a center in the east may well be a day ahead of UTC.
    """
    low = limits.low if limits is not None and isinstance(limits.low, date) else date.min
    high = limits.high if limits is not None and isinstance(limits.high, date) else None
    return low, high or (timezone.now() + timedelta(hours=14)).date()


def is_unusual(variable: Variable, value: Value) -> bool:
    """Say whether a number lies outside the variable's usual range."""
    if variable.usual is None or value is None or isinstance(value, bool | str):
        return False
    low, high = bounds(variable.usual)
    return not low <= value <= high


def format_number(number: float) -> str:
    return repr(int(number)) if float(number).is_integer() else repr(number)


def describe(limits: Range | None, variable: Variable) -> str:
    """Say the bounds of a number in words: from 3 to 15 points."""
    low, high = bounds(limits)
    words = _("from %(low)s to %(high)s") % {"low": format_number(low), "high": format_number(high)}
    return f"{words} {variable.unit}" if variable.unit else words


def display(variable: Variable, value: Answer) -> str:
    """Return an answer as a person reads it, without its unit; blank as an empty text."""
    if value is None:
        return ""
    if isinstance(value, Absent):
        return str(value)
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if variable.choices:
        choice = variable.choice(value)
        return str(choice) if choice else str(value)
    return value if isinstance(value, str) else format_number(value)


def display_with_unit(variable: Variable, value: Answer) -> str:
    """Return an answer as a person reads it where no column or field says its unit."""
    text = display(variable, value)
    return f"{text} {variable.unit}" if text and variable.unit and not isinstance(value, Absent) else text
