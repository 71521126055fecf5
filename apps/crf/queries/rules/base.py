"""What a rule is: it looks at the values of one form and yields findings; each finding is one query."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise

from apps.accounts.policy import Permission
from apps.crf.conditions import Value, Values
from apps.crf.dictionary import Questions, load_dictionary
from apps.crf.missing import Answers, answers_of
from apps.crf.models import CrfForm
from apps.crf.places import MAIN_PLACE, Place
from apps.crf.selectors import questions_of
from apps.crf.values import display_with_unit

# What a rule knows from elsewhere about one variable: the cohort's median, the age in the header of a CT.
Facts = Mapping[str, Any]
Evidence = Mapping[str, Facts]


@dataclass(frozen=True)
class Subject:
    """One form as the rules see it."""

    patient_id: int
    form_id: int
    values: Values
    place: Place = MAIN_PLACE
    missing: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, form: CrfForm) -> Subject:
        return cls(form.patient_id, form.pk, form.values, form.place, form.missing)

    @property
    def answers(self) -> Answers:
        return answers_of(self.values, self.missing)

    @property
    def questions(self) -> Questions:
        return questions_of(self.place)


@dataclass(frozen=True)
class Finding:
    """Something to ask about: rule and variable say what, `about` the values that it rests on."""

    rule: str
    variable: str
    about: Mapping[str, Value]
    facts: Facts = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The variable as the form calls it."""
        variable = load_dictionary().all_variables.get(self.variable)
        return str(variable.label) if variable else self.variable

    @property
    def shown(self) -> str:
        """The value that is asked about, as a person reads it."""
        return show(self.variable, self.about.get(self.variable))


def show(name: str, value: Value) -> str:
    """Return a value as a person reads it; as stored where the dictionary no longer has its variable."""
    variable = load_dictionary().all_variables.get(name)
    return display_with_unit(variable, value) if variable else str(value)


# Gathers evidence for the forms of a part of a run: {patient pk: {variable: facts}}.
Gather = Callable[[Sequence[Subject]], Mapping[int, Evidence]]


def _nothing() -> Gather:
    return lambda subjects: {}


@dataclass(frozen=True)
class Rule:
    """One idea of what to ask about.

    `find` judges a form by its values and the evidence. A run calls `prepare` once, for what takes the whole cohort. A
    save judges again by the evidence that the open queries were opened with, so that it reads nothing else.
    """

    key: str
    label: str | Promise
    find: Callable[[Subject, Evidence], Iterable[Finding]]
    say: Callable[[Finding], str]
    prepare: Callable[[], Gather] = _nothing
    # Who lacks it sees no query of this rule: its words tell what only they may know.
    tells: Permission | None = None


rules: dict[str, Rule] = {}


def register_rule(rule: Rule) -> None:
    """Add a rule; the same key twice is a programming error."""
    if rule.key in rules or "." in rule.key:
        raise ValueError(f"There can be no second rule {rule.key!r}, and none with a dot.")
    rules[rule.key] = rule


def rule_of(name: str) -> Rule | None:
    """Return the rule behind the name that a query holds."""
    return rules.get(name.partition(".")[0])
