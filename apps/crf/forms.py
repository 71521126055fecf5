"""The form as the page draws it: every field comes from the data dictionary."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.utils.translation import gettext as _

from apps.audit.words import REASONS
from apps.crf import rules
from apps.crf.computed import is_computed
from apps.crf.conditions import Value
from apps.crf.dictionary import Questions, Section, Variable, VariableType
from apps.crf.missing import Absent, Answer, Answers
from apps.crf.models import CrfDraft, CrfForm
from apps.crf.posted import MISSING, UNIT, variable_of
from apps.crf.rules import Completeness, Finding
from apps.crf.selectors import last_changes
from apps.crf.values import RefusedValueError, bounds, display, format_number, parse_value

# More than that in one field was never typed; the page does not repeat it.
_SHOWN_LENGTH = 2000
# Few and short answers stand side by side as buttons; others are a list.
_BUTTONS = 3
_BUTTONS_LENGTH = 20


@dataclass(frozen=True)
class Option:
    value: str
    label: str


@dataclass(frozen=True)
class Theirs:
    """The stored answer of a field in conflict: its value or the code of its reason."""

    raw: str
    missing: str


@dataclass(frozen=True)
class FormField:
    """One field of the page, with what was typed or stored, and what is to be said about it."""

    variable: Variable
    raw: str
    text: str
    editable: bool
    hidden: bool
    # Code of the reason why there is no value.
    missing: str = ""
    error: str = ""
    warnings: tuple[str, ...] = ()
    changed_at: datetime | None = None
    changed_by: str = ""
    # Name of the unit that it was typed in where that is not the variable's own.
    unit: str = ""
    # Its parts are there, so nobody types it.
    is_computed: bool = False
    # What somebody else saved meanwhile, as the fields hold it; None where there is no conflict.
    theirs: "Theirs | None" = None

    @property
    def control(self) -> str:
        """Name of the partial that draws it."""
        if not self.editable:
            return "text"
        if not self.variable.is_typed:
            return "computed"
        if self.variable.type == VariableType.YESNO:
            return "buttons"
        if self.variable.type == VariableType.CHOICE:
            length = sum(len(choice.label.en) for choice in self.variable.choices)
            return "buttons" if len(self.variable.choices) <= _BUTTONS and length <= _BUTTONS_LENGTH else "list"
        return "input"

    @property
    def input_id(self) -> str:
        """Where a link to this field leads: the first control of a group, or the field where it has none."""
        if self.control in ("text", "computed"):
            return f"field-{self.variable.name}"
        return f"input-{self.variable.name}-0" if self.control == "buttons" else f"input-{self.variable.name}"

    @property
    def options(self) -> list[Option]:
        if self.variable.type == VariableType.YESNO:
            return [Option("true", _("Yes")), Option("false", _("No"))]
        return [Option(str(choice.value), str(choice)) for choice in self.variable.choices]

    @property
    def html_type(self) -> str:
        return "date" if self.variable.type == VariableType.DATE else "text"

    @property
    def input_mode(self) -> str:
        # Not type=number: a browser hands "12,5" over as nothing at all, and its wheel changes values unseen.
        return {VariableType.INTEGER: "numeric", VariableType.DECIMAL: "decimal"}.get(self.variable.type, "text")

    @property
    def range_text(self) -> str:
        if self.variable.type not in (VariableType.INTEGER, VariableType.DECIMAL):
            return ""
        low, high = bounds(self.variable.range)
        return f"{format_number(low)}\N{EN DASH}{format_number(high)}"

    @property
    def show_if(self) -> str:
        return json.dumps(self.variable.show_if.as_data()) if self.variable.show_if else ""

    @property
    def formula(self) -> str:
        return json.dumps(self.variable.computed.as_data()) if self.variable.computed else ""

    @property
    def described_by(self) -> str:
        """Ids of the texts that belong to the control, for screen readers."""
        name = self.variable.name
        parts = {"error": self.error, "warning": self.warnings, "help": self.variable.help}
        return " ".join(f"{part}-{name}" for part, present in parts.items() if present)


@dataclass(frozen=True)
class FormSection:
    section: Section
    fields: tuple[FormField, ...]
    completeness: Completeness

    @property
    def has_errors(self) -> bool:
        return any(field.error for field in self.fields)


@dataclass(frozen=True)
class Reason:
    """The reason for a change as the page asks for it: one of the usual ones, words of one's own, or both."""

    usual: str = ""
    words: str = ""
    error: str = ""

    @classmethod
    def read(cls, data: Mapping[str, str], error: str = "") -> "Reason":
        usual = data.get("reason_choice", "")
        return cls(usual if usual in REASONS else "", data.get("reason", ""), error)

    @property
    def text(self) -> str:
        """What is stored."""
        return ": ".join(part for part in (self.usual, self.words.strip()) if part)

    @property
    def options(self) -> list[Option]:
        return [Option(key, str(label)) for key, label in REASONS.items()]


