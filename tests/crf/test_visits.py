"""The forms beside the main one: at their visits, as often as needed, with a history of their own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.http import Http404
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.crf.dictionary import DictionaryError, load_dictionary, parse_dictionary
from apps.crf.models import CrfForm, CrfValue
from apps.crf.places import MOST_REPEATS, Place
from apps.crf.schedule import schedule_of
from apps.crf.selectors import form_of
from apps.crf.services import FormConflict, FormErrors, save_form
from apps.patients.models import Patient
from tests.audit.trails import faults
from tests.crf.text import dictionary_text

pytestmark = pytest.mark.django_db
Users = dict[Role, User]
ClientAs = Callable[[User], Client]
THREE, SIX = Place("follow_up", "month_3"), Place("follow_up", "month_6")
ALIVE = {"fu_status": "alive", "fu_date": "2026-06-02", "fu_source": "visit", "fu_mrs": 2, "fu_gos": 4, "fu_gose": 6}


def save(
    actor: User, patient: Patient, place: Place, values: dict[str, Any], version: int = 0, reason: str = ""
) -> CrfForm:
    return save_form(
        actor=actor, patient=patient, read_version=version, values=values, reason=reason, place=place
    ).form  # fmt: skip


def test_each_visit_has_values_and_a_version_of_its_own(users: Users, patient: Patient) -> None:
    actor = users[Role.COORDINATOR]
    save_form(actor=actor, patient=patient, read_version=0, values={"age": 67})
    save(actor, patient, THREE, {"fu_status": "lost", "fu_date": "2026-06-02"})
    save(actor, patient, SIX, ALIVE)
    save(actor, patient, SIX, {"fu_mrs": 3}, version=1, reason="typing error")
    assert form_of(patient).values == {"age": 67}
    assert form_of(patient, THREE).values == {"fu_status": "lost", "fu_date": "2026-06-02"}
    assert (form_of(patient, SIX).values["fu_mrs"], form_of(patient, SIX).version) == (3, 2)
    assert form_of(patient, THREE).is_complete and form_of(patient, SIX).is_complete
    assert list(CrfValue.objects.filter(variable="fu_mrs").values_list("value", flat=True)) == [2, 3]
    assert faults() == []


@pytest.mark.parametrize("place", [
    Place("follow_up", "stay"), Place("follow_up", "month_3", 2), Place("none", "stay"), Place("laboratory", "month_3"),
    Place("laboratory", "stay", 0), Place("laboratory", "stay", MOST_REPEATS + 1), Place("main", "month_3"),
    Place("main", "stay", 2),
])  # fmt: skip
def test_a_place_that_the_dictionary_lacks_is_not_found(users: Users, patient: Patient, place: Place) -> None:
    with pytest.raises(Http404):
        save(users[Role.COORDINATOR], patient, place, {"fu_status": "lost"})
    assert not CrfForm.objects.exists()


def test_a_form_takes_its_own_variables_alone(users: Users, patient: Patient) -> None:
    for place, values in ((THREE, {"age": 60}), (Place(), {"fu_mrs": 1}), (THREE, {"lab_inr": 1})):
        with pytest.raises(FormErrors) as refused:
            save(users[Role.COORDINATOR], patient, place, values)
        assert "no variable of this name" in next(iter(refused.value.errors.values()))


@pytest.mark.parametrize("values", [
    {"fu_status": "dead", "fu_mrs": 5}, {"fu_status": "alive", "fu_mrs": 6}, {"fu_status": "dead", "fu_gose": 2},
    {"fu_status": "alive", "fu_gos": 1},
    {"fu_status": "dead", "fu_date": "2026-06-02", "fu_death_date": "2026-06-03"},
])  # fmt: skip
def test_what_contradicts_itself_is_refused(users: Users, patient: Patient, values: dict[str, Any]) -> None:
    with pytest.raises(FormErrors):
        save(users[Role.COORDINATOR], patient, THREE, values)
    assert not CrfForm.objects.exists()


@pytest.mark.parametrize(("gos", "gose", "fits"), [
    # Wilson, Pettigrew and Teasdale 1998: the extended scale halves severe, moderate and good.
    (3, 3, True), (3, 4, True), (4, 5, True), (4, 6, True), (5, 7, True), (5, 8, True), (2, 2, True),
    (3, 5, False), (4, 4, False), (5, 6, False), (2, 3, False), (4, 7, False),
])  # fmt: skip
def test_the_two_outcome_scales_are_held_against_each_other(
    users: Users, patient: Patient, gos: int, gose: int, fits: bool
) -> None:
    result = save_form(
        actor=users[Role.ASSESSOR], patient=patient, read_version=0, place=THREE,
        values={"fu_status": "alive", "fu_gos": gos, "fu_gose": gose},
    )  # fmt: skip
    assert ("follow_up_gos_fits_gose" not in [warning.rule for warning in result.warnings]) is fits


def test_two_people_who_add_the_same_sample_do_not_overwrite_each_other(users: Users, patient: Patient) -> None:
    first = Place("laboratory", "stay", 1)
    save(users[Role.COORDINATOR], patient, first, {"lab_inr": 1.1})
    with pytest.raises(FormConflict):
        save(users[Role.DATA_MANAGER], patient, first, {"lab_inr": 2.2})
    assert form_of(patient, first).values == {"lab_inr": 1.1}


def test_a_visit_is_due_months_after_the_admission(users: Users, patient: Patient) -> None:
    def due() -> list[date | None]:
        return [planned.due for planned in schedule_of(patient, form_of(patient))[0].planned]

    assert due() == [None] * 3
    save_form(actor=users[Role.COORDINATOR], patient=patient, read_version=0, values={"admission_date": "2025-11-30"})
    assert due() == [date(2026, 2, 28), date(2026, 5, 30), date(2026, 11, 30)]


def test_who_died_in_hospital_is_not_expected_at_a_visit(users: Users, patient: Patient) -> None:
    actor = users[Role.COORDINATOR]
    for version, (grade, expected) in enumerate([(4, True), (1, False)]):
        values = {"gos_discharge": grade}
        save_form(actor=actor, patient=patient, read_version=version, values=values, reason="typing error")
        follow_up, repeat_ct, _laboratory = schedule_of(patient, form_of(Patient.objects.get(pk=patient.pk)))
        assert [planned.expected for planned in follow_up.planned] == [expected] * 3
        assert not repeat_ct.planned


def test_the_schedule_costs_two_queries_however_much_was_entered(users: Users, patient: Patient) -> None:
    main = form_of(patient)

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            schedule_of(patient, main)
        return len(found)

    before = queries()
    for number in range(1, 6):
        save(users[Role.COORDINATOR], patient, Place("laboratory", "stay", number), {"lab_inr": number})
    assert queries() == before == 2
    assert [planned.title for planned in schedule_of(patient, main)[2].planned] == [
        str(number) for number in range(1, 6)
    ]


def test_from_the_patient_page_to_the_form_and_its_history(users: Users, patient: Patient, client_as: ClientAs) -> None:
    client = client_as(users[Role.COORDINATOR])
    base = f"/patients/{patient.study_id}/"
    assert f"{base}crf/follow_up/month_3/1/" in client.get(base).content.decode()
    assert f"{base}crf/laboratory/stay/1/" in client.get(base).content.decode()
    page = client.get(f"{base}crf/follow_up/month_3/1/").content.decode()
    assert "<h1>Follow-up, 3 months</h1>" in page
    answer = client.post(f"{base}crf/follow_up/month_3/1/", {"version": "0", "fu_status": "lost", "fu_mrs": ""})
    assert (answer.status_code, answer["Location"]) == (302, f"{base}crf/follow_up/month_3/1/")
    page = client.get(f"{base}crf/follow_up/month_3/1/").content.decode()
    assert f"{base}crf/follow_up/month_3/1/history/fu_status/" in page
    assert "Not reached" in client.get(f"{base}crf/follow_up/month_3/1/history/fu_status/").content.decode()
    assert client.get(f"{base}crf/follow_up/month_3/1/history/age/").status_code == 404
    client.post(f"{base}crf/laboratory/stay/1/", {"version": "0", "lab_inr": "1.1"})
    assert f"{base}crf/laboratory/stay/2/" in client.get(base).content.decode()


def test_the_assessor_enters_outcomes_and_no_laboratory_value(
    users: Users, patient: Patient, client_as: ClientAs
) -> None:
    client = client_as(users[Role.ASSESSOR])
    base = f"/patients/{patient.study_id}/crf/"
    assert client.post(f"{base}follow_up/month_6/1/", {"version": "0", "fu_status": "lost"}).status_code == 302
    assert client.post(f"{base}laboratory/stay/1/", {"version": "0", "lab_inr": "1"}).status_code == 404
    assert "laboratory/stay/1/" not in client.get(f"/patients/{patient.study_id}/").content.decode()


def test_the_same_by_the_api(users: Users, patient: Patient, api_as: Callable[[User], APIClient]) -> None:
    api = api_as(users[Role.COORDINATOR])
    address = f"/api/v1/patients/{patient.study_id}/crf/follow_up/month_12/1/"
    answer = api.patch(address, {"version": 0, "values": ALIVE}, format="json")
    assert answer.status_code == 200
    assert [answer.json()[name] for name in ("form", "visit", "instance", "version")] == [
        "follow_up", "month_12", 1, 1,
    ]  # fmt: skip
    forms = api.get(f"/api/v1/patients/{patient.study_id}/forms/").json()
    assert [(each["visit"], each["version"]) for each in forms] == [("month_3", 0), ("month_6", 0), ("month_12", 1)]
    assert api.get(f"/api/v1/patients/{patient.study_id}/crf/follow_up/stay/1/").status_code == 404


def test_the_database_keeps_one_form_a_place_and_the_main_form_with_its_patient(
    patient: Patient, foreign_patient: Patient
) -> None:
    CrfForm.objects.create(patient=patient, name="follow_up", visit="month_3")
    wrong = (
        {"patient": patient, "name": "follow_up", "visit": "month_3"},
        {"patient": patient},
        {"patient": patient, "main_of": foreign_patient},
        {"patient": patient, "name": "follow_up", "visit": "month_6", "main_of": patient},
    )
    for fields in wrong:
        with pytest.raises(IntegrityError), transaction.atomic():
            CrfForm.objects.create(**fields)


@pytest.mark.parametrize(("change", "why"), [
    ({"visits": ["later"]}, "unknown visits: later"),
    ({"name": "main"}, "given twice among the forms: main"),
    ({"visits": ["stay", "month_3"], "repeats": True}, "a form that repeats belongs to one visit"),
    ({"variable": "age"}, "given twice among the variables: age"),
    ({"show_if": {"variable": "gcs", "at_least": 9}}, "unknown here"),
    ({"at_visit": {"unless": {"variable": "fu_mrs", "one_of": [6]}}}, "unless of late: unknown here"),
    ({"model_feature": 23}, "only the main form feeds scores"),
])  # fmt: skip
def test_a_form_that_does_not_hold_together_stops_the_platform(change: dict[str, Any], why: str) -> None:
    with pytest.raises(DictionaryError, match=why):
        parse_dictionary(dictionary_text(change))


def test_the_studys_visits_are_those_of_the_protocol() -> None:
    dictionary = load_dictionary()
    assert [visit.months for visit in dictionary.visits] == [None, 3, 6, 12]
    scales = [dictionary.all_variables[name] for name in ("fu_mrs", "fu_gos", "fu_gose")]
    assert [[choice.value for choice in scale.choices] for scale in scales] == [
        [0, 1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6, 7, 8],
    ]  # fmt: skip
