"""Writing the case report form: one save is one transaction, and each changed value an event."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType

from django.db import transaction
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.accounts.access import has_permission
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.core.errors import Conflict, Refusal
from apps.crf.computed import computed_answers
from apps.crf.conditions import Value
from apps.crf.dictionary import Level, Questions, Variable, load_dictionary
from apps.crf.double_entry.blinding import refuse_if_blinded
from apps.crf.double_entry.comparing import compare_again
from apps.crf.missing import Absent, Answer, Answers, Missing, as_data, known, reasons
from apps.crf.models import CrfForm, CrfValue
from apps.crf.places import MAIN_PLACE, Place
from apps.crf.queries.saving import follow_save
from apps.crf.rows import get_row
from apps.crf.rules import Finding, applicable, broken_rules, completeness, replay, warnings_of, without_blanks
from apps.crf.selectors import new_form, questions_of
from apps.crf.signatures.locks import refuse_if_locked
from apps.crf.units import convert
from apps.crf.values import RefusedValueError, clean_text, display, parse_value
from apps.crf.versions.current import hold_dictionary
from apps.patients.changes import announce
from apps.patients.models import Patient

REASON_LENGTH = 500
_NONE: Mapping[str, str] = MappingProxyType({})


class FormErrors(Refusal):
    """Nothing was saved; `errors` holds a sentence for each variable at fault."""

    def __init__(self, errors: Mapping[str, str], *, status: int = HTTPStatus.UNPROCESSABLE_ENTITY) -> None:
        sentence = ngettext(
            "%(n)d value was not accepted, so nothing was saved. Correct it and save again.",
            "%(n)d values were not accepted, so nothing was saved. Correct them and save again.",
            len(errors),
        )
        super().__init__("form_values", sentence % {"n": len(errors)}, status=status)
        self.errors = dict(errors)


class FormConflict(Conflict):
    """Somebody saved other values of the same variables meanwhile; `errors` says which.

    `mine` names what was not saved, `merged` what others saved meanwhile and the actor has not touched.
    """

    def __init__(self, errors: Mapping[str, str], mine: Iterable[str], merged: Iterable[str]) -> None:
        super().__init__(
            "form_changed",
            _("Somebody else changed the same values meanwhile, so nothing was saved. Check them and save again."),
        )
        self.errors = dict(errors)
        self.mine = frozenset(mine)
        self.merged = frozenset(merged)


class ReasonRefused(Refusal):
    """A reason for the change is missing, or can't be stored; nothing was saved."""

    def __init__(self, sentence: str) -> None:
        super().__init__("form_reason", sentence)
        self.errors = {"reason": self.sentence}


@dataclass(frozen=True)
class SaveResult:
    """The form after a save, the variables that the save changed, and what should be checked."""

    form: CrfForm
    changed: tuple[str, ...] = ()
    warnings: list[Finding] = field(default_factory=list)


@transaction.atomic
def save_form(
    *, actor: User, patient: Patient, read_version: int, values: Mapping[str, object], reason: str = "",
    place: Place = MAIN_PLACE, missing: Mapping[str, str] = _NONE, units: Mapping[str, str] = _NONE,
    also_writable: frozenset[str] = frozenset(),
) -> SaveResult:  # fmt: skip
    """Save what the actor changed since he read version `read_version` of one of the patient's forms.

    `values` holds raw input by variable name; a variable left out is not touched, a blank clears it, and one that has
    the value that was read is none of the actor's changes. Values that somebody else changed meanwhile stay. All of it
    is stored or nothing. The first entry of a variable needs no reason; every later change of it does.
    `missing` says by variable why it has no value: a code of Missing, or a blank, which says nothing. A code takes the
    place of the value that was there, and a value or a blank that of a code. `units` says by variable in which other
    unit a number was measured, for the platform to convert; a blank is the variable's own unit. `also_writable` are
    variables that a reconciliation decides, whoever may enter them.

    Raises FormErrors (a value refused, or the actor may not write it), FormConflict (the same variable changed
    meanwhile), DictionaryChanged, ReasonRefused (missing, or not to be stored), FormLocked, BlindedError, Refusal (no
    such version), and Http404 for an actor who may enter nothing, or a place that the data dictionary does not have.
    """
    hold_dictionary()
    questions = questions_of(place)
    writable = writable_variables(actor, patient, questions) | also_writable
    if not writable:
        raise Http404
    why = _read_reason(reason)
    entered, typed = parse_answers(questions, values, missing, units)
    form = _lock_form(patient, place, create=any(answer is not None for answer in entered.values()))
    refuse_if_blinded(actor, form)
    if not 0 <= read_version <= form.version:
        raise Refusal("form_version", _("The form has no such version. Load the form again and repeat the change."))
    mine, meanwhile = _changes(form, read_version, entered)
    refuse_if_locked(form, mine)
    foreign = [name for name in mine if name not in writable]
    if foreign:
        sentence = _("Your role does not allow you to enter this value. Leave it as it was.")
        raise FormErrors(dict.fromkeys(foreign, sentence), status=HTTPStatus.FORBIDDEN)
    before = form.answers
    after = without_blanks({**before, **mine})
    cleared = clear_hidden(questions, mine, after)
    _check_conflict(questions, before, {**mine, **cleared}, meanwhile)
    computed = compute(questions, before, mine, after)
    everything = {**mine, **cleared, **computed}
    changed = {name: answer for name, answer in everything.items() if before.get(name) != answer}
    _check_rules(questions, after, changed)
    if changed:
        _check_reason(form, changed, why)
        store(actor=actor, form=form, questions=questions, changed=changed, reason=why, typed=typed)
    return SaveResult(form, tuple(changed), warnings_of(questions, form.values))


