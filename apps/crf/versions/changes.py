"""What one version of the dictionary asks otherwise than another, variable by variable, in the reader's words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.crf.codebook.words import condition_words, formula_words, range_words, type_words
from apps.crf.dictionary import Dictionary, Variable
from apps.crf.values import format_number
from apps.crf.versions.moves import NUMBERS, form_of


class Kind(StrEnum):
    NEW = "new"
    GONE = "gone"
    CHANGED = "changed"


KINDS: dict[Kind, Promise] = {
    Kind.NEW: gettext_lazy("new"), Kind.GONE: gettext_lazy("gone"), Kind.CHANGED: gettext_lazy("changed")
}  # fmt: skip


@dataclass(frozen=True)
class Aspect:
    """One property that differs; `weighs` where stored values may mean something else by it."""

    title: str | Promise
    before: str
    after: str
    weighs: bool = False


@dataclass(frozen=True)
class Change:
    """One variable that differs."""

    kind: Kind
    name: str
    old: Variable | None
    new: Variable | None
    aspects: tuple[Aspect, ...] = field(default=())

    @property
    def label(self) -> str:
        found = self.new or self.old
        return str(found.label) if found else self.name

    @property
    def kind_label(self) -> str:
        return str(KINDS[self.kind])

    @property
    def weighs(self) -> bool:
        return self.kind is Kind.GONE or any(aspect.weighs for aspect in self.aspects)


def other_unit(before: Variable | None, after: Variable | None) -> bool:
    """Say whether stored numbers would be read in another unit, under the same name or a new one."""
    if before is None or after is None or before.type not in NUMBERS or after.type not in NUMBERS:
        return False
    return (before.unit.en if before.unit else "") != (after.unit.en if after.unit else "")


@dataclass(frozen=True)
class _Property:
    title: Promise
    # What is compared, and how it is told.
    value: Callable[[Variable], Any]
    words: Callable[[Variable, Dictionary], str]
    weighs: bool = False


def _yes(value: object) -> str:
    return _("yes") if value else _("no")


def _choices(variable: Variable) -> str:
    return "; ".join(f"{choice.value} = {choice.label}" for choice in variable.choices)


_PROPERTIES = (
    _Property(gettext_lazy("Type"), lambda v: v.type, lambda v, _d: type_words(v), weighs=True),
    _Property(gettext_lazy("Unit"), lambda v: v.unit and v.unit.en, lambda v, _d: str(v.unit or ""), weighs=True),
    _Property(
        gettext_lazy("Answers"), lambda v: [(c.value, c.label.en) for c in v.choices], lambda v, _d: _choices(v),
        weighs=True,
    ),
    _Property(
        gettext_lazy("Computed"), lambda v: v.computed and (v.computed.as_data(), v.computed.or_typed),
        lambda v, d: formula_words(v.computed, d.all_variables) if v.computed else "", weighs=True,
    ),
    _Property(
        gettext_lazy("Asked where"), lambda v: v.show_if and v.show_if.as_data(),
        lambda v, d: condition_words(v.show_if, d.all_variables) if v.show_if else _("always"), weighs=True,
    ),
    _Property(gettext_lazy("Counts as a poor outcome"), lambda v: v.poor_outcome,
        lambda v, _d: ", ".join(str(code) for code in v.poor_outcome), weighs=True),
    _Property(gettext_lazy("Input of clinical scores"), lambda v: v.score_inputs,
        lambda v, _d: ", ".join(v.score_inputs), weighs=True),
    _Property(gettext_lazy("Possible"), lambda v: v.range, lambda v, _d: range_words(v.range, v)),
    _Property(gettext_lazy("Usual"), lambda v: v.usual, lambda v, _d: range_words(v.usual, v)),
    _Property(gettext_lazy("Decimals"), lambda v: v.decimals, lambda v, _d: format_number(v.decimals)),
    _Property(gettext_lazy("Longest text"), lambda v: v.max_length, lambda v, _d: format_number(v.max_length)),
    _Property(gettext_lazy("Pattern"), lambda v: v.pattern and v.pattern.regex,
        lambda v, _d: v.pattern.regex if v.pattern else ""),
    _Property(gettext_lazy("Required"), lambda v: v.required, lambda v, _d: _yes(v.required)),
    _Property(gettext_lazy("Entered twice"), lambda v: v.double_entry, lambda v, _d: _yes(v.double_entry)),
    _Property(gettext_lazy("Outcome"), lambda v: v.outcome, lambda v, _d: _yes(v.outcome)),
    _Property(gettext_lazy("Input of the model"), lambda v: v.model_feature,
        lambda v, _d: str(v.model_feature or _("no"))),
    _Property(gettext_lazy("Other units"), lambda v: v.other_units,
        lambda v, _d: ", ".join(str(each.unit) for each in v.other_units)),
    _Property(gettext_lazy("Label"), lambda v: v.label, lambda v, _d: str(v.label)),
    _Property(gettext_lazy("Help"), lambda v: v.help, lambda v, _d: str(v.help or "")),
)  # fmt: skip


def changes_between(old: Dictionary, new: Dictionary) -> list[Change]:
    """Return the variables that differ, in the order of the new version; those that are gone come last."""
    before, after = old.all_variables, new.all_variables
    found = []
    for name, variable in after.items():
        if name not in before:
            found.append(Change(Kind.NEW, name, None, variable))
        elif aspects := aspects_between(old, new, name, name):
            found.append(Change(Kind.CHANGED, name, before[name], variable, aspects))
    gone = [Change(Kind.GONE, name, variable, None) for name, variable in before.items() if name not in after]
    return found + gone


def aspects_between(old: Dictionary, new: Dictionary, source: str, name: str) -> tuple[Aspect, ...]:
    """Return what differs between a variable and the one whose values it takes."""
    before, after = old.all_variables[source], new.all_variables[name]
    found = [
        Aspect(each.title, each.words(before, old), each.words(after, new), each.weighs)
        for each in _PROPERTIES
        if each.value(before) != each.value(after)
    ]
    if form_of(old, source) != form_of(new, name):
        found.insert(0, Aspect(_("Form"), _form(old, source), _form(new, name), weighs=True))
    return tuple(found)


def _form(dictionary: Dictionary, name: str) -> str:
    form = dictionary.further.get(form_of(dictionary, name))
    return str(form.label) if form else _("Case report form")


def rules_between(old: Dictionary, new: Dictionary) -> list[tuple[str, str]]:
    """Return the checks across variables that are new, gone or different: their sentence, and which of the three."""
    before = {rule.name: rule for rule in old.all_rules}
    after = {rule.name: rule for rule in new.all_rules}
    return [
        *((str(rule.sentence), str(KINDS[Kind.NEW])) for name, rule in after.items() if name not in before),
        *(
            (str(rule.sentence), str(KINDS[Kind.CHANGED]))
            for name, rule in after.items() if name in before and before[name] != rule
        ),
        *((str(rule.sentence), str(KINDS[Kind.GONE])) for name, rule in before.items() if name not in after),
    ]  # fmt: skip
