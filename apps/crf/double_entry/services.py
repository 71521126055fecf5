"""Starting, saving, submitting and giving up a second entry: each under the row lock of its form."""

from collections.abc import Mapping

from django.db import transaction
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.access import require
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.core.errors import Conflict, Refusal
from apps.crf.double_entry.asked import AskedQuestions, asked_variables, compared_variables, marked_variables
from apps.crf.double_entry.comparing import compare, differing
from apps.crf.double_entry.models import SecondEntry, SecondValue
from apps.crf.drafts import refuse_unkept
from apps.crf.forms import raw_texts
from apps.crf.missing import Answers, as_data, known, reasons
from apps.crf.models import CrfForm, CrfValue
from apps.crf.posted import variable_of
from apps.crf.rules import without_blanks
from apps.crf.selectors import questions_of
from apps.crf.services import clear_hidden, compute, parse_answers, writable_variables
from apps.crf.signatures.locks import refuse_if_locked
from apps.crf.versions.current import hold_dictionary

State = SecondEntry.State
NOTHING: Mapping[str, str] = {}


@transaction.atomic
def start_second_entry(*, actor: User, form: CrfForm) -> SecondEntry:
    """Begin to enter a form for the second time; from here on the actor sees nothing of the first entry.

    Raises Http404 for an actor who may enter none of the marked variables, FormLocked, and Refusal: nothing was
    entered a first time, the actor did it himself, somebody has entered the form a second time already.
    """
    asked = asked_of(form, actor)
    if not asked:
        raise Http404
    if form.version == 0:
        raise Conflict("nothing_to_compare", _("Nobody has entered this form yet. Enter it, and somebody else again."))
    form = locked_form(form)
    refuse_if_locked(form, {})
    marked = marked_variables(questions_of(form.place))
    if CrfValue.objects.filter(form=form, recorded_by=actor, variable__in=marked).exists():
        sentence = _("You have entered values of this form yourself. Somebody else has to enter it the second time.")
        raise Conflict("own_first_entry", sentence)
    if form.second_entries.exclude(state=State.GIVEN_UP).exists():
        raise Conflict("second_entry_exists", _("Somebody has begun a second entry of this form already."))
    entry = SecondEntry.objects.create(form=form, entered_by=actor, variables=asked)
    _record(entry, "start_second_entry", {"asked": [None, len(asked)]})
    return entry


@transaction.atomic
def save_second_entry(
    *, actor: User, entry: SecondEntry, read_version: int, values: Mapping[str, object],
    missing: Mapping[str, str] = NOTHING, units: Mapping[str, str] = NOTHING,
) -> SecondEntry:  # fmt: skip
    """Keep what was entered so far; a variable left out is not touched, a blank clears it.

    Raises FormErrors for values that are refused, as `save_form` does, and Conflict where the entry has ended or was
    saved in another window since `read_version`. Nothing is saved then.
    """
    entry = _locked_entry(actor, entry, read_version)
    questions = questions_asked(entry)
    if not set(questions.variables) <= writable_variables(actor, entry.form.patient, questions):
        raise Http404  # his role is another by now
    entered, typed = parse_answers(questions, values, missing, units)
    before = entry.answers
    after = without_blanks({**before, **entered})
    cleared = clear_hidden(questions, entered, after)
    everything: Answers = {**entered, **cleared, **compute(questions, before, entered, after)}
    changed = {name: answer for name, answer in everything.items() if before.get(name) != answer}
    if changed:
        _store(entry, changed, typed)
    if entry.typed:
        _forget_typed(entry)
    return entry


@transaction.atomic
def keep_typed(*, actor: User, entry: SecondEntry, read_version: int, typed: Mapping[str, str]) -> SecondEntry:
    """Keep what was typed and not saved, so that a crash takes nothing away; with nothing that differs there is none.

    Raises Conflict as `save_second_entry` does, and Refusal for a text that can't be kept.
    """
    entry = _locked_entry(actor, entry, read_version)
    stored = raw_texts(entry.answers)
    asked = questions_asked(entry).variables
    changed = {
        name: text for name, text in typed.items()
        if variable_of(name) in asked and text.strip() != stored.get(name, "")
    }  # fmt: skip
    refuse_unkept(changed.values())
    entry.typed, entry.typed_at = changed, timezone.now() if changed else None
    entry.save(update_fields=["typed", "typed_at"])
    return entry


