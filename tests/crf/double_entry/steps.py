"""Steps of a double entry, for tests: who enters what."""

from __future__ import annotations

from typing import Any

from apps.accounts.models import Center, Membership, User
from apps.accounts.policy import Role
from apps.crf.double_entry import services
from apps.crf.double_entry.models import SecondEntry
from apps.crf.double_entry.reconciling import Choice, reconcile
from apps.crf.models import CrfForm
from apps.crf.places import MAIN_PLACE, Place
from apps.crf.selectors import form_of
from apps.crf.services import save_form
from apps.patients.models import Patient
from tests.factories import UserFactory

Users = dict[Role, User]


def colleague(center: Center, role: Role = Role.COORDINATOR, name: str = "second") -> User:
    """Return a further person of a center."""
    user = UserFactory(username=name, full_name=f"{name.title()} Person")
    Membership.objects.create(user=user, role=role, center=center)
    return user


def enter(actor: User, patient: Patient, place: Place = MAIN_PLACE, **values: Any) -> CrfForm:
    """Save values of a form the first time, or change them."""
    fresh = Patient.objects.get(pk=patient.pk)
    missing = {name: str(value[1:]) for name, value in values.items() if str(value).startswith("!")}
    typed = {name: value for name, value in values.items() if name not in missing}
    version = form_of(fresh, place).version
    return save_form(
        actor=actor, patient=fresh, read_version=version, values=typed, missing=missing, reason="typing error",
        place=place,
    ).form  # fmt: skip


def start(actor: User, form: CrfForm) -> SecondEntry:
    return services.start_second_entry(actor=actor, form=CrfForm.objects.get(pk=form.pk))


def keep(actor: User, entry: SecondEntry, **values: Any) -> SecondEntry:
    """Save values of a second entry; !unknown is a reason why there is none."""
    fresh = SecondEntry.objects.get(pk=entry.pk)
    missing = {name: str(value[1:]) for name, value in values.items() if str(value).startswith("!")}
    typed = {name: value for name, value in values.items() if name not in missing}
    return services.save_second_entry(
        actor=actor, entry=fresh, read_version=fresh.version, values=typed, missing=missing
    )


def submit(actor: User, entry: SecondEntry, **values: Any) -> SecondEntry:
    fresh = keep(actor, entry, **values)
    return services.submit_second_entry(actor=actor, entry=fresh, read_version=fresh.version)


def decide(actor: User, entry: SecondEntry, **kept: str) -> SecondEntry:
    """Reconcile: first, second, or the value that is right."""
    fresh = SecondEntry.objects.get(pk=entry.pk)
    choices = {
        name: Choice(word) if word in ("first", "second") else Choice("other", word) for name, word in kept.items()
    }
    return reconcile(actor=actor, entry=fresh, read_version=fresh.form.version, choices=choices)
