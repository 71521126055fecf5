"""Beside a field: all values that it has had. And the reason that a change must carry, on the page and in the API."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.crf.models import CrfForm, CrfValue
from apps.crf.services import save_form
from apps.patients.models import Patient

pytestmark = pytest.mark.django_db
Users = dict[Role, User]
ClientAs = Callable[[User], Client]
PAGE = "/patients/{}/crf/"
HTMX = {"hx-request": "true"}


@pytest.fixture
def corrected(users: Users, patient: Patient) -> Patient:
    """An age that was entered, corrected, cleared and entered again, and a treatment that was changed."""
    for version, (role, values, reason) in enumerate(
        [
            (Role.COORDINATOR, {"age": 60, "treatment": "cc"}, ""),
            (Role.DATA_MANAGER, {"age": 61}, "query answered: letter of May"),
            (Role.COORDINATOR, {"age": None, "treatment": "cmt"}, "new source data"),
            (Role.COORDINATOR, {"age": 62}, "<b>own words</b>"),
        ]
    ):
        save_form(actor=users[role], patient=patient, read_version=version, values=values, reason=reason)
    return patient


def history(client: Client, patient: object, variable: str = "age", **headers: str) -> str:
    answer = client.get(f"{PAGE.format(patient)}history/{variable}/", headers=HTMX | headers)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_all_values_the_newest_first(users: Users, corrected: Patient, client_as: ClientAs) -> None:
    html = history(client_as(users[Role.MONITOR]), corrected)
    values = re.findall(r'crf-past-value">(.*?)</span>', html)
    assert values == ["62 years", "<em>cleared</em>", "61 years", "60 years"]
    whys = re.findall(r'crf-past-why">(.*?)</span>', html)
    assert whys == ["&lt;b&gt;own words&lt;/b&gt;", "New source data", "Query answered: letter of May"]
    who = re.findall(r'crf-past-who">(.*?), <time', html)
    assert who == [
        users[role].full_name for role in (Role.COORDINATOR, Role.COORDINATOR, Role.DATA_MANAGER, Role.COORDINATOR)
    ]
    moments = [
        f"{at:%Y-%m-%d %H:%M} UTC"
        for at in CrfValue.objects.filter(variable="age").values_list("recorded_at", flat=True)
    ]
    assert re.findall(r">([^<]* UTC)</time>", html) == moments[::-1]
    assert "<html" not in html


def test_choices_are_told_by_their_labels_and_in_chinese(users: Users, corrected: Patient, client_as: ClientAs) -> None:
    html = history(client_as(users[Role.MONITOR]), corrected, "treatment")
    assert re.findall(r'crf-past-value">(.*?)</span>', html) == [
        "Conservative treatment (CMT)",
        "Conventional craniotomy (CC)",
    ]
    chinese = history(client_as(users[Role.MONITOR]), corrected, **{"accept-language": "zh-hans"})
    assert "62 岁" in chinese
    assert "已清除" in chinese
    assert "质疑已答复: letter of May" in chinese


def test_without_a_script_it_is_a_page(users: Users, corrected: Patient, client_as: ClientAs) -> None:
    html = client_as(users[Role.MONITOR]).get(f"{PAGE.format(corrected)}history/age/").content.decode()
    assert "<h1>History: Age</h1>" in html
    assert "61 years" in html


def test_what_is_no_variable_and_what_is_foreign_are_absent(
    users: Users, corrected: Patient, foreign_patient: Patient, client_as: ClientAs
) -> None:
    client = client_as(users[Role.COORDINATOR])
    for patient, variable in ((corrected, "color"), (foreign_patient, "age"), ("C1-9999", "age")):
        assert client.get(f"{PAGE.format(patient)}history/{variable}/").status_code == 404
    assert "Nothing has been entered yet." in history(client, corrected, "gcs")


def test_each_field_with_a_history_has_its_control(users: Users, corrected: Patient, client_as: ClientAs) -> None:
    html = client_as(users[Role.MONITOR]).get(PAGE.format(corrected)).content.decode()
    assert set(re.findall(r'hx-get="[^"]*/history/(\w+)/"', html)) == {"age", "treatment"}
    assert set(re.findall(r'id="field-(\w+)" data-saved', html)) == {"age", "treatment"}


def test_the_assessor_reads_the_history_of_values_and_nothing_else(
    users: Users, corrected: Patient, client_as: ClientAs
) -> None:
    html = history(client_as(users[Role.ASSESSOR]), corrected)
    assert "61 years" in html
    assert not re.search("score|predict|volume", html, re.IGNORECASE)


def test_a_change_without_a_reason_keeps_what_was_typed(users: Users, corrected: Patient, client_as: ClientAs) -> None:
    client = client_as(users[Role.COORDINATOR])
    data = {"version": 4, "age": "63", "treatment": "cmt", "gcs": "9"}
    answer = client.post(PAGE.format(corrected), data)
    assert answer.status_code == 422
    html = answer.content.decode()
    assert 'id="error-reason"' in html
    assert "Values that had been saved before were changed." in html
    assert 'id="input-age" value="63"' in html
    assert 'id="input-gcs" value="9"' in html
    assert 'name="version" value="4"' in html
    assert CrfForm.objects.get(patient=corrected).version == 4
    assert client.post(PAGE.format(corrected), data | {"reason_choice": "typing error"}).status_code == 302
    assert set(CrfValue.objects.filter(form_version=5).values_list("variable", "reason")) == {
        ("age", "typing error"),
        ("gcs", "typing error"),
    }


@pytest.mark.parametrize(
    ("choice", "words", "kept"),
    [
        ("typing error", "", "typing error"),
        ("typing error", " swapped digits ", "typing error: swapped digits"),
        ("", "as the nurse said", "as the nurse said"),
        ("nonsense", "as the nurse said", "as the nurse said"),
    ],
)
def test_a_usual_reason_and_words_of_ones_own(
    users: Users, corrected: Patient, client_as: ClientAs, choice: str, words: str, kept: str
) -> None:
    data = {"version": 4, "age": "63", "treatment": "cmt", "reason_choice": choice, "reason": words}
    assert client_as(users[Role.COORDINATOR]).post(PAGE.format(corrected), data).status_code == 302
    assert CrfValue.objects.get(form_version=5).reason == kept


def test_a_reason_that_cannot_be_stored_keeps_what_was_typed(
    users: Users, corrected: Patient, client_as: ClientAs
) -> None:
    data = {"version": 4, "age": "63", "treatment": "cmt", "reason": "x" * 501}
    answer = client_as(users[Role.COORDINATOR]).post(PAGE.format(corrected), data)
    assert answer.status_code == 422
    assert 'id="error-reason"' in answer.content.decode()
    assert 'id="input-age" value="63"' in answer.content.decode()


def test_the_api_asks_for_a_reason(users: Users, corrected: Patient, api_as: Callable[[User], APIClient]) -> None:
    client = api_as(users[Role.DATA_MANAGER])
    body: dict[str, object] = {"version": 4, "values": {"age": 63}}
    answer = client.patch(f"/api/v1/patients/{corrected}/crf/", body, format="json")
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    assert (answer.json()["code"], list(answer.json()["errors"])) == ("form_reason", ["reason"])
    answer = client.patch(f"/api/v1/patients/{corrected}/crf/", body | {"reason": "letter"}, format="json")
    assert answer.json()["values"]["age"] == 63
