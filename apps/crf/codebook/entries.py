"""The lines of the codebook, made from the dictionary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.crf.codebook.words import TABLE_ONE, condition_words, range_words, type_words
from apps.crf.dictionary import Choice, Dictionary, Rule, Section, Variable

SCORE_INPUTS: dict[str, str | Promise] = {
    "age": gettext_lazy("age"),
    "gcs": "GCS",
    "nihss": "NIHSS",
    "ivh": "IVH",
    "infratentorial": gettext_lazy("infratentorial or not"),
    "site": gettext_lazy("site of the hemorrhage"),
    "lobar": gettext_lazy("lobar or not"),
    "anticoagulation": gettext_lazy("anticoagulation"),
    "cognitive_impairment": gettext_lazy("cognitive impairment"),
}


@dataclass(frozen=True)
class Answer:
    """One choice: its code, its label, and whether it counts as a poor outcome."""

    code: str
    label: str
    poor: bool


@dataclass(frozen=True)
class Entry:
    """One variable, as the codebook tells it."""

    variable: Variable
    type: str
    range: str
    usual: str
    answers: tuple[Answer, ...]
    applies: str
    roles: tuple[str, ...]
    checks: tuple[Rule, ...]


@dataclass(frozen=True)
class Part:
    section: Section
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Check:
    """A rule with what it forbids in words."""

    rule: Rule
    forbids: str
    variables: tuple[Variable, ...]


def parts_of(dictionary: Dictionary) -> list[Part]:
    """Return the sections with their variables, in the reader's language."""
    known = dictionary.variables
    return [
        Part(section, tuple(_entry(variable, known, dictionary.rules) for variable in section.variables))
        for section in dictionary.sections
    ]


def checks_of(dictionary: Dictionary) -> list[Check]:
    """Return the checks across variables."""
    known = dictionary.variables
    return [
        Check(rule, condition_words(rule.forbid, known), tuple(known[name] for name in rule.variables))
        for rule in dictionary.rules
    ]


def _entry(variable: Variable, known: Mapping[str, Variable], rules: tuple[Rule, ...]) -> Entry:
    return Entry(
        variable=variable,
        type=type_words(variable),
        range=range_words(variable.range, variable),
        usual=range_words(variable.usual, variable),
        answers=tuple(_answer(choice, variable) for choice in variable.choices),
        applies=condition_words(variable.show_if, known) if variable.show_if else "",
        roles=tuple(_roles(variable)),
        checks=tuple(rule for rule in rules if variable.name in rule.variables),
    )


def _answer(choice: Choice, variable: Variable) -> Answer:
    return Answer(str(choice.value), str(choice.label), choice.value in variable.poor_outcome)


def _roles(variable: Variable) -> list[str]:
    """Say what the variable is used for beside the form."""
    roles = []
    if variable.outcome:
        roles.append(_("Outcome: entered by the assessor"))
    if variable.model_feature is not None:
        roles.append(_("Model: feature %(n)d") % {"n": variable.model_feature})
    if variable.decided_later:
        roles.append(_("Decided after admission: left out by a model for the door"))
    if variable.table_one is not None:
        roles.append(str(TABLE_ONE[variable.table_one]))
    if variable.score_inputs:
        names = ", ".join(str(SCORE_INPUTS.get(name, name)) for name in variable.score_inputs)
        roles.append(_("Clinical scores: %(names)s") % {"names": names})
    if variable.list_column is not None:
        roles.append(_("Patient list: column %(n)d") % {"n": variable.list_column})
    return roles
