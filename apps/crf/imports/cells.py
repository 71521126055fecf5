"""One cell of a file as a value of its variable; what is ambiguous is refused, never guessed."""

import re
from collections.abc import Callable
from datetime import date, datetime, time

from django.utils.translation import gettext as _

from apps.core.spreadsheet import safe_cell
from apps.crf.conditions import Value
from apps.crf.dictionary import Variable, VariableType
from apps.crf.imports.models import Dates
from apps.crf.imports.sheets import Formula
from apps.crf.values import RefusedValueError, clean_text, parse_value

_LONGEST = 2000
_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?")
_YEAR_FIRST = re.compile(r"([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?")
_YEAR_LAST = re.compile(r"([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})")
_WORDS = {"1": True, "yes": True, "true": True, "是": True, "0": False, "no": False, "false": False, "否": False}


def is_blank(raw: object) -> bool:
    return raw is None or (isinstance(raw, str) and not raw.strip())


def plain_text(raw: object) -> str:
    """Return a cell that names something: a patient, a form. Excel makes numbers of names that look like some."""
    if isinstance(raw, float) and raw.is_integer():
        return str(int(raw))
    return "" if raw is None else str(raw).strip()


def read_cell(variable: Variable, raw: object, dates: str) -> Value:
    """Return the value; RefusedValueError says what is wrong with the cell."""
    if isinstance(raw, Formula):
        raise RefusedValueError(_formula())
    if isinstance(raw, datetime | date | time):
        return _parse(variable, _of_date_cell(variable, raw), dates)
    if isinstance(raw, str):
        if variable.type is VariableType.TEXT and raw[:1] == "'" and safe_cell(raw[1:]) == raw:
            return parse_value(variable, raw[1:])  # as exports write a text that a spreadsheet would run
        raw = clean_text(raw, variable.max_length if variable.type is VariableType.TEXT else _LONGEST)
        if raw[:1] in tuple("=+-@") and not _NUMBER.fullmatch(raw):
            raise RefusedValueError(_formula())
        raw = _READERS[variable.type](variable, raw, dates) if variable.type in _READERS else raw
    elif isinstance(raw, int | float) and not isinstance(raw, bool):
        raw = _of_number_cell(variable, raw)
    return _parse(variable, raw, dates)


def _parse(variable: Variable, raw: object, dates: str) -> Value:
    """Return the value. Whether a moved date is in range is found when it has been moved back: to say so here, of any
    patient whose ID is typed, would tell by how much."""
    if variable.type is VariableType.DATE and dates == Dates.MOVED:
        try:
            return date.fromisoformat(str(raw)).isoformat()
        except ValueError:
            raise RefusedValueError(_("Enter a date of the calendar as year-month-day, such as 2024-03-31.")) from None
    return parse_value(variable, raw)


def _formula() -> str:
    return _("The cell holds a formula or an error of the spreadsheet. Write the value itself.")


def _of_date_cell(variable: Variable, raw: datetime | date | time) -> str:
    if variable.type is not VariableType.DATE:
        raise RefusedValueError(_("The spreadsheet has made a date of this cell. Format it as text and type it again."))
    if isinstance(raw, datetime) and raw.time() == time():
        raw = raw.date()
    return raw.isoformat()


def _of_number_cell(variable: Variable, raw: int | float) -> int | float | str | bool:
    whole = int(raw) if float(raw).is_integer() else raw
    if variable.type is VariableType.YESNO and whole in (0, 1):
        return bool(whole)
    return str(whole) if variable.type is VariableType.TEXT else whole


def _yes_no(variable: Variable, text: str, dates: str) -> str | bool:
    return _WORDS.get(text.lower(), text)


def _choice(variable: Variable, text: str, dates: str) -> str:
    """Take a label for its code where it is the label of one choice, and no code itself."""
    if any(str(choice.value) == text for choice in variable.choices):
        return text
    wanted = text.casefold()
    named = [
        choice for choice in variable.choices
        if wanted in (choice.label.en.casefold(), choice.label.zh_hans.casefold(), str(choice).casefold())
    ]  # fmt: skip
    return str(named[0].value) if len(named) == 1 else text


def _date(variable: Variable, text: str, dates: str) -> str:
    if found := _YEAR_FIRST.fullmatch(text):
        return _iso(*found.groups())
    found = _YEAR_LAST.fullmatch(text)
    if found is None:
        return text
    if dates not in (Dates.DAY_FIRST, Dates.MONTH_FIRST):
        raise RefusedValueError(
            _("Day or month first? Write year-month-day, such as 2024-03-31, or choose the order for the whole file.")
        )
    first, second, year = found.groups()
    return _iso(year, second, first) if dates == Dates.DAY_FIRST else _iso(year, first, second)


def _iso(year: str, month: str, day: str) -> str:
    return f"{year}-{int(month):02d}-{int(day):02d}"


_READERS: dict[VariableType, Callable[[Variable, str, str], str | bool]] = {
    VariableType.YESNO: _yes_no,
    VariableType.CHOICE: _choice,
    VariableType.DATE: _date,
}
