"""The lines of the codebook, made from the dictionary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.crf.codebook.words import TABLE_ONE, condition_words, formula_words, range_words, type_words
from apps.crf.dictionary import Choice, Dictionary, FurtherForm, Rule, Section, Variable

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
    computed: str
    roles: tuple[str, ...]
    checks: tuple[Rule, ...]


@dataclass(frozen=True)
class Part:
    """One section; `form` is the one it belongs to where that is not the main one."""

    section: Section
    entries: tuple[Entry, ...]
    form: FurtherForm | None = None
    visits: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        if self.form is None or str(self.form.label) == str(self.section.label):
            return str(self.section.label)
        return f"{self.form.label} · {self.section.label}"


@dataclass(frozen=True)
class Check:
    """A rule with what it forbids in words."""

    rule: Rule
    forbids: str
    variables: tuple[Variable, ...]


def parts_of(dictionary: Dictionary) -> list[Part]:
    """Return the sections with their variables, in the reader's language."""
    forms: tuple[Dictionary | FurtherForm, ...] = (dictionary, *dictionary.forms)
    return [
        Part(
            section, tuple(_entry(variable, form.variables, form.rules) for variable in section.variables),
            form if isinstance(form, FurtherForm) else None, _visits(form, dictionary),
        )
        for form in forms
        for section in form.sections
    ]  # fmt: skip


def _visits(form: Dictionary | FurtherForm, dictionary: Dictionary) -> tuple[str, ...]:
    if not isinstance(form, FurtherForm):
        return ()
    return tuple(str(visit.label) for visit in dictionary.visits if visit.name in form.visits)


def checks_of(dictionary: Dictionary) -> list[Check]:
    """Return the checks across variables."""
    known = dictionary.all_variables
    return [
        Check(rule, condition_words(rule.forbid, known), tuple(known[name] for name in rule.variables))
        for rule in dictionary.all_rules
    ]


def _entry(variable: Variable, known: Mapping[str, Variable], rules: tuple[Rule, ...]) -> Entry:
    return Entry(
        variable=variable,
        type=type_words(variable),
        range=range_words(variable.range, variable),
        usual=range_words(variable.usual, variable),
        answers=tuple(_answer(choice, variable) for choice in variable.choices),
        computed=formula_words(variable.computed, known) if variable.computed else "",
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
