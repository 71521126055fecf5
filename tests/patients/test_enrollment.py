"""Enrollment: study ids without gaps or doubles, the trail, and the forms through which it is done."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.http import Http404

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent
from apps.patients.models import Patient
from apps.patients.services import enroll_patient
from tests.factories import CenterFactory, PatientFactory, user_with


@pytest.mark.django_db
def test_study_ids_count_up_in_each_center_by_itself(two_centers: tuple[Center, Center]) -> None:
    ids = []
    for center in (*two_centers, two_centers[0]):
        coordinator = User.objects.filter(memberships__center=center).first() or user_with(Role.COORDINATOR, center)
        ids.append(enroll_patient(actor=coordinator, center=center).study_id)
    assert ids == ["C1-0001", "C2-0001", "C1-0002"]


@pytest.mark.django_db
def test_enrollment_is_in_the_trail(users: dict[Role, User], two_centers: tuple[Center, Center]) -> None:
    patient = enroll_patient(actor=users[Role.COORDINATOR], center=two_centers[0])
    event = AuditEvent.objects.get()
    assert (event.actor, event.action, event.object_id) == (users[Role.COORDINATOR], "enroll", str(patient.pk))
    assert event.center == two_centers[0]


@pytest.mark.django_db(transaction=True)
def test_patient_number_and_trail_are_written_together_or_not_at_all() -> None:
    """A patient with the next id is there already, so the row is refused; number and trail must go back with it."""
    center = CenterFactory(code="C1")
    coordinator = user_with(Role.COORDINATOR, center)
    PatientFactory(study_id="C1-0001", center=center, enrolled_by=coordinator)
    with pytest.raises(IntegrityError):
        enroll_patient(actor=coordinator, center=center)
    center.refresh_from_db()
    assert center.last_patient_number == 0
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_enrollments_at_the_same_moment_get_different_ids() -> None:
    center = CenterFactory(code="C1")
    coordinator = user_with(Role.COORDINATOR, center)
    ids: list[str] = []
    errors: list[Exception] = []
    start = threading.Barrier(4)

    def enroll() -> None:
        try:
            start.wait()
            for _ in range(5):
                ids.append(enroll_patient(actor=coordinator, center=center).study_id)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=enroll) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(ids) == [f"C1-{n:04d}" for n in range(1, 21)]
    assert AuditEvent.objects.count() == 20


@pytest.mark.django_db
@pytest.mark.parametrize("role", [role for role in Role if role is not Role.COORDINATOR])
def test_nobody_else_enrolls(role: Role, users: dict[Role, User], two_centers: tuple[Center, Center]) -> None:
    with pytest.raises(Http404), transaction.atomic():
        enroll_patient(actor=users[role], center=two_centers[0])
    assert not Patient.objects.exists()


@pytest.mark.django_db
class TestDoors:
    def test_the_page_opens_the_new_patient(self, users: dict[Role, User], client_as: Any) -> None:
        client = client_as(users[Role.COORDINATOR])
        center = Center.objects.get(code="C1")
        answer = client.post("/patients/enroll/", {"center": center.pk}, follow=True)
        assert answer.redirect_chain == [("/patients/C1-0001/", 302)]
        assert b"Enrolled as C1-0001" in answer.content

    def test_a_foreign_center_is_no_choice(
        self, users: dict[Role, User], two_centers: tuple[Center, Center], client_as: Any, api_as: Any
    ) -> None:
        coordinator = users[Role.COORDINATOR]
        page = client_as(coordinator).post("/patients/enroll/", {"center": two_centers[1].pk})
        assert page.status_code == 200
        assert page.context["form"].errors["center"]
        assert api_as(coordinator).post("/api/v1/patients/", {"center": "C2"}, format="json").status_code == 404
        assert not Patient.objects.exists()

    def test_the_api_returns_the_new_patient(self, users: dict[Role, User], api_as: Any) -> None:
        answer = api_as(users[Role.COORDINATOR]).post("/api/v1/patients/", {"center": "C1"}, format="json")
        assert answer.status_code == 201
        assert (answer.json()["study_id"], answer.json()["center"]) == ("C1-0001", "C1")

    @pytest.mark.parametrize("center", [None, "", "C9", "C1\x00", "x" * 500, 7, {"a": 1}, ["C1"]])
    def test_the_api_refuses_other_centers(self, center: Any, users: dict[Role, User], api_as: Any) -> None:
        answer = api_as(users[Role.COORDINATOR]).post("/api/v1/patients/", {"center": center}, format="json")
        assert answer.status_code in {400, 404}
        assert not Patient.objects.exists()

    def test_no_field_asks_for_identity(self, users: dict[Role, User], client_as: Any) -> None:
        page = client_as(users[Role.COORDINATOR]).get("/patients/enroll/").content.decode()
        form = page[page.index("<main") : page.index("</main>")]
        names = set(re.findall(r'<(?:input|select|textarea)[^>]* name="([^"]+)"', form))
        assert names == {"csrfmiddlewaretoken", "center"}
