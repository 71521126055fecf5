"""Drafts: kept as typed, seen by nobody else, gone with the save, and no way around the checks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent
from apps.crf.drafts import draft_of, keep_draft
from apps.crf.models import CrfDraft, CrfForm, CrfValue
from apps.crf.places import MAIN_PLACE, Place
from apps.crf.selectors import form_of
from apps.crf.services import save_form
from apps.patients.models import Patient

pytestmark = pytest.mark.django_db
Users = dict[Role, User]
ClientAs = Callable[[User], Client]


@pytest.fixture
def page(patient: Patient) -> str:
    return f"/patients/{patient.study_id}/crf/"


def typed(patient: Patient, actor: User) -> dict[str, str] | None:
    draft = draft_of(actor, patient, MAIN_PLACE)
    return draft.typed if draft else None


def test_what_was_typed_comes_back_as_it_was_typed(
    users: Users, patient: Patient, page: str, client_as: ClientAs
) -> None:
    client = client_as(users[Role.COORDINATOR])
    answer = client.post(f"{page}draft/", {"version": "0", "age": "6O", "gcs": " 12,5", "sex": "", "reason": ""})
    assert answer.json()["kept_at"]
    assert typed(patient, users[Role.COORDINATOR]) == {"age": "6O", "gcs": " 12,5"}
    html = client.get(page).content.decode()
    assert 'value="6O"' in html and 'value=" 12,5"' in html
    assert "what you typed earlier and did not save" in html
    # No record: neither a value, nor an event, nor a form.
    assert not CrfForm.objects.exists() and not CrfValue.objects.exists() and not AuditEvent.objects.exists()


def test_nobody_else_sees_it(users: Users, patient: Patient, page: str, client_as: ClientAs) -> None:
    client_as(users[Role.COORDINATOR]).post(f"{page}draft/", {"version": "0", "age": "63"})
    other = client_as(users[Role.DATA_MANAGER])
    assert 'value="63"' not in other.get(page).content.decode()
    other.post(f"{page}draft/", {"version": "0", "age": "64"})
    other.post(f"{page}draft/discard/")
    assert typed(patient, users[Role.COORDINATOR]) == {"age": "63"}


def test_it_is_gone_with_the_save_and_stays_with_a_refusal(
    users: Users, patient: Patient, page: str, client_as: ClientAs
) -> None:
    client = client_as(users[Role.COORDINATOR])
    client.post(f"{page}draft/", {"version": "0", "age": "630"})
    assert client.post(page, {"version": "0", "age": "630"}).status_code == 422
    assert typed(patient, users[Role.COORDINATOR]) == {"age": "630"}
    assert client.post(page, {"version": "0", "age": "63"}).status_code == 302
    assert not CrfDraft.objects.exists()


def test_what_is_as_stored_is_no_draft(users: Users, patient: Patient, page: str, client_as: ClientAs) -> None:
    actor = users[Role.COORDINATOR]
    save_form(actor=actor, patient=patient, read_version=0, values={"age": 63, "ivh": True})
    client = client_as(actor)
    client.post(f"{page}draft/", {"version": "1", "age": "64", "ivh": "true"})
    assert typed(patient, actor) == {"age": "64"}
    assert client.post(f"{page}draft/", {"version": "1", "age": "63", "ivh": "true"}).json() == {"kept_at": None}
    assert not CrfDraft.objects.exists()


def test_a_draft_that_arrives_after_the_save_of_the_same_values_is_none(
    users: Users, patient: Patient, page: str, client_as: ClientAs
) -> None:
    client = client_as(users[Role.COORDINATOR])
    client.post(page, {"version": "0", "age": "63"})
    client.post(f"{page}draft/", {"version": "0", "age": "63"})
    assert not CrfDraft.objects.exists()


def test_another_persons_save_meanwhile_stays_and_the_conflict_is_told(
    users: Users, patient: Patient, page: str, client_as: ClientAs
) -> None:
    actor, other = users[Role.COORDINATOR], users[Role.DATA_MANAGER]
    save_form(actor=actor, patient=patient, read_version=0, values={"age": 63, "gcs": 9})
    client = client_as(actor)
    client.post(f"{page}draft/", {"version": "1", "age": "64", "gcs": "9"})
    save_form(actor=other, patient=patient, read_version=1, values={"age": 65, "gcs": 10}, reason="typing error")
    html = client.get(page).content.decode()
    assert 'name="version" value="1"' in html and 'value="64"' in html
    # The GCS, which the draft does not touch, is the other person's.
    assert 'id="input-gcs" value="10"' in html
    answer = client.post(page, {"version": "1", "age": "64", "gcs": "10", "reason": "typing error"})
    assert answer.status_code == 409
    assert form_of(Patient.objects.get(pk=patient.pk)).values == {"age": 65, "gcs": 10}


def test_each_form_and_visit_has_a_draft_of_its_own(users: Users, patient: Patient) -> None:
    actor = users[Role.COORDINATOR]
    places = [MAIN_PLACE, Place("laboratory"), Place("laboratory", "stay", 2), Place("follow_up", "month_3")]
    for place, name in zip(places, ["age", "lab_inr", "lab_inr", "fu_mrs"], strict=True):
        keep_draft(actor=actor, patient=patient, place=place, read_version=0, typed={name: f"{place.instance}x"})
    found = [draft_of(actor, patient, place) for place in places]
    assert [draft.typed if draft else None for draft in found] == [
        {"age": "1x"}, {"lab_inr": "1x"}, {"lab_inr": "2x"}, {"fu_mrs": "1x"},
    ]  # fmt: skip


def test_only_fields_that_the_person_may_enter_are_kept(users: Users, patient: Patient) -> None:
    values = {"age": "63", "gos_discharge": "4", "csrfmiddlewaretoken": "x", "color": "red", "reason": "source"}
    keep_draft(actor=users[Role.ASSESSOR], patient=patient, place=MAIN_PLACE, read_version=0, typed=values)
    assert typed(patient, users[Role.ASSESSOR]) == {"gos_discharge": "4", "reason": "source"}


@pytest.mark.parametrize(("version", "age"), [("1", "63"), ("0", "6" * 2001), ("x", "63"), ("0", "6\x003")])
def test_what_can_not_be_kept_gets_a_sentence(
    users: Users, page: str, client_as: ClientAs, version: str, age: str
) -> None:
    answer = client_as(users[Role.COORDINATOR]).post(f"{page}draft/", {"version": version, "age": age})
    assert answer.status_code in {400, 422}
    assert not CrfDraft.objects.exists()
