"""Other units: the person says in which a number was measured, the platform converts and keeps what was typed."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.crf.dictionary import load_dictionary
from apps.crf.models import CrfForm, CrfValue
from apps.crf.places import Place
from apps.crf.selectors import form_of, history_of
from apps.crf.services import FormErrors, save_form
from apps.crf.units import convert
from apps.patients.models import Patient

pytestmark = pytest.mark.django_db
Users = dict[Role, User]
LAB = Place("laboratory", "stay", 1)


def save(users: Users, patient: Patient, values: dict[str, object], units: dict[str, str]) -> CrfForm:
    read = form_of(patient, LAB).version
    return save_form(
        actor=users[Role.COORDINATOR], patient=patient, read_version=read, values=values, units=units, place=LAB,
        reason="typing error",
    ).form  # fmt: skip


@pytest.mark.parametrize(
    ("name", "typed", "unit", "expected"),
    [
        # Molar masses: glucose 180.16, creatinine 113.12 g/mol, so 18.016 mg/dL a mmol/L and 0.01131 mg/dL a umol/L.
        ("lab_glucose", "126", "mg/dL", 7.0),
        ("lab_creatinine", "1.2", "mg/dL", 106),
        ("lab_hemoglobin", "13.25", "g/dL", 133),
        ("lab_fibrinogen", "350", "mg/dL", 3.5),
        ("lab_crp", "1.5", "mg/dL", 15.0),
        # One kilopascal is 7.50062 mmHg; a half is rounded up.
        ("systolic_bp", "20", "kPa", 150),
        ("onset_to_ct_hours", "90", "minutes", 1.5),
    ],
)
def test_conversions(name: str, typed: str, unit: str, expected: float) -> None:
    assert convert(load_dictionary().all_variables[name], typed, unit) == (expected, f"{typed} {unit}")


def test_what_was_typed_stays_in_the_history(users: Users, patient: Patient) -> None:
    form = save(users, patient, {"lab_glucose": "126", "lab_sodium": "140"}, {"lab_glucose": "mg/dL", "lab_sodium": ""})
    assert form.values == {"lab_glucose": 7.0, "lab_sodium": 140}
    assert CrfValue.objects.get(variable="lab_glucose").as_typed == "126 mg/dL"
    [past] = history_of(form, load_dictionary().all_variables["lab_glucose"])
    assert (past.text, past.as_typed) == ("7 mmol/L", "126 mg/dL")


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        ("126", "", "If it was measured in mg/dL, choose that unit"),
        ("126", "mg/l", "Choose one of the units that are offered"),
        ("12,6", "mg/dL", "Write the decimal sign as a point"),
        ("much", "mg/dL", "Enter a number in mg/dL"),
        ("9999", "mg/dL", "lies outside"),
    ],
)
def test_a_unit_is_asked_for_and_never_guessed(
    value: str, unit: str, words: str, users: Users, patient: Patient
) -> None:
    with pytest.raises(FormErrors) as refused:
        save(users, patient, {"lab_glucose": value}, {"lab_glucose": unit})
    assert words in refused.value.errors["lab_glucose"]


def test_page_and_api_convert(users: Users, patient: Patient, client: Client) -> None:
    client.force_login(users[Role.COORDINATOR])
    address = reverse("crf:further", args=[patient.study_id, "laboratory", "stay", 1])
    assert 'name="unit-lab_glucose"' in client.get(address).content.decode()
    client.post(address, {"version": "0", "lab_glucose": "126", "unit-lab_glucose": "mg/dL"})
    assert form_of(patient, LAB).values == {"lab_glucose": 7.0}
    assert "(typed as 126 mg/dL)" in client.get(f"{address}history/lab_glucose/").content.decode()
    body = {"version": 1, "values": {"lab_crp": 1.5}, "units": {"lab_crp": "mg/dL"}}
    answer = client.patch(
        f"/api/v1/patients/{patient.study_id}/crf/laboratory/stay/1/", body, content_type="application/json"
    )
    assert answer.json()["values"]["lab_crp"] == 15.0


def test_a_refused_page_keeps_the_unit(users: Users, patient: Patient, client: Client) -> None:
    client.force_login(users[Role.COORDINATOR])
    address = reverse("crf:further", args=[patient.study_id, "laboratory", "stay", 1])
    page = client.post(address, {"version": "0", "lab_glucose": "9999", "unit-lab_glucose": "mg/dL"}).content.decode()
    assert 'value="9999"' in page
    assert '<option value="mg/dL" data-factor="0.05551" selected>' in page
