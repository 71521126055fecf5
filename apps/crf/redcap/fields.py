"""One row of a REDCap data dictionary: what becomes of it as a variable, and what can't."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.crf.conditions import parse_condition
from apps.crf.dictionary import TODAY, Variable
from apps.crf.redcap.annotation import Annotation
from apps.crf.redcap.findings import Report
from apps.crf.redcap.logic import LogicError, has_comment, parse_logic
from apps.crf.redcap.logic_text import write_logic
from apps.crf.redcap.rows import Column, Row
from apps.crf.redcap.texts import plain, split_choices
from apps.crf.redcap.writing import LONGEST_TEXT, MOST_DECIMALS, is_whole, note_of

_NUMBER = re.compile(r"[+-]?[0-9]{1,300}(?:\.[0-9]{1,400})?")
_DATE = re.compile(r"(?P<a>\d{1,4})[-/](?P<b>\d{1,2})[-/](?P<c>\d{1,4})")
_NUMBERS = {"integer": ("integer", 1), "number": ("decimal", MOST_DECIMALS)} | {
    f"number_{n}dp": ("decimal", n) for n in range(1, 5)
}
_DATES = {"date_ymd": "abc", "date_dmy": "cba", "date_mdy": "cab"}
_REFUSED_TYPES: dict[str, str | Promise] = {
    "checkbox": gettext_lazy("a checkbox holds several answers at once. Make a yes/no question of each"),
    "calc": gettext_lazy("Ichor calculates nothing within the form. Leave the field out"),
    "file": gettext_lazy("the form holds no files. Leave the field out"),
    "slider": gettext_lazy("there is no slider. Make it a number with a least and a greatest value"),
    "notes": gettext_lazy("there is no text of several lines. Make it a text"),
    "sql": gettext_lazy("there are no choices from a database. Write the choices out"),
}
_LEFT_OUT = (Column.ALIGNMENT, Column.NUMBER)
# Keys of the annotation that go into the variable as they stand.
_AS_THEY_STAND = (
    "short", "unit", "decimals", "max_length", "pattern", "double_entry", "outcome", "poor_outcome", "decided_later",
    "model_feature", "table_one", "list_column", "computed", "other_units",
)  # fmt: skip


@dataclass
class FieldReader:
    """Reads one row; what it finds goes into the report."""

    row: Row
    annotation: Annotation
    known: Mapping[str, Variable]
    report: Report
    data: dict[str, Any] = field(default_factory=dict)
    # Texts that have no Chinese of their own.
    untranslated: bool = False

    def fault(self, sentence: str) -> None:
        self.report.fault(sentence, self.row.number, self.row.name[:80])

    def note(self, sentence: str) -> None:
        self.report.note(sentence, self.row.number, self.row.name[:80])

    def read(self) -> dict[str, Any] | None:
        """Return the data of the variable as the dictionary file would hold them; None where its type can't be."""
        typed = self._type()
        self._rest()
        self._annotation()
        self._logic()
        return self.data if typed else None

    def _type(self) -> bool:
        kind = self.row[Column.TYPE].lower()
        if kind in _REFUSED_TYPES:
            self.fault(_("The type “%(type)s” can't be kept: %(why)s.") % {"type": kind, "why": _REFUSED_TYPES[kind]})
            return False
        reader = _TYPES.get(kind)
        if reader is None:
            self.fault(
                _("REDCap has no type “%(type)s”. Write text, radio, dropdown, yesno or truefalse.")
                % {"type": kind[:40]}
            )
            return False
        self.data["name"] = self.row.name
        self._label()
        return reader(self)

    def _label(self) -> None:
        label = self._plain(Column.LABEL)
        if not label:
            self.fault(_("The Field Label is missing."))
        self.data["label"] = self.translated(label, "label")
        note, unit = self._plain(Column.NOTE), self.annotation.data.get("unit")
        english = unit.get("en") if isinstance(unit, dict) else None
        if isinstance(english, str):
            start = note_of(english, None)
            if note != start and not note.startswith(note_of(english, "")):
                self.fault(
                    _("The Field Note does not begin with “%(unit)s”, the unit in @ICHOR. Correct one of the two.")
                    % {"unit": start}
                )
            note = note[len(note_of(english, "")) :]
        if note:
            self.data["help"] = self.translated(note, "help")

    def _plain(self, column: Column) -> str:
        text, marked = plain(self.row[column])
        if marked:
            self.note(_("Formatting (HTML) is left out of “%(column)s”; the text stays.") % {"column": column})
        return text

    def translated(self, english: str, part: str, code: str | None = None) -> dict[str, str]:
        """Return a text with its Chinese from the annotation; without one, the English stands in its place."""
        texts: Any = self.annotation.data.get("zh-Hans", {})
        for key in (part,) if code is None else (part, code):
            texts = texts.get(key) if isinstance(texts, dict) else None
        self.untranslated |= texts is None
        return {"en": english, "zh-Hans": english if texts is None else texts}

    def text(self) -> bool:
        validation = self.row[Column.VALIDATION].lower()
        if validation in _NUMBERS:
            return self._number(validation)
        if validation in _DATES:
            return self._date(validation)
        if validation:
            self.fault(
                _(
                    "The validation “%(type)s” has no counterpart here. Possible are integer, number, date_ymd, "
                    "date_dmy and date_mdy."
                )
                % {"type": validation[:40]}
            )
            return False
        longest = self.annotation.max_length
        if longest is not None and not 1 <= longest <= LONGEST_TEXT:
            self.fault(_("@CHARLIMIT must be from 1 to %(n)d.") % {"n": LONGEST_TEXT})
            longest = None
        self.data |= {"type": "text", "max_length": longest or LONGEST_TEXT}
        self._no_bounds()
        return True

    def _number(self, validation: str) -> bool:
        kind, decimals = _NUMBERS[validation]
        self.data |= {"type": kind, "decimals": decimals}
        if kind == "decimal" and validation != "number":
            self.note(_("Takes up to so many decimals here, not exactly so many; goes back to REDCap as number."))
        ends = [self._end(column, _number) for column in (Column.MIN, Column.MAX)]
        return self._range(ends, _("such as 0 and 120"))

    def _date(self, validation: str) -> bool:
        self.data["type"] = "date"
        if validation != "date_ymd":
            self.note(_("Dates are shown as year-month-day here; goes back to REDCap as date_ymd."))

        def read(text: str) -> date | str:
            return _day(text, _DATES[validation])

        ends = [self._end(Column.MIN, read), self._end(Column.MAX, read)]
        if ends[0] == TODAY:
            self.fault(
                _("A date can end at today, not begin there. Write a date into “%(column)s”.") % {"column": Column.MIN}
            )
            return False
        return self._range(ends, _("such as 2000-01-01 and today"))

    def _end(self, column: Column, read: Callable[[str], Any]) -> Any:
        text = self.row[column]
        try:
            return read(text) if text else None
        except ValueError:
            self.fault(
                _("“%(text)s” in “%(column)s” can't be read as a bound.") % {"text": text[:40], "column": column}
            )
            return ""

    def _range(self, ends: list[Any], such: str) -> bool:
        if None in ends:
            self.fault(
                _("A number or a date needs “%(low)s” and “%(high)s”, %(such)s.")
                % {"low": Column.MIN, "high": Column.MAX, "such": such}
            )
        if None in ends or "" in ends:
            return False
        self.data["range"] = ends
        if not self.annotation.force_bounds:
            self.note(_("Outside its bounds REDCap only warns (without @FORCE-MINMAX); here such a value is refused."))
        return True

    def _no_bounds(self) -> None:
        if self.row[Column.MIN] or self.row[Column.MAX]:
            self.fault(_("Bounds belong to a number or a date. Give the validation type, or leave them out."))

    def choice(self) -> bool:
        if self.row[Column.TYPE].lower() == "dropdown":
            self.note(_("A list in REDCap; goes back there as radio buttons."))
        self._only_text_has_validation()
        try:
            pairs = split_choices(self.row[Column.CHOICES])
        except ValueError as error:
            self.fault(str(error))
            return False
        if not pairs:
            self.fault(_("The choices are missing. Write them as “1, Dead | 2, Alive”."))
            return False
        texts = self.annotation.data.get("text_codes")
        texts = texts if isinstance(texts, list) else []
        self.data |= {"type": "choice", "choices": [self._choice(code, label, texts) for code, label in pairs]}
        return True

    def _choice(self, code: str, label: str, texts: list[Any]) -> dict[str, Any]:
        text, marked = plain(label)
        if marked:
            self.note(_("Formatting (HTML) is left out of “%(column)s”; the text stays.") % {"column": Column.CHOICES})
        value = int(code) if is_whole(code) and code not in texts else code
        return {"value": value, "label": self.translated(text, "choices", code)}

    def yes_no(self) -> bool:
        if self.row[Column.TYPE].lower() == "truefalse":
            self.note(_("Asked as yes or no here, not as true or false; goes back to REDCap as yesno."))
        self._only_text_has_validation()
        if self.row[Column.CHOICES]:
            self.fault(_("A yes/no question has no choices of its own. Empty the cell, or make it radio buttons."))
        self.data["type"] = "yesno"
        return True

    def _only_text_has_validation(self) -> None:
        if self.row[Column.VALIDATION]:
            self.fault(_("A validation type belongs to a text. Empty the cell."))
        self._no_bounds()

    def _rest(self) -> None:
        self.data["required"] = self._flag(Column.REQUIRED)
        if self._flag(Column.IDENTIFIER):
            self.fault(_("It is marked as an identifier. The form holds no identifiers: leave the field out."))
        if self.row[Column.MATRIX] or self._flag(Column.RANKING):
            self.fault(
                _("There is no matrix of questions. Empty the columns of the matrix, so that each stands alone.")
            )
        for column in _LEFT_OUT:
            if self.row[column]:
                self.note(
                    _("“%(column)s” is left out: it concerns only how REDCap shows the field.") % {"column": column}
                )

    def _flag(self, column: Column) -> bool:
        text = self.row[column].lower()
        if text not in {"", "y"}:
            self.fault(_("“%(column)s” holds y or nothing.") % {"column": column})
        return text == "y"

    def _annotation(self) -> None:
        for tag in self.annotation.refused:
            self.fault(
                _("The action tag %(tag)s changes which values come about, and has no counterpart here.") % {"tag": tag}
            )
        for text in self.annotation.other:
            self.note(_("Of the Field Annotation this is left out: “%(text)s”.") % {"text": text})
        data = self.annotation.data
        self.data |= {key: data[key] for key in _AS_THEY_STAND if key in data}
        if "usual" in data:
            self.data["usual"] = _usual(data["usual"], self.data.get("type"))
        if "score_inputs" in data:
            self.data["score_inputs"] = self._score_inputs(data["score_inputs"])

    def _score_inputs(self, inputs: Any) -> Any:
        """Give the codes, which are texts in JSON, the type that they have among the choices."""
        if not isinstance(inputs, dict):
            return inputs
        codes = {str(choice["value"]): choice["value"] for choice in self.data.get("choices", ())}
        return {
            name: {codes.get(code, code): value for code, value in mapping.items()}
            if isinstance(mapping, dict)
            else mapping
            for name, mapping in inputs.items()
        }

    def _logic(self) -> None:
        expression = self.row[Column.LOGIC]
        if not expression:
            return
        if has_comment(expression):
            self.note(_("The comments in the branching logic are left out."))
        try:
            condition = parse_logic(expression, self.known)
            exact = self.annotation.data.get("show_if")
            if exact is not None:
                # The condition as it was, unless the logic was changed since.
                kept = parse_condition(exact)
                condition = kept if parse_logic(write_logic(kept), self.known) == condition else condition
            self.data["show_if"] = condition
        except LogicError as error:
            self.fault(str(error))
        except ValueError as error:
            self.fault(_("The condition in @ICHOR is wrong: %(why)s.") % {"why": error})


_TYPES: dict[str, Callable[[FieldReader], bool]] = {
    "text": FieldReader.text,
    "radio": FieldReader.choice,
    "dropdown": FieldReader.choice,
    "yesno": FieldReader.yes_no,
    "truefalse": FieldReader.yes_no,
}


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError("no number")
    return float(text)


def _day(text: str, order: str) -> date | str:
    """Read a date: year first, as REDCap keeps it, or in the order in which the field is shown."""
    if text.lower() == TODAY:
        return TODAY
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError("no date")
    year, month, day = (int(found[group]) for group in ("abc" if len(found["a"]) == 4 else order))
    return date(year, month, day)


def _usual(ends: Any, kind: Any) -> Any:
    """Give the bounds of a date, which are texts in JSON, their type."""
    if kind != "date" or not isinstance(ends, list):
        return ends
    try:
        return [date.fromisoformat(end) if isinstance(end, str) and end != TODAY else end for end in ends]
    except ValueError:
        return ends  # no date: the dictionary's own check says so
