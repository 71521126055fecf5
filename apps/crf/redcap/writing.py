"""From the dictionary to the CSV: what REDCap knows too goes into its columns, the rest into the annotation."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from apps.core.errors import Refusal
from apps.crf.dictionary import Dictionary, Questions, Range, Rule, Section, Variable, VariableType
from apps.crf.redcap.annotation import write_annotation
from apps.crf.redcap.logic import LogicError, parse_logic
from apps.crf.redcap.logic_text import number_text, write_logic
from apps.crf.redcap.rows import Column, write_rows
from apps.crf.redcap.texts import CODE, as_cell, join_choices
from apps.crf.texts import Text

# REDCap's first field names the record. Ichor's study ID takes its place.
RECORD = "record_id"
MOST_DECIMALS = 6
LONGEST_TEXT = 500
_NAME = re.compile(r"[a-z][a-z0-9_]*[a-z0-9]")
_TYPES = {
    VariableType.YESNO: ("yesno", ""),
    VariableType.CHOICE: ("radio", ""),
    VariableType.INTEGER: ("text", "integer"),
    # Not number_1dp: that refuses 12 and wants 12.0.
    VariableType.DECIMAL: ("text", "number"),
    VariableType.DATE: ("text", "date_ymd"),
    VariableType.TEXT: ("text", ""),
}
_PLAIN_ROLES = ("outcome", "decided_later", "model_feature", "list_column")


def dictionary_to_csv(dictionary: Dictionary) -> str:
    """Return the dictionary as the text of a REDCap data dictionary; `csv_to_dictionary` reads the same one back.

    Raises Refusal for a name or a code that REDCap can't hold.
    """
    for variable in dictionary.all_variables.values():
        _check(variable)
    return write_rows(_rows(dictionary))


def _check(variable: Variable) -> None:
    if not _NAME.fullmatch(variable.name):
        raise Refusal(
            "redcap_name",
            _(
                "REDCap can't hold the name “%(name)s”: it wants two characters or more, with a letter or digit at the "
                "end."
            )
            % {"name": variable.name},
        )
    for choice in variable.choices:
        if not CODE.fullmatch(str(choice.value)):
            raise Refusal(
                "redcap_code",
                _("REDCap can't hold the code “%(code)s” of %(name)s: it wants letters, digits, _, . and - only.")
                % {"code": str(choice.value)[:40], "name": variable.name},
            )
    for limits in (variable.range, variable.usual):
        if limits and any(isinstance(end, float) and not math.isfinite(end) for end in (limits.low, limits.high)):
            raise Refusal(
                "redcap_range", _("REDCap can't hold the range of %(name)s: it has no end.") % {"name": variable.name}
            )


def _rows(dictionary: Dictionary) -> Iterator[dict[Column, str]]:
    forms = form_names(dictionary)
    yield {
        Column.NAME: record_name(dictionary),
        Column.FORM: forms[dictionary.sections[0].name],
        Column.TYPE: "text",
        Column.LABEL: "Study ID",
        Column.ANNOTATION: write_annotation({"dictionary": _about(dictionary, forms)}),
    }
    first_rule, seen = 1, set[str]()
    for questions in (dictionary, *dictionary.forms):
        rules = _rules_by_row(questions, first_rule)
        first_rule += len(questions.rules)
        for section in questions.sections:
            form = forms[section.name]
            for place, variable in enumerate(section.variables):
                head = _section_head(section, form, first=form not in seen) if not place else ("", {})
                more = head[1] | ({"rules": rules[variable.name]} if variable.name in rules else {})
                yield {Column.FORM: form, Column.HEADER: head[0], **_variable(variable, questions.variables, more)}
                seen.add(form)


def _about(dictionary: Dictionary, forms: Mapping[str, str]) -> dict[str, Any]:
    """Return what is said of the whole; of each form beside the main one, `form` is what REDCap calls it."""
    about: dict[str, Any] = {
        "name": dictionary.name, "version": dictionary.version, "title": _text(dictionary.title),
        "rules": sum(len(questions.rules) for questions in (dictionary, *dictionary.forms)),
    }  # fmt: skip
    if dictionary.visits:
        about["visits"] = [
            {"name": visit.name, "label": _text(visit.label)}
            | ({"months": visit.months} if visit.months else {})
            | ({"unless": visit.unless.as_data()} if visit.unless else {})
            for visit in dictionary.visits
        ]
    if dictionary.forms:
        about["forms"] = [
            {
                "form": forms[form.sections[0].name], "name": form.name, "label": _text(form.label),
                "visits": list(form.visits), "repeats": form.repeats,
            }
            for form in dictionary.forms
        ]  # fmt: skip
    return about


def record_name(dictionary: Dictionary) -> str:
    name = RECORD
    while name in dictionary.all_variables:
        name += "_1"
    return name


def form_names(dictionary: Dictionary) -> dict[str, str]:
    """Return the REDCap form of each section.

    In the main form that is what stands before a double underscore, else the section's own name; a form beside it is
    one there too. REDCap's own names have no double underscore, and the rows of a form follow each other there.
    """
    names: dict[str, str] = {}
    used: set[str] = set()
    last = ""
    for section in dictionary.sections:
        base = section.name.split("__")[0].strip("_")
        base = base if len(base) > 1 else f"form_{base}"
        form = _free(base, used - {last})
        names[section.name] = last = form
        used.add(form)
    for further in dictionary.forms:
        base = re.sub("__+", "_", further.name).strip("_")
        form = _free(base if len(base) > 1 else f"form_{base}", used)
        names |= dict.fromkeys((section.name for section in further.sections), form)
        used.add(form)
    return names


def _free(base: str, used: Collection[str]) -> str:
    form, number = base, 1
    while form in used:
        number += 1
        form = f"{base}_{number}"
    return form


def form_title(form: str) -> str:
    """Return what REDCap calls a form: admission_data is Admission Data."""
    return form.replace("_", " ").title()


def _section_head(section: Section, form: str, *, first: bool) -> tuple[str, dict[str, Any]]:
    """Return the section's header and its part of the annotation."""
    # A header says where a section begins; at the head of a form it can be left away where the form says the same.
    header = "" if first and section.label.en == form_title(form) else as_cell(section.label.en)
    return header, {"section": {"name": section.name, "zh-Hans": section.label.zh_hans}}