@dataclass(frozen=True)
class Entry:
    """What somebody typed and what was found wrong with it."""

    raw: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[Finding, ...] = ()
    reason: Reason = field(default_factory=Reason)
    # What somebody else saved otherwise meanwhile, and what he saved that nobody else touched.
    conflicts: frozenset[str] = frozenset()
    merged: frozenset[str] = frozenset()

    @classmethod
    def of_draft(cls, draft: CrfDraft) -> "Entry":
        return cls(draft.typed, reason=Reason.read(draft.typed))


def build_sections(
    questions: Questions, form: CrfForm, writable: frozenset[str], entry: Entry | None = None
) -> list[FormSection]:
    """Return the sections of the page: the stored values, under what was typed into the fields that may be written."""
    entry = entry or Entry()
    raw = {name: text for name, text in entry.raw.items() if variable_of(name) in writable}
    applies = rules.applicable(questions, {**form.values, **_readable(questions, raw)})
    changes = last_changes(form)
    answers = form.answers
    stored = raw_texts(answers)
    texts = stored | raw
    present = answers | _readable(questions, raw)

    def build(variable: Variable) -> FormField:
        name = variable.name
        at, by = changes.get(name, (None, ""))
        return FormField(
            variable, texts.get(name, "")[:_SHOWN_LENGTH], display(variable, answers.get(name)), name in writable,
            name not in applies, texts.get(MISSING + name, "")[:_SHOWN_LENGTH], entry.errors.get(name, ""),
            _about(entry.warnings, name), at, by, texts.get(UNIT + name, ""), is_computed(variable, present),
            Theirs(stored.get(name, ""), stored.get(MISSING + name, "")) if name in entry.conflicts else None,
        )  # fmt: skip

    whole = rules.completeness(questions, answers)
    return [
        FormSection(
            section,
            tuple(build(variable) for variable in section.variables),
            whole.within(section),
        )
        for section in questions.sections
    ]


def _about(warnings: tuple[Finding, ...], name: str) -> tuple[str, ...]:
    return tuple(finding.sentence for finding in warnings if name in finding.variables)


def _readable(questions: Questions, raw: Mapping[str, str]) -> dict[str, Value]:
    """Return the typed values of what can be read, for the branches of a form with mistakes in it."""
    values: dict[str, Value] = {}
    for name, text in raw.items():
        if name not in questions.variables or raw.get(UNIT + name):
            continue
        try:
            values[name] = parse_value(questions.variables[name], text)
        except RefusedValueError:
            continue
    return values


def raw_texts(answers: Answers) -> dict[str, str]:
    """Return what the fields of a page hold of stored answers, by the names of the fields; those left out are blank."""
    return {
        MISSING + name if isinstance(answer, Absent) else name: _raw_text(answer) for name, answer in answers.items()
    }


def _raw_text(value: Answer) -> str:
    if isinstance(value, Absent):
        return value.reason.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else format_number(value)