def writable_variables(actor: User, patient: Patient, questions: Questions) -> frozenset[str]:
    """Return the variables that the actor may enter: outcomes and the others are separate permissions."""
    allowed = {
        True: has_permission(actor, Permission.ENTER_OUTCOME, patient.center),
        False: has_permission(actor, Permission.ENTER_CRF, patient.center),
    }
    return frozenset(variable.name for variable in questions.variables.values() if allowed[variable.outcome])


def _read_reason(reason: str) -> str:
    try:
        return clean_text(reason, REASON_LENGTH)
    except RefusedValueError as error:
        raise ReasonRefused(str(error)) from error


def _check_reason(form: CrfForm, changed: Answers, reason: str) -> None:
    """Refuse a change without a reason of what an earlier save had entered, also where it was cleared since."""
    if reason or form.version == 0:
        return
    if CrfValue.objects.filter(form=form, variable__in=list(changed)).exists():
        raise ReasonRefused(
            _("Values that had been saved before were changed. Say why, and save again; nothing has been saved yet.")
        )


def parse_answers(
    questions: Questions, raw_values: Mapping[str, object], missing: Mapping[str, str], units: Mapping[str, str]
) -> tuple[dict[str, Answer], dict[str, str]]:
    """Return the answers, and of a number that was typed in another unit what was typed."""
    parsed: dict[str, Answer] = {}
    typed: dict[str, str] = {}
    errors: dict[str, str] = {}
    for name in {**raw_values, **{name: reason for name, reason in missing.items() if reason}}:
        variable = questions.variables.get(name)
        if variable is None:
            errors[_quotable(name)] = _("The form has no variable of this name. Check the name in the data dictionary.")
            continue
        raw = raw_values.get(name)
        try:
            if units.get(name) and str(raw or "").strip():
                raw, typed[name] = convert(variable, clean_text(str(raw), REASON_LENGTH), units[name])
            parsed[name] = _answer(parse_value(variable, raw), missing.get(name) or "")
        except ValueError as refused:
            errors[name] = str(refused)
    if errors:
        raise FormErrors(errors)
    return parsed, typed


def _answer(value: Value, reason: str) -> Answer:
    if not reason:
        return value
    if reason not in Missing.values:
        known_codes = ", ".join(Missing.values)
        raise RefusedValueError(
            _("Why a value is missing is one of these codes: %(codes)s. Use one of them.") % {"codes": known_codes}
        )
    if value is not None:
        raise RefusedValueError(_("There is a value, and a reason why it is missing. Take one of the two away."))
    return Absent(Missing(reason))


def _quotable(name: str) -> str:
    """Return a name of unknown origin in a form that an answer can repeat."""
    return "".join(character if character.isprintable() else "?" for character in name[:60])


def _lock_form(patient: Patient, place: Place, *, create: bool) -> CrfForm:
    """Return the patient's form under a row lock; a form that would stay empty is not created."""
    rows = CrfForm.objects.select_for_update().filter(
        patient=patient, name=place.form, visit=place.visit, instance=place.instance
    )
    form = rows.first()
    if form is None and create:
        get_row(patient, place)
        form = rows.first()
    if form is None:
        return new_form(patient, place)
    form.patient = patient
    if place.is_main:
        form.main_of = patient  # which patient.form gives from here on
    return form


def _changes(form: CrfForm, read_version: int, entered: Answers) -> tuple[dict[str, Answer], frozenset[str]]:
    """Return what the actor changed of what he had read, and which variables others changed since."""
    if read_version == form.version:
        stored = form.answers
        return {name: answer for name, answer in entered.items() if stored.get(name) != answer}, frozenset()
    events = list(CrfValue.objects.filter(form=form))
    base = replay((event.variable, event.answer) for event in events if event.form_version <= read_version)
    mine = {name: answer for name, answer in entered.items() if base.get(name) != answer}
    return mine, frozenset(event.variable for event in events if event.form_version > read_version)


