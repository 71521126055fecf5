"""The pages of double entry: what each shows, refuses and costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.crf.double_entry.models import SecondEntry
from apps.crf.models import CrfForm
from apps.crf.places import Place
from apps.patients.models import Patient
from tests.crf.double_entry.steps import Users, colleague, enter, start, submit
from tests.factories import PatientFactory

pytestmark = pytest.mark.django_db
ClientAs = Callable[[User], Client]


@pytest.fixture
def second(two_centers: tuple[Center, Center]) -> User:
    return colleague(two_centers[0])


@pytest.fixture
def form(users: Users, patient: Patient) -> CrfForm:
    return enter(users[Role.COORDINATOR], patient, age=60, sex="male", gcs=12)


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def test_from_the_worklist_to_the_reconciled_form(
    users: Users, second: User, form: CrfForm, client_as: ClientAs
) -> None:
    client, address = client_as(second), f"/patients/{form.patient}/crf/"
    assert "entered once" in text_of(client.get(address))
    assert str(form.patient) in text_of(client.get("/double-entry/"))
    begun = client.post(f"{address}second-entry/")
    entry = SecondEntry.objects.get()
    assert begun["Location"] == f"/double-entry/{entry.pk}/"
    page = text_of(client.get(begun["Location"]))
    assert 'name="age"' in page and 'value="60"' not in page and 'name="lab_crp"' not in page
    refused = client.post(f"/double-entry/{entry.pk}/submit/", {"version": "0", "age": "600", "sex": "male"})
    assert refused.status_code == 422 and 'value="600"' in text_of(refused)
    client.post(f"/double-entry/{entry.pk}/", {"version": "0", "age": "61"})
    stale = client.post(f"/double-entry/{entry.pk}/submit/", {"version": "0", "age": "62"})
    assert stale.status_code == 409 and 'name="version" value="1"' in text_of(stale)
    client.post(f"/double-entry/{entry.pk}/submit/", {"version": "1", "age": "61", "sex": "male", "gcs": "12"})
    assert "1 difference of" in text_of(client.get(address))
    manager = client_as(users[Role.DATA_MANAGER])
    assert "To be reconciled" in text_of(manager.get("/double-entry/reconcile/"))
    both = text_of(manager.get(f"/double-entry/{entry.pk}/reconcile/"))
    assert "60 years" in both and "61 years" in both and users[Role.COORDINATOR].full_name in both
    wrong = manager.post(f"/double-entry/{entry.pk}/reconcile/", {"version": "1"})
    assert wrong.status_code == 422 and "Choose the first value" in text_of(wrong)
    done = manager.post(
        f"/double-entry/{entry.pk}/reconcile/", {"version": "1", "choice-age": "other", "other-age": "62"}
    )
    assert done["Location"] == "/double-entry/reconcile/"
    form.refresh_from_db()
    assert form.values["age"] == 62
    assert "reconciled (" in text_of(manager.get(address))
    again = manager.post(f"/double-entry/{entry.pk}/reconcile/", {"version": "1", "choice-age": "first"})
    assert again.status_code == 409


def test_a_first_value_that_changed_is_said(users: Users, second: User, form: CrfForm, client_as: ClientAs) -> None:
    entry = submit(second, start(second, form), age=61, sex="male", gcs=12)
    enter(users[Role.COORDINATOR], form.patient, age=59)
    manager = client_as(users[Role.DATA_MANAGER])
    assert "first value changed" in text_of(manager.get(f"/double-entry/{entry.pk}/reconcile/"))
    late = manager.post(f"/double-entry/{entry.pk}/reconcile/", {"version": "1", "choice-age": "first"})
    assert late.status_code == 409 and "59 years" in text_of(late)


def test_one_of_the_two_is_told_so(users: Users, second: User, form: CrfForm, client_as: ClientAs) -> None:
    entry = submit(second, start(second, form), age=61)
    page = text_of(client_as(second).get(f"/double-entry/{entry.pk}/reconcile/"))
    assert "You entered one of the two" in page and "data-pair disabled" in page


def test_the_patient_page_tells_where_each_form_stands(
    users: Users, second: User, form: CrfForm, client_as: ClientAs
) -> None:
    visit = enter(users[Role.COORDINATOR], form.patient, Place("follow_up", "month_3"), fu_status="alive", fu_mrs=2)
    manager, address = client_as(users[Role.DATA_MANAGER]), f"/patients/{form.patient}/"
    assert "entered once" in text_of(manager.get(address))
    entry = start(second, visit)
    assert "second entry under way" in text_of(manager.get(address))
    submit(second, entry, fu_status="alive", fu_mrs=3)
    assert "1 difference of 2" in text_of(manager.get(address))


@pytest.mark.parametrize("address", ["/double-entry/", "/double-entry/reconcile/"])
def test_a_worklist_costs_the_same_with_more_forms(
    address: str, users: Users, second: User, form: CrfForm, client_as: ClientAs, two_centers: tuple[Center, Center],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:  # fmt: skip
    def add() -> None:
        for _ in range(2):
            row = enter(users[Role.COORDINATOR], PatientFactory(center=two_centers[0]), age=60)
            submit(second, start(second, row), age=61)
            enter(users[Role.COORDINATOR], PatientFactory(center=two_centers[0]), age=60)

    add()
    client = client_as(users[Role.DATA_MANAGER])
    client.get(address)
    with CaptureQueriesContext(connection) as few:
        client.get(address)
    add()
    with django_assert_num_queries(len(few)):
        page = client.get(address)
    assert text_of(page).count("Case report form") >= 4


def test_the_worklist_leaves_out_what_others_do_and_other_centers(
    users: Users, second: User, form: CrfForm, foreign_patient: Patient, foreign_coordinator: User, client_as: ClientAs
) -> None:  # fmt: skip
    enter(foreign_coordinator, foreign_patient, age=50)
    page = text_of(client_as(second).get("/double-entry/"))
    assert str(form.patient) in page and str(foreign_patient) not in page
    assert str(form.patient) not in text_of(client_as(users[Role.COORDINATOR]).get("/double-entry/"))
    manager = client_as(users[Role.DATA_MANAGER])
    assert str(foreign_patient) not in text_of(manager.get("/double-entry/?center=C1"))
    start(second, form)
    assert str(form.patient) not in text_of(manager.get("/double-entry/"))


def test_a_reconciliation_may_say_that_there_is_no_value(
    users: Users, second: User, form: CrfForm, client_as: ClientAs
) -> None:
    entry = submit(second, start(second, form), age=61, sex="male", gcs=12)
    manager, address = client_as(users[Role.DATA_MANAGER]), f"/double-entry/{entry.pk}/reconcile/"
    for why in ("", "lost"):
        refused = manager.post(address, {"version": "1", "choice-age": "missing", "why-age": why})
        assert refused.status_code == 422 and "Say why there is no value" in text_of(refused)
    assert manager.post(address, {"version": "1", "choice-age": "missing", "why-age": "unknown"}).status_code == 302
    form.refresh_from_db()
    assert (form.values.get("age"), form.missing) == (None, {"age": "unknown"})
    entry.refresh_from_db()
    assert entry.kept == {"age": "missing"}


def test_what_is_typed_into_a_second_entry_survives_a_crash(
    users: Users, second: User, form: CrfForm, client_as: ClientAs
) -> None:
    client, entry = client_as(second), start(second, form)
    address = f"/double-entry/{entry.pk}/"
    typed = {"version": "0", "age": "6", "sex": "", "missing-gcs": "unknown", "nobody": "x"}
    assert client.post(f"{address}typed/", typed).json()["kept_at"]
    entry.refresh_from_db()
    assert (entry.typed, entry.version, entry.events.count()) == ({"age": "6", "missing-gcs": "unknown"}, 0, 0)
    page = text_of(client.get(address))
    assert "what you typed earlier" in page and 'value="6"' in page
    # Nobody else, and no page of the form, tells any of it.
    assert client_as(users[Role.DATA_MANAGER]).post(f"{address}typed/", typed).status_code == 404
    assert client.post(f"{address}typed/", {"version": "0"}).json() == {"kept_at": None}
    assert client.post(f"{address}typed/", {"version": "0", "age": "x" * 3000}).status_code == 422
    client.post(f"{address}typed/", typed)
    client.post(address, {"version": "0", "age": "61"})
    entry.refresh_from_db()
    assert (entry.typed, entry.typed_at, entry.values) == ({}, None, {"age": 61})
    assert client.post(f"{address}typed/", typed).status_code == 409, "typed in a window that is behind"
