"""What the data dictionary writes as data, in the words of the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from apps.crf.computed import Formula
from apps.crf.conditions import Compare, Condition, Group, OneOf
from apps.crf.dictionary import TODAY, Range, TableOne, Variable, VariableType
from apps.crf.values import display, format_number

TYPES: dict[VariableType, Promise] = {
    VariableType.INTEGER: gettext_lazy("whole number"),
    VariableType.DECIMAL: gettext_lazy("decimal number"),
    VariableType.YESNO: gettext_lazy("yes or no"),
    VariableType.CHOICE: gettext_lazy("one of"),
    VariableType.DATE: gettext_lazy("date"),
    VariableType.TEXT: pgettext_lazy("type of a variable", "text"),
}
TABLE_ONE: dict[TableOne, Promise] = {
    TableOne.MEDIAN_IQR: gettext_lazy("Table 1: median and quartiles"),
    TableOne.COUNT_PCT: gettext_lazy("Table 1: number and percentage"),
}
_NUMBERS: dict[str, Promise] = {
    "less_than": gettext_lazy("%(left)s is below %(right)s"),
    "at_most": gettext_lazy("%(left)s is at most %(right)s"),
    "more_than": gettext_lazy("%(left)s is above %(right)s"),
    "at_least": gettext_lazy("%(left)s is at least %(right)s"),
}
_DATES: dict[str, Promise] = {
    "less_than": gettext_lazy("%(left)s is before %(right)s"),
    "at_most": gettext_lazy("%(left)s is not after %(right)s"),
    "more_than": gettext_lazy("%(left)s is after %(right)s"),
    "at_least": gettext_lazy("%(left)s is not before %(right)s"),
}
_JOINED: dict[str, Callable[[], str]] = {"all": lambda: _(" and "), "any": lambda: _(" or ")}


def condition_words(condition: Condition, variables: Mapping[str, Variable]) -> str:
    """Say a condition with the labels of its variables and choices."""
    if isinstance(condition, Group):
        parts = [_part(part, variables) for part in condition.parts]
        return _JOINED[condition.kind]().join(parts)
    if isinstance(condition, OneOf):
        variable = variables[condition.variable]
        values = [_quoted(display(variable, value)) for value in condition.values]
        return _("%(left)s is %(right)s") % {"left": _quoted(variable.label), "right": _(" or ").join(values)}
    return _comparison(condition, variables)


def _part(part: Condition, variables: Mapping[str, Variable]) -> str:
    words = condition_words(part, variables)
    # Brackets where two kinds of joining meet, so that nobody has to know which binds closer.
    return f"({words})" if isinstance(part, Group) and len(part.parts) > 1 else words


def _comparison(condition: Compare, variables: Mapping[str, Variable]) -> str:
    variable = variables[condition.variable]
    words = _DATES if variable.type == VariableType.DATE else _NUMBERS
    if condition.other is not None:
        right = _quoted(variables[condition.other].label)
    else:
        number = condition.number or 0
        right = _with_unit(format_number(number), variable)
    return str(words[condition.order]) % {"left": _quoted(variable.label), "right": right}


def _quoted(text: object) -> str:
    return f"“{text}”"


def _with_unit(text: str, variable: Variable) -> str:
    return f"{text} {variable.unit}" if variable.unit else text


def range_words(limits: Range | None, variable: Variable) -> str:
    """Say bounds: 0 to 120 years, 2000-01-01 to today."""
    if limits is None:
        return ""
    words = _("%(low)s to %(high)s") % {"low": _end(limits.low), "high": _end(limits.high)}
    return _with_unit(words, variable)


def _end(end: date | float | str) -> str:
    if isinstance(end, date):
        return end.isoformat()
    if end == TODAY:
        return _("today")
    return format_number(end) if isinstance(end, float) else end


def formula_words(formula: Formula, variables: Mapping[str, Variable]) -> str:
    """Say how a value is computed, with the labels of its parts."""
    labels = [_quoted(variables[name].label) for name in formula.parts]
    if formula.days:
        words = _("days from %(start)s to %(end)s") % {"start": labels[0], "end": labels[1]}
    elif formula.mean:
        parts = zip(formula.mean.values(), labels, strict=True)
        terms = " + ".join(label if weight == 1 else f"{weight} × {label}" for weight, label in parts)
        words = f"({terms}) ÷ {sum(formula.mean.values())}"
    else:
        words = " + ".join(labels)
    return (
        _("%(formula)s; may be typed where none of them is known") % {"formula": words} if formula.or_typed else words
    )


def type_words(variable: Variable) -> str:
    """Say the type, with what limits it beside its range."""
    words = str(TYPES[variable.type])
    if variable.type == VariableType.DECIMAL:
        more = ngettext("up to %(n)d decimal", "up to %(n)d decimals", variable.decimals)
        return f"{words}, {more % {'n': variable.decimals}}"
    if variable.type == VariableType.TEXT:
        more = ngettext("up to %(n)d character", "up to %(n)d characters", variable.max_length)
        return f"{words}, {more % {'n': variable.max_length}}"
    return words
