"""Signing, withdrawing, locking and unlocking: each one row that stays, under the row lock of its form."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from apps.accounts.access import require
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.core.errors import Conflict, Refusal
from apps.crf.double_entry.selectors import refuse_if_unreconciled
from apps.crf.models import CrfForm, FormAct, Meaning, Part, Signature
from apps.crf.selectors import outcome_of
from apps.crf.services import REASON_LENGTH
from apps.crf.signatures.content import digest_of_values, events_of, touching, variables_of
from apps.crf.signatures.locks import lock_of
from apps.crf.signatures.password import confirm_person
from apps.crf.signatures.selectors import has_signed_outcome, signatures_of
from apps.crf.values import RefusedValueError, clean_text

SIGNING = {Part.FORM: Permission.SIGN_FORMS, Part.OUTCOME: Permission.SIGN_OUTCOME}


def meanings_for(actor: User, form: CrfForm, part: Part) -> list[Meaning]:
    """Return what the actor can state: nobody who may have seen a prognosis signs as blinded."""
    if part == Part.FORM:
        return [Meaning.CHECKED, Meaning.REVIEWED, Meaning.APPROVED]
    return [Meaning.ASSESSED_UNBLINDED if has_signed_outcome(actor, form.patient) else Meaning.ASSESSED_BLINDED]


@sensitive_variables("password")
def sign_form(
    *, actor: User, form: CrfForm, part: Part, meaning: str, read_version: int, username: str, password: str
) -> Signature:
    """Sign a form, or its outcome alone, as it stood in the version that the actor has read.

    Raises Http404 for an actor who may not, and Refusal: user name or password is not his (`wrong_password`,
    `too_many_failures`, `no_password`), nothing to sign, another meaning, the values changed since, signed already.
    """
    require(actor, SIGNING[part], form.patient.center)
    if part == Part.OUTCOME and not form.place.is_main:
        raise Refusal("part", _("The outcome that is signed alone is the one at discharge, on the main form."))
    if form.version == 0:
        raise Refusal("nothing_to_sign", _("Nothing has been entered yet. Enter the values, save, and sign then."))
    confirm_person(actor=actor, username=username, password=password, form=form)
    with transaction.atomic():
        return _sign(actor, _locked_row(form), part, meaning, read_version)


def _sign(actor: User, form: CrfForm, part: Part, meaning: str, read_version: int) -> Signature:
    refuse_if_unreconciled(form)
    events, variables = events_of(form), variables_of(part)
    if meaning not in meanings_for(actor, form, part):
        raise Refusal("meaning", _("You can't sign with this meaning. Open the page again and choose one of it."))
    if part == Part.OUTCOME and outcome_of(form.values) is None:
        raise Refusal("nothing_to_sign", _("The outcome has not been entered yet. Enter it, save, and sign then."))
    if read_version > form.version or any(e.form_version > read_version for e in touching(events, variables)):
        raise Conflict("form_changed", _("The values changed since you read them. Read them again, and sign then."))
    signed = [each for each in signatures_of(form) if each.is_valid and each.signature.part == part]
    if any(each.signature.signer_id == actor.pk and each.signature.meaning == meaning for each in signed):
        raise Conflict("signed_already", _("You have signed these values with this meaning already."))
    signature = Signature.objects.create(
        form=form, form_version=form.version, part=part, variables=variables, signer=actor, meaning=meaning,
        digest=digest_of_values(form, events, variables, form.answers), printed_name=actor.full_name or actor.username,
    )  # fmt: skip
    record(
        actor=actor, action="sign_outcome" if part == Part.OUTCOME else "sign_form", target=form,
        center=form.patient.center, rows=[signature], at=signature.signed_at,
        changes={"meaning": [None, meaning], "version": [None, form.version], "digest": [None, signature.digest]},
    )  # fmt: skip
    return signature


@transaction.atomic
def withdraw_signature(*, actor: User, signature: Signature, reason: str) -> None:
    """Withdraw one's own signature, and say why."""
    if signature.signer_id != actor.pk:
        raise Http404
    form = _locked_row(signature.form)
    why = _read_reason(reason)
    if not any(each.signature == signature and each.is_valid for each in signatures_of(form)):
        raise Conflict("signature_void", _("This signature is void already."))
    _act(actor, form, FormAct.Kind.WITHDRAW, "withdraw_signature", reason=why, voids=[signature.pk])


@transaction.atomic
def lock_form(*, actor: User, form: CrfForm) -> None:
    """Lock a form: no value of it can be saved until it is unlocked."""
    require(actor, Permission.LOCK_FORMS, form.patient.center)
    if form.version == 0:
        raise Conflict("nothing_to_lock", _("Nothing has been entered yet, so there is nothing to lock."))
    form = _locked_row(form)
    if lock_of(form) is not None:
        raise Conflict("form_locked", _("The form is locked already."))
    refuse_if_unreconciled(form)
    _act(actor, form, FormAct.Kind.LOCK, "lock_form")


@transaction.atomic
def unlock_form(*, actor: User, form: CrfForm, reason: str) -> None:
    """Unlock a form, and say why. It voids the signatures over the whole form; those over the outcome stay."""
    require(actor, Permission.LOCK_FORMS, form.patient.center)
    why = _read_reason(reason)
    form = form if form.pk is None else _locked_row(form)
    if lock_of(form) is None:
        raise Conflict("form_open", _("The form is not locked."))
    voids = [each.signature.pk for each in signatures_of(form) if each.is_valid and each.signature.part == Part.FORM]
    _act(actor, form, FormAct.Kind.UNLOCK, "unlock_form", reason=why, voids=voids)


def _act(
    actor: User, form: CrfForm, kind: FormAct.Kind, action: str, *, reason: str = "", voids: Iterable[int] = ()
) -> None:
    now: datetime = timezone.now()
    act = FormAct.objects.create(form=form, kind=kind, voids=list(voids), at=now, by=actor, reason=reason)
    changes = {"voids": [None, act.voids]} if act.voids else {}
    record(
        actor=actor, action=action, target=form, center=form.patient.center, reason=reason, rows=[act], at=now,
        changes=changes,
    )  # fmt: skip


def _locked_row(form: CrfForm) -> CrfForm:
    """Return the form anew under its row lock, which every save takes as well."""
    locked = CrfForm.objects.select_for_update().get(pk=form.pk)
    locked.patient = form.patient
    return locked


def _read_reason(reason: str) -> str:
    try:
        why = clean_text(reason, REASON_LENGTH)
    except RefusedValueError as error:
        raise Refusal("form_reason", str(error)) from error
    if not why:
        raise Refusal("form_reason", _("Say why; nothing has been done yet."))
    return why