def clear_hidden(questions: Questions, mine: Answers, after: dict[str, Answer]) -> dict[str, Answer]:
    """Take out of `after` what no longer applies and return it as cleared; refuse a new value that does not apply."""
    applies = applicable(questions, known(after))
    hidden = [name for name in after if name not in applies]
    refused = {name: _does_not_apply(questions, name) for name in hidden if mine.get(name) is not None}
    if refused:
        raise FormErrors(refused)
    for name in hidden:
        del after[name]
    return dict.fromkeys(hidden)


def compute(questions: Questions, before: Answers, mine: Answers, after: dict[str, Answer]) -> dict[str, Value]:
    """Bring what is computed into `after` and return it; refuse another value than the computed one."""
    computed = computed_answers(questions, before, after)
    wrong = {
        name: _is_computed(questions, questions.variables[name], value)
        for name, value in computed.items()
        if mine.get(name) is not None and mine[name] != value
    }
    if wrong:
        raise FormErrors(wrong)
    after.update(computed)
    for name, value in computed.items():
        if value is None:
            del after[name]
    return computed


def _is_computed(questions: Questions, variable: Variable, value: Value) -> str:
    labels = [str(questions.variables[name].label) for name in variable.computed.parts] if variable.computed else []
    return _("This is computed from: %(labels)s. It is %(value)s; leave it as it is, or change those.") % {
        "labels": ", ".join(labels), "value": display(variable, value) or _("not known yet"),
    }  # fmt: skip


def _does_not_apply(questions: Questions, name: str) -> str:
    condition = questions.variables[name].show_if
    asked = [str(questions.variables[other].label) for other in condition.variables()] if condition else []
    return _("This does not apply with the answer to: %(labels)s. Leave it blank or change that answer.") % {
        "labels": ", ".join(asked)
    }


def _check_conflict(questions: Questions, stored: Answers, mine: Answers, meanwhile: frozenset[str]) -> None:
    both = [name for name in mine if name in meanwhile and stored.get(name) != mine[name]]
    if both:
        raise FormConflict(
            {name: _meanwhile(questions.variables[name], stored.get(name)) for name in both},
            mine,
            meanwhile - set(both),
        )


def _meanwhile(variable: Variable, value: Answer) -> str:
    if value is None:
        return _("Meanwhile cleared by somebody else. Save again to enter your value.")
    return _("Meanwhile saved as %(value)s by somebody else. Correct yours, or save again to keep it.") % {
        "value": display(variable, value)
    }


def _check_rules(questions: Questions, after: Answers, changed: Answers) -> None:
    """Refuse a save that breaks a hard rule, and say so at the values that it changed."""
    errors: dict[str, str] = {}
    for finding in broken_rules(questions, known(after), Level.HARD):
        for name in finding.variables:
            if name in changed:
                errors.setdefault(name, finding.sentence)
    if errors:
        raise FormErrors(errors)


def store(
    *, actor: User, form: CrfForm, questions: Questions, changed: Answers, reason: str,
    typed: Mapping[str, str] = _NONE, action: str = "save_form",
) -> None:  # fmt: skip
    """Write changed answers of a locked form: the events, the form, the trail, and what follows from a save."""
    now = timezone.now()
    before = form.answers
    after = without_blanks({**before, **changed})
    form.values, form.missing = known(after), reasons(after)
    form.version += 1
    form.dictionary_version = load_dictionary().id
    form.is_complete = completeness(questions, after).is_complete
    form.updated_at = now
    form.save(update_fields=["values", "missing", "version", "dictionary_version", "is_complete", "updated_at"])
    values, absent = known(changed), reasons(changed)
    rows = CrfValue.objects.bulk_create(
        CrfValue(
            form=form, variable=name, value=values.get(name), missing=absent.get(name, ""),
            as_typed=typed.get(name, ""), form_version=form.version, dictionary_version=form.dictionary_version,
            recorded_at=now, recorded_by=actor, reason=reason,
        )
        for name in changed
    )  # fmt: skip
    record(
        actor=actor, action=action, target=form, center=form.patient.center,
        changes={name: [as_data(before.get(name)), as_data(answer)] for name, answer in changed.items()},
        reason=reason, rows=rows, at=now,
    )  # fmt: skip
    # What a new version of the dictionary moves is nobody's correction: it answers no query of a person.
    follow_save(actor=actor, form=form, changed=changed if action == "save_form" else ())
    compare_again(actor=actor, form=form)
    announce(form.patient)