def _rules_by_row(questions: Questions, first: int) -> dict[str, list[dict[str, Any]]]:
    """Return each rule, with its place among the rules, by the last of its variables: no single cell grows too long."""
    order = list(questions.variables)
    rows: dict[str, list[dict[str, Any]]] = {}
    for place, rule in enumerate(questions.rules, start=first):
        last = max(rule.variables, key=order.index)
        rows.setdefault(last, []).append({"place": place, **_rule(rule)})
    return rows


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name, "level": str(rule.level), "forbid": rule.forbid.as_data(), "sentence": _text(rule.sentence),
    }  # fmt: skip


def _text(text: Text) -> dict[str, str]:
    return {"en": text.en, "zh-Hans": text.zh_hans}


def _variable(variable: Variable, known: Mapping[str, Variable], more: dict[str, Any]) -> dict[Column, str]:
    field_type, validation = _TYPES[variable.type]
    low, high = _bounds(variable.range)
    logic, exact = _logic(variable, known)
    limit = variable.max_length if variable.type == VariableType.TEXT and variable.max_length != LONGEST_TEXT else None
    data = _chinese(variable) | _roles(variable) | exact | more
    return {
        Column.NAME: variable.name,
        Column.TYPE: field_type,
        Column.LABEL: as_cell(variable.label.en),
        Column.CHOICES: join_choices((str(choice.value), choice.label.en) for choice in variable.choices),
        Column.NOTE: as_cell(note_of(variable.unit.en if variable.unit else None, variable.help)),
        Column.VALIDATION: validation,
        Column.MIN: low,
        Column.MAX: high,
        Column.LOGIC: logic,
        Column.REQUIRED: "y" if variable.required else "",
        Column.ANNOTATION: write_annotation(data, force_bounds=variable.range is not None, max_length=limit),
    }


