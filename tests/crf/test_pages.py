"""The form in the browser, the section of the patient page, the columns of the list, and the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.crf.dictionary import load_dictionary
from apps.crf.models import CrfForm, CrfValue
from apps.crf.services import save_form
from apps.patients.models import Patient
from tests.factories import PatientFactory

pytestmark = pytest.mark.django_db
Users = dict[Role, User]
ClientAs = Callable[[User], Client]
ApiAs = Callable[[User], APIClient]
PAGE = "/patients/{}/crf/"
API = "/api/v1/patients/{}/crf/"

# (opens the form, saves a clinical value, saves an outcome)
STATUS = {
    Role.COORDINATOR: (200, 200, 200),
    Role.ANNOTATOR: (404, 404, 404),
    Role.REVIEWER: (404, 404, 404),
    Role.ASSESSOR: (200, 403, 200),
    Role.DATA_MANAGER: (200, 200, 403),
    Role.PI: (200, 404, 404),
    Role.SCIENTIST: (404, 404, 404),
    Role.MONITOR: (200, 404, 404),
    Role.ADMINISTRATOR: (404, 404, 404),
}
BAD = [
    ("age", "200"), ("gcs", "12,5"), ("onset_to_ct_hours", "12,5"), ("color", "red"), ("sex", "other"),
    ("outcome_assessor", "x" * 1_000_000), ("age", "6" * 1_000_000), ("outcome_assessor", "A\x001"), ("gcs", "7\u202e"),
    ("outcome_assessor", "=cmd|' /C calc'!A0"), ("admission_date", "2024-02-30"), ("operation_date", "2024-01-01"),
]  # fmt: skip


def enter(user: User, patient: Patient, **values: object) -> CrfForm:
    form = CrfForm.objects.filter(patient=patient).first()
    version = form.version if form else 0
    return save_form(actor=user, patient=patient, read_version=version, values=values, reason="typing error").form


@pytest.mark.parametrize("role", list(Role))
def test_page_by_role(users: Users, patient: Patient, client_as: ClientAs, role: Role) -> None:
    opens, clinical, outcome = STATUS[role]
    client = client_as(users[role])
    assert client.get(PAGE.format(patient)).status_code == opens
    for version, (status, values) in enumerate([(clinical, {"age": "60"}), (outcome, {"gos_discharge": "4"})]):
        form = CrfForm.objects.filter(patient=patient).first()
        answer = client.post(PAGE.format(patient), {**values, "version": form.version if form else 0})
        assert answer.status_code == (302 if status == 200 else status), version


@pytest.mark.parametrize("role", list(Role))
def test_api_by_role(users: Users, patient: Patient, api_as: ApiAs, role: Role) -> None:
    opens, clinical, outcome = STATUS[role]
    client = api_as(users[role])
    assert client.get(API.format(patient)).status_code == opens
    for status, values in ((clinical, {"age": 60}), (outcome, {"gos_discharge": 4})):
        form = CrfForm.objects.filter(patient=patient).first()
        body = {"version": form.version if form else 0, "values": values}
        assert client.patch(API.format(patient), body, format="json").status_code == status


def test_foreign_and_absent_patients_are_alike(
    users: Users, foreign_patient: Patient, client_as: ClientAs, api_as: ApiAs
) -> None:
    page, api = client_as(users[Role.COORDINATOR]), api_as(users[Role.COORDINATOR])
    for study_id in (foreign_patient.study_id, "C1-9999"):
        assert page.get(PAGE.format(study_id)).status_code == 404
        assert page.post(PAGE.format(study_id), {"version": 0, "age": "60"}).status_code == 404
        assert api.get(API.format(study_id)).status_code == 404
        assert api.patch(API.format(study_id), {"version": 0, "values": {}}, format="json").status_code == 404
    assert not CrfForm.objects.exists()


def test_strangers_are_sent_to_sign_in(patient: Patient) -> None:
    assert Client().get(PAGE.format(patient)).status_code == 302
    assert APIClient().get(API.format(patient)).status_code == 401
    assert APIClient().get("/api/v1/dictionary/").status_code == 401


@pytest.mark.parametrize(("name", "value"), BAD)
def test_bad_input_in_the_browser(users: Users, patient: Patient, client_as: ClientAs, name: str, value: str) -> None:
    answer = client_as(users[Role.COORDINATOR]).post(PAGE.format(patient), {"version": 0, "coma": "true", name: value})
    assert answer.status_code == 422
    html = answer.content.decode()
    assert "1 value was not accepted, so nothing was saved." in html
    assert len(html) < 200_000
    if name in load_dictionary().variables:
        assert f'id="error-{name}"' in html
    assert 'value="true" checked' in html  # what was typed elsewhere is kept
    assert not CrfForm.objects.exists()


@pytest.mark.parametrize(("name", "value"), [*BAD, ("age", [60]), ("age", {"value": 60}), ("gcs", True)])
def test_bad_input_in_the_api(users: Users, patient: Patient, api_as: ApiAs, name: str, value: object) -> None:
    body = {"version": 0, "values": {"coma": True, name: value}}
    answer = api_as(users[Role.COORDINATOR]).patch(API.format(patient), body, format="json")
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert list(problem["errors"]) == [name]
    assert problem["errors"][name].endswith(".")
    assert (problem["code"], problem["status"]) == ("form_values", 422)
    assert not CrfForm.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {}, [], "text", {"version": 0}, {"values": {}}, {"version": "one", "values": {}}, {"version": -1, "values": {}},
        {"version": 0, "values": []}, {"version": 5, "values": {"age": 60}}, {"version": 10**30, "values": {}},
        {"version": 0, "values": {"age": 60}, "reason": "x" * 501},
        {"version": 0, "values": {"a" * 1000: 1}}, {"version": 0, "values": {"\u0000\u202e": 1}},
    ],
)  # fmt: skip
def test_a_body_of_another_shape(users: Users, patient: Patient, api_as: ApiAs, body: Any) -> None:
    answer = api_as(users[Role.COORDINATOR]).patch(API.format(patient), body, format="json")
    assert answer.status_code in (400, 422)
    assert not CrfForm.objects.exists()


@pytest.mark.parametrize("version", ["", "x", "-1", "7", "9" * 50, "１"])
def test_a_bad_version_in_the_browser(users: Users, patient: Patient, client_as: ClientAs, version: str) -> None:
    answer = client_as(users[Role.COORDINATOR]).post(PAGE.format(patient), {"version": version, "age": "60"})
    assert answer.status_code == 422
    assert "The form has no such version." in answer.content.decode()


def test_a_save_returns_to_the_form_with_warnings(users: Users, patient: Patient, client_as: ClientAs) -> None:
    client = client_as(users[Role.COORDINATOR])
    answer = client.post(PAGE.format(patient), {"version": 0, "coma": "true", "gcs": "14"}, follow=True)
    html = answer.content.decode()
    assert "Saved 2 values." in html
    assert 'id="warning-gcs"' in html
    assert "Coma is a GCS of 8 or less." in html
    again = client.post(PAGE.format(patient), {"version": 1, "coma": "true", "gcs": "14"}, follow=True)
    assert "Nothing was changed" in again.content.decode()


def test_a_conflict_keeps_what_was_typed_and_shows_what_is_stored(
    users: Users, patient: Patient, client_as: ClientAs
) -> None:
    enter(users[Role.COORDINATOR], patient, age=60, gcs=10, nihss=5)
    enter(users[Role.DATA_MANAGER], patient, age=61, nihss=6)
    client = client_as(users[Role.COORDINATOR])
    answer = client.post(PAGE.format(patient), {"version": 1, "age": "62", "gcs": "11", "nihss": "5"})
    assert answer.status_code == 409
    html = answer.content.decode()
    assert "Meanwhile saved as 61 by somebody else." in html
    assert 'id="input-age" value="62"' in html
    assert 'id="input-gcs" value="11"' in html
    assert 'id="input-nihss" value="6"' in html  # not touched: what the other person saved
    assert 'name="version" value="2"' in html
    client.post(PAGE.format(patient), {"version": 2, "age": "62", "gcs": "11", "nihss": "6", "reason": "seen"})
    assert CrfForm.objects.get(patient=patient).values == {"age": 62, "gcs": 11, "nihss": 6}


def test_api_conflict_and_merge(users: Users, patient: Patient, api_as: ApiAs) -> None:
    enter(users[Role.COORDINATOR], patient, age=60)
    enter(users[Role.DATA_MANAGER], patient, age=61)
    client = api_as(users[Role.COORDINATOR])
    merged = client.patch(API.format(patient), {"version": 1, "values": {"gcs": 9}}, format="json")
    assert merged.json()["values"] == {"age": 61, "gcs": 9}
    answer = client.patch(API.format(patient), {"version": 1, "values": {"age": 62}}, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (409, ["age"])


def test_api_document(users: Users, patient: Patient, api_as: ApiAs) -> None:
    client = api_as(users[Role.COORDINATOR])
    empty = client.get(API.format(patient)).json()
    assert (empty["version"], empty["values"], empty["updated_at"]) == (0, {}, None)
    body = {"version": 0, "values": {"coma": True, "gcs": 9, "sex": None}, "reason": "first entry"}
    document = client.patch(API.format(patient), body, format="json").json()
    assert (document["version"], document["dictionary"], document["values"]) == (1, "ich-1", {"coma": True, "gcs": 9})
    assert document["completeness"]["entered"] == 2
    assert "age" in document["completeness"]["missing"]
    assert document["warnings"][0]["variables"] == ["coma", "gcs"]
    assert client.get(API.format(patient)).json() == document
    assert set(CrfValue.objects.values_list("reason", flat=True)) == {"first entry"}


def test_dictionary_api(users: Users, api_as: ApiAs) -> None:
    data = api_as(users[Role.SCIENTIST]).get("/api/v1/dictionary/").json()
    names = [variable["name"] for section in data["sections"] for variable in section["variables"]]
    assert names == list(load_dictionary().variables)


def test_every_variable_has_one_control(users: Users, patient: Patient, client_as: ClientAs) -> None:
    html = client_as(users[Role.COORDINATOR]).get(PAGE.format(patient)).content.decode()
    for name, variable in load_dictionary().variables.items():
        assert html.count(f'id="field-{name}"') == 1
        assert (f'name="{name}"' in html) == variable.is_typed
        assert ("data-show-if" in html.split(f'id="field-{name}"')[1].split(">")[0]) is (variable.show_if is not None)
    assert "<script>" not in html


def test_the_assessor_reads_the_clinical_values_and_enters_the_outcome(
    users: Users, patient: Patient, client_as: ClientAs
) -> None:
    enter(users[Role.COORDINATOR], patient, age=60)
    html = client_as(users[Role.ASSESSOR]).get(PAGE.format(patient)).content.decode()
    assert 'name="gos_discharge"' in html
    assert 'name="age"' not in html
    assert 'type="submit">' in html.split('class="crf-form"')[1]
    assert "ICH score" not in html


def test_the_monitor_sees_a_form_without_controls(users: Users, patient: Patient, client_as: ClientAs) -> None:
    html = client_as(users[Role.MONITOR]).get(PAGE.format(patient)).content.decode()
    form = html.split('class="crf-form"')[1].split("</form>")[0]
    assert "<select" not in form
    assert 'type="submit"' not in form


def test_a_field_that_does_not_apply_is_hidden(users: Users, patient: Patient, client_as: ClientAs) -> None:
    client = client_as(users[Role.COORDINATOR])

    def hidden() -> bool:
        html = client.get(PAGE.format(patient)).content.decode()
        return " hidden" in html.split('id="field-operation_date"')[1].split(">")[0]

    assert hidden()
    enter(users[Role.COORDINATOR], patient, treatment="cc")
    assert not hidden()


def test_the_form_in_chinese(users: Users, patient: Patient, client_as: ClientAs) -> None:
    client = client_as(users[Role.COORDINATOR])
    html = client.get(PAGE.format(patient), headers={"accept-language": "zh-hans"}).content.decode()
    assert 'lang="zh-hans"' in html
    for variable in load_dictionary().variables.values():
        assert variable.label.zh_hans in html
    assert "5 – 恢复良好" in html


def test_text_is_escaped(users: Users, patient: Patient, client_as: ClientAs) -> None:
    attack = '"><script>alert(1)</script>'
    answer = client_as(users[Role.COORDINATOR]).post(
        PAGE.format(patient), {"version": 0, "outcome_assessor": attack, attack: "1"}
    )
    assert answer.status_code == 422
    assert "<script>alert" not in answer.content.decode()


def test_the_patient_page_shows_the_form(users: Users, patient: Patient, client_as: ClientAs) -> None:
    enter(users[Role.COORDINATOR], patient, age=60, sex="female", treatment="cmt")
    for role, action in ((Role.COORDINATOR, "Edit form"), (Role.MONITOR, "Open form")):
        html = client_as(users[role]).get(f"/patients/{patient}/").content.decode()
        section = html.split('id="crf"')[1].split("</section>")[0]
        assert "Female" in section
        assert "(3/36)" in section
        assert action in section
    assert 'id="crf"' not in client_as(users[Role.ANNOTATOR]).get(f"/patients/{patient}/").content.decode()


def test_the_list_shows_sorts_and_filters(users: Users, patient: Patient, client_as: ClientAs) -> None:
    coordinator = users[Role.COORDINATOR]
    second = PatientFactory(study_id="C1-0002", center=patient.center, enrolled_by=coordinator)
    enter(coordinator, patient, age=70, gcs=15)
    enter(coordinator, second, age=9)
    CrfForm.objects.filter(patient=second).update(is_complete=True)
    client = client_as(coordinator)

    def ids(query: str) -> list[str]:
        html = client.get(f"/patients/?{query}").content.decode()
        return sorted((i for i in ("C1-0001", "C1-0002") if f">{i}<" in html), key=lambda i: html.index(f">{i}<"))

    assert ids("sort=age") == ["C1-0002", "C1-0001"]  # as numbers: "70" < "9" as texts
    assert ids("sort=-age") == ["C1-0001", "C1-0002"]
    assert ids("form=complete") == ["C1-0002"]
    assert ids("form=incomplete") == ["C1-0001"]
    assert ids("form=nonsense") == ["C1-0001", "C1-0002"]


def test_the_number_of_queries_does_not_grow(users: Users, patient: Patient, client_as: ClientAs) -> None:
    coordinator = users[Role.COORDINATOR]
    client = client_as(coordinator)
    enter(coordinator, patient, age=60)

    def queries(address: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(address).status_code == 200
        return len(captured)

    queries("/patients/")
    few = queries("/patients/"), queries(PAGE.format(patient))
    for number in range(2, 12):
        other = PatientFactory(study_id=f"C1-{number:04d}", center=patient.center, enrolled_by=coordinator)
        enter(coordinator, other, age=60, gcs=9)
        enter(coordinator, patient, age=60 + number)
    assert (queries("/patients/"), queries(PAGE.format(patient))) == few
    with CaptureQueriesContext(connection) as captured:
        client.get("/patients/")
    assert sum('FROM "crf_crfform"' in query["sql"] for query in captured) <= 1 + len(_others_who_read_forms())


def _others_who_read_forms() -> list[str]:
    """Columns of other apps that load the forms of a page themselves."""
    from apps.patients.page import columns

    mine = {variable.name for variable in load_dictionary().list_columns} | {"completeness"}
    return [key for key in columns if key not in mine]
