"""Whoever enters a form for the second time finds no first value anywhere, and nobody finds his before he submits.

The same addresses as a colleague of the same role reads them show that the values would be found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from django.test import Client

from apps.accounts.models import Center, User
from apps.accounts.policy import Permission, Role
from apps.cohorts.exports.services import request_export
from apps.core.errors import Conflict
from apps.crf.double_entry import services
from apps.crf.double_entry.models import SecondEntry
from apps.crf.drafts import keep_draft
from apps.crf.models import CrfForm, Query
from apps.crf.places import MAIN_PLACE
from apps.crf.queries.services import open_queries, open_query
from apps.crf.selectors import form_of
from apps.crf.services import save_form
from apps.patients.blinding import may
from apps.patients.models import Patient
from tests.crf.double_entry.steps import Users, colleague, enter, keep, start, submit
from tests.predictions.test_blinding import crawl

pytestmark = pytest.mark.django_db
# What no page has by chance (a time of day has no second 70): hours, a date, the due date of the visit that follows
# from it, and a text.
FIRST = {"admission_date": "2017-03-19", "onset_to_ct_hours": "70.93", "outcome_assessor": "QZX-9917", "age": 83}
MARKS = ("2017-03-19", "2017-06-19", "70.93", "QZX-9917")
SECOND_MARKS = ("68.74", "2016-02-28")


@pytest.fixture
def blinded(two_centers: tuple[Center, Center]) -> User:
    return colleague(two_centers[0], Role.DATA_MANAGER, "blinded")


@pytest.fixture
def form(users: Users, patient: Patient) -> CrfForm:
    form = enter(users[Role.COORDINATOR], patient, sex="male", **FIRST)
    enter(users[Role.COORDINATOR], patient, onset_to_ct_hours="70.95")
    form = enter(users[Role.COORDINATOR], patient, onset_to_ct_hours="70.93")
    open_query(actor=users[Role.DATA_MANAGER], patient=patient, variable="onset_to_ct_hours", text="So late?")
    return form


def read(client: Client, addresses: Iterable[str]) -> dict[str, str]:
    """Return what each address answers, refusals too."""
    found = {}
    for address in addresses:
        answer = client.get(address, follow=True)
        found[address] = answer.getvalue().decode(errors="replace")
    return found


def telling(answers: dict[str, str], marks: tuple[str, ...]) -> dict[str, list[str]]:
    told = {address: [mark for mark in marks if mark in text] for address, text in answers.items()}
    return {address: found for address, found in told.items() if found}


def addresses_of(client: Client, patient: Patient) -> list[str]:
    more = ["/audit/download/", "/patients/?sort=age", f"/patients/{patient}/crf/history/onset_to_ct_hours/"]
    # The crawler knows no keys, and of a query's address in the API no page has a link.
    more += [f"/api/v1/queries/{key}/" for key in Query.objects.values_list("pk", flat=True)]
    return [*crawl(client, [patient]), *more]


def test_a_crawler_finds_no_first_value(
    users: Users, blinded: User, patient: Patient, form: CrfForm, client_as: Callable[[User], Client]
) -> None:
    open_eyes = client_as(users[Role.DATA_MANAGER])
    addresses = addresses_of(open_eyes, patient)
    seen = telling(read(open_eyes, addresses), MARKS)
    query = Query.objects.get()
    own, api = f"/patients/{patient}/", f"/api/v1/patients/{patient}/"
    assert {own, f"{own}crf/", f"{own}crf/history/onset_to_ct_hours/", f"{api}crf/", f"{api}forms/", "/audit/"} <= set(
        seen
    )
    assert {f"/queries/{query.pk}/", f"/api/v1/queries/{query.pk}/", "/api/v1/audit/", "/audit/download/"} <= set(seen)
    assert telling(read(client_as(blinded), addresses), MARKS), "before he starts he sees them"
    entry = start(blinded, form)
    client = client_as(blinded)
    assert telling(read(client, [*addresses, *crawl(client, [patient])]), MARKS) == {}
    assert "are left out until you submit" in read(client, ["/audit/"])["/audit/"]
    assert (
        services.submit_second_entry(actor=blinded, entry=keep(blinded, entry, age=83), read_version=1).differences > 0
    )
    assert set(telling(read(client, addresses), MARKS)) >= set(seen)


def test_nobody_finds_a_second_value_before_it_is_submitted(
    users: Users, blinded: User, patient: Patient, form: CrfForm, client_as: Callable[[User], Client]
) -> None:
    entry = keep(blinded, start(blinded, form), onset_to_ct_hours="68.74", admission_date="2016-02-28")
    for role in (Role.COORDINATOR, Role.DATA_MANAGER, Role.PI, Role.MONITOR):
        client = client_as(users[role])
        addresses = [
            *addresses_of(client, patient),
            f"/double-entry/{entry.pk}/",
            f"/double-entry/{entry.pk}/reconcile/",
        ]
        assert telling(read(client, addresses), SECOND_MARKS) == {}, role
    submit(blinded, entry)
    shown = client_as(users[Role.PI]).get(f"/double-entry/{entry.pk}/reconcile/")
    assert all(mark in shown.content.decode() for mark in SECOND_MARKS)


@pytest.mark.parametrize("typed", [{"age": "600"}, {"age": "84"}, {"age": "84", "version": "1"}, {}])
def test_a_save_of_the_first_form_tells_no_first_value(
    blinded: User, patient: Patient, form: CrfForm, client_as: Callable[[User], Client], typed: dict[str, str]
) -> None:
    entry = start(blinded, form)
    client = client_as(blinded)
    answer = client.post(f"/patients/{patient}/crf/", {"version": str(form.version), "reason": "typing error"} | typed)
    assert (answer.status_code, answer.headers.get("Location")) == (302, f"/double-entry/{entry.pk}/") or (
        answer.status_code == 409
    )
    assert telling({"": answer.content.decode()}, MARKS) == {}
    assert form_of(Patient.objects.get(pk=patient.pk)).version == form.version


def test_what_would_tell_a_first_value_is_refused(users: Users, blinded: User, patient: Patient, form: CrfForm) -> None:
    start(blinded, form)
    fresh = Patient.objects.get(pk=patient.pk)
    attempts: list[Callable[[], object]] = [
        lambda: save_form(actor=blinded, patient=fresh, read_version=0, values={"age": 84}, reason="typing error"),
        lambda: keep_draft(actor=blinded, patient=fresh, place=MAIN_PLACE, read_version=3, typed={"age": "83"}),
        lambda: open_query(actor=blinded, patient=fresh, variable="age", text="Really?"),
        lambda: open_queries(actor=blinded, study_ids=[str(patient)], variable="age", text="Really?"),
        lambda: request_export(actor=blinded, purpose="to peek at the first entry"),
    ]
    for attempt in attempts:
        with pytest.raises(Conflict) as error:
            attempt()
        assert error.value.code == "second_entry_open"
    assert not may(blinded, Permission.VIEW_SCORES, fresh) and may(
        users[Role.DATA_MANAGER], Permission.VIEW_SCORES, fresh
    )


def test_giving_up_ends_the_blinding(
    blinded: User, patient: Patient, form: CrfForm, client_as: Callable[[User], Client]
) -> None:
    entry = start(blinded, form)
    client = client_as(blinded)
    assert client.get(f"/patients/{patient}/crf/").status_code == 302
    assert client.post(f"/double-entry/{entry.pk}/give-up/").status_code == 302
    assert "70.93" in client.get(f"/patients/{patient}/crf/").content.decode()
    assert SecondEntry.objects.get().state == "given_up"