def note_of(unit: str | None, help_text: Text | str | None) -> str:
    """Return the note below a field. The unit is in it: who enters the value must see it."""
    text = help_text.en if isinstance(help_text, Text) else help_text
    if unit is None:
        return text or ""
    return f"Unit: {unit}" if text is None else f"Unit: {unit}; {text}"


def _bounds(limits: Range | None) -> tuple[str, str]:
    return ("", "") if limits is None else (_bound(limits.low), _bound(limits.high))


def _bound(end: date | float | str) -> str:
    if isinstance(end, date):
        return end.isoformat()
    return end if isinstance(end, str) else number_text(end)


def _logic(variable: Variable, known: Mapping[str, Variable]) -> tuple[str, dict[str, Any]]:
    """Return the branching logic, and the condition itself where the logic alone reads back as another of its kind."""
    if variable.show_if is None:
        return "", {}
    logic = write_logic(variable.show_if)
    try:
        # Not by equality, to which 8 and 8.0 are the same.
        same = repr(parse_logic(logic, known)) == repr(variable.show_if)
    except LogicError:
        same = False
    return logic, {} if same else {"show_if": variable.show_if.as_data()}


def _chinese(variable: Variable) -> dict[str, Any]:
    """Return the Chinese texts of which the English ones are in REDCap's columns."""
    texts: dict[str, Any] = {"label": variable.label.zh_hans}
    if variable.help:
        texts["help"] = variable.help.zh_hans
    if variable.choices:
        texts["choices"] = {str(choice.value): choice.label.zh_hans for choice in variable.choices}
    return {"zh-Hans": texts}


def _roles(variable: Variable) -> dict[str, Any]:
    """Return all else that REDCap has no column for, where it is not what a reader takes without being told."""
    data: dict[str, Any] = {}
    for name in ("short", "unit"):
        text = getattr(variable, name)
        if text is not None:
            data[name] = _text(text)
    if variable.usual is not None:
        ends = (variable.usual.low, variable.usual.high)
        data["usual"] = [end.isoformat() if isinstance(end, date) else end for end in ends]
    if variable.decimals != (MOST_DECIMALS if variable.type == VariableType.DECIMAL else 1):
        data["decimals"] = variable.decimals
    if variable.type != VariableType.TEXT and variable.max_length != Variable.max_length:
        data["max_length"] = variable.max_length
    if variable.pattern is not None:
        data["pattern"] = {"regex": variable.pattern.regex, "sentence": _text(variable.pattern.sentence)}
    if not variable.double_entry:
        data["double_entry"] = False
    if variable.other_units:
        data["other_units"] = [{"unit": _text(each.unit), "factor": each.factor} for each in variable.other_units]
    if variable.computed is not None:
        # Not a calc field: REDCap's lets nobody type the total that a chart holds, and rounds by rules of its own.
        data["computed"] = variable.computed.as_data() | ({"or_typed": True} if variable.computed.or_typed else {})
    data |= {name: getattr(variable, name) for name in _PLAIN_ROLES if getattr(variable, name)}
    return data | _codes(variable)


def _codes(variable: Variable) -> dict[str, Any]:
    """Return the roles that hang on the choices."""
    data: dict[str, Any] = {}
    if variable.poor_outcome:
        data["poor_outcome"] = list(variable.poor_outcome)
    if variable.table_one is not None:
        data["table_one"] = str(variable.table_one)
    if variable.score_inputs:
        data["score_inputs"] = {
            name: mapping if mapping == "value" else {str(code): value for code, value in mapping.items()}
            for name, mapping in variable.score_inputs.items()
        }
    numerals = [c.value for c in variable.choices if isinstance(c.value, str) and is_whole(c.value)]
    if numerals:
        data["text_codes"] = numerals
    return data


def is_whole(code: str) -> bool:
    """Say whether a code reads as a whole number: 1 and -9, not 01."""
    return re.fullmatch(r"0|-?[1-9][0-9]{0,99}", code) is not None