@transaction.atomic
def submit_second_entry(
    *, actor: User, entry: SecondEntry, read_version: int, values: Mapping[str, object] | None = None,
    missing: Mapping[str, str] = NOTHING, units: Mapping[str, str] = NOTHING,
) -> SecondEntry:  # fmt: skip
    """Save, end the blinding and compare with the form; where all agrees, the form is reconciled by itself."""
    entry = save_second_entry(
        actor=actor, entry=entry, read_version=read_version, values=values or {}, missing=missing, units=units
    )
    compared = compared_variables(questions_of(entry.form.place), entry.variables)
    if not any(name in entry.answers for name in compared):
        raise Refusal("second_entry_empty", _("Nothing has been entered yet. Enter the values and submit them then."))
    rows = compare(entry, entry.form)
    entry.first = _first_answers(entry.form, compared)
    entry.submitted_at, entry.submitted_version = timezone.now(), entry.form.version
    entry.differences = len(differing(rows))
    entry.state = State.SUBMITTED if entry.differences else State.RECONCILED
    entry.reconciled_at = None if entry.differences else entry.submitted_at
    entry.save()
    _record(entry, "submit_second_entry", {"differences": [None, entry.differences]})
    return entry


@transaction.atomic
def give_up_second_entry(*, actor: User, entry: SecondEntry) -> None:
    """End a second entry without a comparison: one's own, or, who locks forms, one that its author has left behind.

    What was entered stays in its history.
    """
    if entry.entered_by_id != actor.pk:
        require(actor, Permission.LOCK_FORMS, entry.form.patient.center)
    entry = _locked_entry(entry.entered_by, entry)
    entry.state = State.GIVEN_UP
    entry.save(update_fields=["state"])
    _forget_typed(entry)
    record(actor=actor, action="give_up_second_entry", target=entry, center=entry.form.patient.center)


def asked_of(form: CrfForm, actor: User) -> list[str]:
    """Return what the actor would be asked on this form."""
    questions = questions_of(form.place)
    return asked_variables(questions, writable_variables(actor, form.patient, questions))


def questions_asked(entry: SecondEntry) -> AskedQuestions:
    return AskedQuestions(questions_of(entry.form.place), entry.variables)


def locked_form(form: CrfForm) -> CrfForm:
    """Return the form anew under its row lock, which every save takes as well."""
    hold_dictionary()
    locked = CrfForm.objects.select_for_update().get(pk=form.pk)
    locked.patient = form.patient
    return locked


def _forget_typed(entry: SecondEntry) -> None:
    entry.typed, entry.typed_at = {}, None
    entry.save(update_fields=["typed", "typed_at"])


def _locked_entry(actor: User, entry: SecondEntry, read_version: int | None = None) -> SecondEntry:
    """Return the actor's own entry anew while it is open, as he read it; its form is locked first, as everywhere."""
    form = locked_form(entry.form)
    found = SecondEntry.objects.select_for_update().get(pk=entry.pk)
    if found.entered_by_id != actor.pk:
        raise Http404
    if found.state != State.OPEN:
        sentence = _("This second entry is %(state)s by now, so nothing was saved.")
        raise Conflict("second_entry_ended", sentence % {"state": found.get_state_display()})
    if read_version not in (None, found.version):
        sentence = _("You saved this second entry in another window meanwhile. Check what you typed and save again.")
        raise Conflict("second_entry_changed", sentence)
    found.form, found.entered_by = form, actor
    return found


def _store(entry: SecondEntry, changed: Answers, typed: Mapping[str, str]) -> None:
    now = timezone.now()
    after = without_blanks({**entry.answers, **changed})
    entry.values, entry.missing = known(after), reasons(after)
    entry.version += 1
    entry.save(update_fields=["values", "missing", "version"])
    values, absent = known(changed), reasons(changed)
    rows = SecondValue.objects.bulk_create(
        SecondValue(
            entry=entry, variable=name, value=values.get(name), missing=absent.get(name, ""),
            as_typed=typed.get(name, ""), entry_version=entry.version, recorded_at=now,
        )
        for name in changed
    )  # fmt: skip
    record(
        actor=entry.entered_by, action="save_second_entry", target=entry, center=entry.form.patient.center,
        changes={"values": [None, len(rows)]}, rows=rows, at=now,
    )  # fmt: skip


def _first_answers(form: CrfForm, compared: list[str]) -> dict[str, list[object]]:
    """Return the form's answers as they are now, each with the key of who entered it."""
    events = CrfValue.objects.filter(form=form, variable__in=compared).values_list("variable", "recorded_by")
    by = dict(events)
    return {name: [as_data(form.answers.get(name)), by.get(name)] for name in compared}


def _record(entry: SecondEntry, action: str, changes: Mapping[str, object]) -> None:
    record(actor=entry.entered_by, action=action, target=entry, center=entry.form.patient.center, changes=changes)
