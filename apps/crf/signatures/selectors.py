"""Reading what was signed of a form: is each signature valid, and if not, why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.audit.words import shown_reason
from apps.crf.models import CrfForm, CrfValue, FormAct, Meaning, Part, Signature
from apps.crf.signatures.content import digest_of_values, events_of, touching
from apps.crf.signatures.locks import lock_of
from apps.crf.versions.past import variable_named
from apps.patients.models import Patient


@dataclass(frozen=True)
class ShownSignature:
    """A signature with the sentence why it is void ("" while it is valid), and what else a reader must know."""

    signature: Signature
    void: str
    notes: tuple[str, ...] = ()

    @property
    def is_valid(self) -> bool:
        return not self.void


@dataclass(frozen=True)
class FormState:
    """Is a form locked, and what was signed of it, the oldest first."""

    lock: FormAct | None
    signatures: tuple[ShownSignature, ...]


def state_of(form: CrfForm) -> FormState:
    """Return lock and signatures of a form; one that nobody has saved yet has neither."""
    return FormState(lock_of(form), signatures_of(form))


def signatures_of(form: CrfForm) -> tuple[ShownSignature, ...]:
    """Return what was signed of a form, the oldest first; the same few queries however much there is."""
    signed = list(form.signatures.select_related("signer").order_by("pk")) if form.pk else []
    if not signed:
        return ()
    events = events_of(form)
    acts = list(form.acts.select_related("by").order_by("pk"))
    voided = {key: act for act in reversed(acts) for key in act.voids}
    ends = blinding_ends(form.patient)
    return tuple(_shown(form, each, events, voided.get(each.pk), ends) for each in signed)


def blinding_ends(patient: Patient) -> dict[int, datetime]:
    """Return since when each person who has signed the patient's outcome is no longer blinded."""
    first: dict[int, datetime] = {}
    found = Signature.objects.filter(form__patient=patient, part=Part.OUTCOME).order_by("pk")
    for signer, at in found.values_list("signer_id", "signed_at"):
        first.setdefault(signer, at)
    return first


def has_signed_outcome(person: User, patient: Patient) -> bool:
    """Say whether a person has signed the patient's outcome, be it void by now: what he saw since, he has seen."""
    return bool(patients_unblinded(person, [patient]))


def patients_unblinded(person: User, patients: list[Patient]) -> set[int]:
    """Return the keys of the patients to whose scores and predictions an assessor is no longer blinded."""
    found = Signature.objects.filter(signer=person, part=Part.OUTCOME, form__patient__in=patients)
    return set(found.values_list("form__patient_id", flat=True))


def _shown(
    form: CrfForm, signature: Signature, events: Sequence[CrfValue], act: FormAct | None, ends: dict[int, datetime]
) -> ShownSignature:
    changes = [e for e in touching(events, signature.variables) if e.form_version > signature.form_version]
    notes = []
    if signature.meaning == Meaning.ASSESSED_BLINDED:
        notes.append(
            _("%(name)s has not been blinded to this patient's scores and predictions since %(at)s UTC.")
            % {"name": signature.printed_name, "at": _moment(signature.signed_at)}
        )
    if signature.part == Part.OUTCOME:
        notes += _unblinded_changes(changes, ends)
    return ShownSignature(signature, _void(form, signature, events, changes, act), tuple(notes))


def _void(
    form: CrfForm, signature: Signature, events: Sequence[CrfValue], changes: Sequence[CrfValue], act: FormAct | None
) -> str:
    """Say why a signature is void: by what came first; "" for one whose digest is that of the present values."""
    if act is not None:  # only what is valid is withdrawn, so this came before any change
        told = {"name": act.by.full_name, "at": _moment(act.at), "reason": shown_reason(act.reason)}
        if act.kind == FormAct.Kind.UNLOCK:
            return _("Void: the form was unlocked by %(name)s, %(at)s UTC: %(reason)s") % told
        return _("Withdrawn by %(name)s, %(at)s UTC: %(reason)s") % told
    if changes:
        first = [change for change in changes if change.form_version == changes[0].form_version]
        return _("Void: %(labels)s changed by %(name)s, %(at)s UTC.") % {
            "labels": ", ".join(_label(change.variable) for change in first),
            "name": first[0].recorded_by.full_name, "at": _moment(first[0].recorded_at),
        }  # fmt: skip
    if digest_of_values(form, events, signature.variables, form.answers) != signature.digest:
        return _("Void: the values are not those that were signed. Tell the administrator.")
    return ""


def _unblinded_changes(changes: Sequence[CrfValue], ends: dict[int, datetime]) -> list[str]:
    """Say who changed the outcome after he could have seen the prognosis."""
    told = {}
    for change in changes:
        end = ends.get(change.recorded_by_id)
        if end is not None and end <= change.recorded_at:
            told[change.form_version] = _("%(name)s changed the outcome, %(at)s UTC, when no longer blinded.") % {
                "name": change.recorded_by.full_name, "at": _moment(change.recorded_at),
            }  # fmt: skip
    return list(told.values())


def _label(variable: str) -> str:
    known = variable_named(variable)
    return str(known.label) if known else variable


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
