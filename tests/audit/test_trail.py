"""The trail: only ever added to, only together with its change, and read by those who may."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import transaction

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent
from apps.audit.selectors import events_visible_to
from apps.audit.services import record
from apps.patients.models import Patient
from tests.factories import UserFactory, user_with


def add(center: Center | None, target: Patient) -> AuditEvent:
    with transaction.atomic():
        return record(actor=target.enrolled_by, action="test", target=target, center=center, changes={"x": [None, 1]})


@pytest.mark.django_db(transaction=True)
def test_an_event_outside_a_transaction_is_a_mistake_of_the_program() -> None:
    user = UserFactory()
    with pytest.raises(RuntimeError, match="transaction"):
        record(actor=user, action="test", target=user)
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_event_goes_with_its_change() -> None:
    user = UserFactory()
    with pytest.raises(KeyError), transaction.atomic():
        record(actor=user, action="test", target=user)
        raise KeyError
    assert not AuditEvent.objects.exists()


def test_an_event_says_who_did_what_to_which_object(patient: Patient) -> None:
    event = AuditEvent.objects.get(pk=add(patient.center, patient).pk)
    assert (event.actor, event.action, event.object_type) == (patient.enrolled_by, "test", "patients.patient")
    assert (event.object_id, event.center, event.changes) == (str(patient.pk), patient.center, {"x": [None, 1]})
    assert str(patient) not in str(event)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda event: event.save(),
        lambda event: event.delete(),
        lambda event: AuditEvent.objects.filter(pk=event.pk).update(action="other"),
        lambda event: AuditEvent.objects.all().delete(),
        lambda event: AuditEvent.objects.bulk_update([event], ["action"]),
        lambda event: AuditEvent.objects.update_or_create(pk=event.pk, defaults={"action": "other"}),
        lambda event: event.actor.delete(),
    ],
    ids=["save", "delete", "update", "delete all", "bulk_update", "update_or_create", "delete the actor"],
)
def test_nothing_changes_an_event(patient: Patient, tamper: Callable[[AuditEvent], object]) -> None:
    event = add(patient.center, patient)
    event.action = "tampered"
    with pytest.raises(Exception, match=r"never|protected"), transaction.atomic():
        tamper(event)
    assert AuditEvent.objects.get(pk=event.pk).action == "test"


def test_the_trail_is_read_by_center(
    patient: Patient, foreign_patient: Patient, users: dict[Role, User], two_centers: tuple[Center, Center]
) -> None:
    own, foreign, study = add(patient.center, patient), add(foreign_patient.center, foreign_patient), add(None, patient)
    monitor_of_one = user_with(Role.MONITOR, two_centers[1], everywhere=False)
    assert set(events_visible_to(users[Role.MONITOR])) == {own, foreign, study}
    assert set(events_visible_to(monitor_of_one)) == {foreign}
    readers = {role for role, user in users.items() if events_visible_to(user).exists()}
    assert readers == {Role.DATA_MANAGER, Role.PI, Role.MONITOR}
