"""What the values of a form mean together: which variables apply, what breaks a rule, what is still to be entered."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from apps.crf.conditions import Value, Values
from apps.crf.dictionary import Level, Questions, Section, Variable
from apps.crf.missing import Answer, Answers, known
from apps.crf.values import describe, display, is_unusual


@dataclass(frozen=True)
class Finding:
    """A broken rule: its name, the variables it looks at, and the sentence for the reader."""

    rule: str
    level: Level
    variables: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class Completeness:
    """Which of the required variables that apply have a value or a reason for having none, and which have neither."""

    present: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def entered(self) -> int:
        return len(self.present)

    @property
    def required(self) -> int:
        return len(self.present) + len(self.missing)

    @property
    def is_complete(self) -> bool:
        return not self.missing

    @property
    def percent(self) -> int:
        """Rounded down: 100 % is said of nothing but a complete form."""
        return 100 * self.entered // self.required if self.required else 100

    def within(self, section: Section) -> "Completeness":
        """Return the same for one section."""
        names = {variable.name for variable in section.variables}
        return Completeness(
            tuple(name for name in self.present if name in names), tuple(name for name in self.missing if name in names)
        )


def applicable(questions: Questions, values: Values) -> frozenset[str]:
    """Return the names of the variables that apply.

    A variable that does not apply counts as blank for the branches that hang on it.
    """
    shown: dict[str, Value] = {}
    for variable in questions.variables.values():
        if variable.show_if is None or variable.show_if.holds(shown):
            shown[variable.name] = values.get(variable.name)
    return frozenset(shown)


def without_blanks(answers: Answers) -> dict[str, Answer]:
    return {name: answer for name, answer in answers.items() if answer is not None}


def broken_rules(questions: Questions, values: Values, level: Level) -> list[Finding]:
    """Return the rules of one level that the values break."""
    return [
        Finding(rule.name, rule.level, rule.variables, str(rule.sentence))
        for rule in questions.rules
        if rule.level == level and rule.forbid.holds(values)
    ]


def warnings_of(questions: Questions, values: Values) -> list[Finding]:
    """Return what is stored but should be checked: unusual values and soft rules."""
    unusual = [
        Finding(f"usual_{variable.name}", Level.SOFT, (variable.name,), _unusual(variable, values[variable.name]))
        for variable in questions.variables.values()
        if is_unusual(variable, values.get(variable.name))
    ]
    return unusual + broken_rules(questions, values, Level.SOFT)


def _unusual(variable: Variable, value: Value) -> str:
    return _("%(label)s: %(value)s is unusual (usually %(range)s). Check it.") % {
        "value": display(variable, value), "label": variable.label, "range": describe(variable.usual, variable),
    }  # fmt: skip


def completeness(questions: Questions, answers: Answers) -> Completeness:
    """Count the required variables that apply, and those of them that have a value or a reason for having none."""
    applies = applicable(questions, known(answers))
    required = [v.name for v in questions.variables.values() if v.required and v.name in applies]
    return Completeness(
        tuple(name for name in required if answers.get(name) is not None),
        tuple(name for name in required if answers.get(name) is None),
    )


def replay(events: Iterable[tuple[str, Answer]]) -> dict[str, Answer]:
    """Return the answers that a sequence of events (variable, answer; None clears) leaves."""
    answers: dict[str, Answer] = {}
    for variable, answer in events:
        answers[variable] = answer
    return without_blanks(answers)
