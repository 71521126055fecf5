"""Reconciling both entries of a form: one choice for each variable that differs, all at once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.access import require
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.core.errors import Conflict, Refusal
from apps.crf.double_entry.comparing import Compared, compare, differing
from apps.crf.double_entry.models import SecondEntry
from apps.crf.double_entry.services import locked_form
from apps.crf.forms import raw_texts
from apps.crf.missing import Missing, as_data
from apps.crf.models import CrfForm, CrfValue
from apps.crf.posted import MISSING, read_posted
from apps.crf.services import FormErrors, save_form

RECONCILED = "reconciled"
State = SecondEntry.State


class Kept(StrEnum):
    FIRST = "first"
    SECOND = "second"
    OTHER = "other"
    # There is no value; why, is said by a code of Missing.
    MISSING = "missing"


@dataclass(frozen=True)
class Choice:
    """Which of the answers is right, or what was typed instead of both, or why there is no value."""

    kept: str
    raw: str = ""


def persons_of(form: CrfForm, entry: SecondEntry, rows: Iterable[Compared]) -> set[int]:
    """Return who entered what stands against each other: the second person, and those of the first values."""
    names = [row.variable.name for row in rows]
    newest = dict(CrfValue.objects.filter(form=form, variable__in=names).values_list("variable", "recorded_by"))
    return {entry.entered_by_id, *newest.values()}


@transaction.atomic
def reconcile(
    *, actor: User, entry: SecondEntry, read_version: int, choices: Mapping[str, Choice], reason: str = RECONCILED
) -> SecondEntry:
    """Keep one answer for each variable that differs, through `save_form`, so that its rules and signatures hold.

    Raises Http404 for who may not reconcile there, Refusal for one of the two who entered, Conflict where a first
    value changed since version `read_version` of the form or both are reconciled, and FormErrors for what lacks a
    choice or is refused.
    """
    require(actor, Permission.RECONCILE, entry.form.patient.center)
    form = locked_form(entry.form)
    entry = SecondEntry.objects.select_for_update().get(pk=entry.pk)
    entry.form = form
    if entry.state != State.SUBMITTED:
        raise Conflict("reconciled_already", _("Both entries of this form are not open to a reconciliation any more."))
    rows = differing(compare(entry, form))
    refuse_one_of_the_two(actor, form, entry, rows)
    _refuse_if_changed(entry, form, read_version)
    _check_choices(rows, choices)
    entry.state, entry.reconciled_at, entry.reconciled_by = State.RECONCILED, timezone.now(), actor
    entry.kept = {row.variable.name: str(choices[row.variable.name].kept) for row in rows}
    entry.save(update_fields=["state", "reconciled_at", "reconciled_by", "kept"])
    _write(actor, form, rows, choices, reason)
    _record(actor, entry, rows, reason)
    return entry


def refuse_one_of_the_two(actor: User, form: CrfForm, entry: SecondEntry, rows: Iterable[Compared]) -> None:
    if actor.pk in persons_of(form, entry, rows):
        sentence = _("You entered one of the two. Ask somebody else to reconcile them.")
        raise Refusal("one_of_the_two", sentence, status=HTTPStatus.FORBIDDEN)


def _refuse_if_changed(entry: SecondEntry, form: CrfForm, read_version: int) -> None:
    later = CrfValue.objects.filter(form=form, variable__in=entry.variables, form_version__gt=read_version)
    if read_version > form.version or later.exists():
        sentence = _("A first value changed since you read them, so nothing was saved. Look again and choose then.")
        raise Conflict("form_changed", sentence)


def _check_choices(rows: list[Compared], choices: Mapping[str, Choice]) -> None:
    open_ones = {row.variable.name for row in rows}
    errors = dict.fromkeys(choices.keys() - open_ones, _("There is nothing to choose here. Load the page again."))
    for name in open_ones:
        if name not in choices or choices[name].kept not in list(Kept):
            errors[name] = _("Choose the first value, the second, or type another.")
        elif choices[name].kept == Kept.MISSING and choices[name].raw not in Missing.values:
            errors[name] = _("Say why there is no value, or choose one of the two.")
        elif choices[name].kept == Kept.OTHER and not choices[name].raw.strip():
            errors[name] = _("Type the value that is right, or choose one of the two.")
    if errors:
        raise FormErrors(errors)


def _write(actor: User, form: CrfForm, rows: list[Compared], choices: Mapping[str, Choice], reason: str) -> None:
    raw: dict[str, str] = {}
    for row in rows:
        name, choice = row.variable.name, choices[row.variable.name]
        raw |= {name: "", **_typed(row, choice)}
    posted = read_posted(raw)
    save_form(
        actor=actor, patient=form.patient, place=form.place, read_version=form.version, values=posted.values,
        missing=posted.missing, reason=reason.strip() or RECONCILED,
        also_writable=frozenset(row.variable.name for row in rows),
    )  # fmt: skip


def _typed(row: Compared, choice: Choice) -> dict[str, str]:
    """Return what the fields of the form would hold."""
    name = row.variable.name
    if choice.kept == Kept.OTHER:
        return {name: choice.raw}
    if choice.kept == Kept.MISSING:
        return {MISSING + name: choice.raw}
    return raw_texts({name: row.first if choice.kept == Kept.FIRST else row.second})


def _record(actor: User, entry: SecondEntry, rows: list[Compared], reason: str) -> None:
    final = CrfForm.objects.get(pk=entry.form_id).answers
    record(
        actor=actor, action="reconcile", target=entry, center=entry.form.patient.center, reason=reason,
        changes={
            row.variable.name: [as_data(row.first), as_data(row.second), as_data(final.get(row.variable.name))]
            for row in rows
        },
    )  # fmt: skip
