"""Computed values: from their parts alone, in every save; and found where they are out of date."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.crf.dictionary import FOLDER, SHIPPED, DictionaryError, load_dictionary, parse_dictionary
from apps.crf.models import CrfForm, CrfValue
from apps.crf.queries.models import Query
from apps.crf.queries.running import run_rules
from apps.crf.selectors import form_of, score_inputs_of
from apps.crf.services import FormErrors, ReasonRefused, SaveResult, save_form
from apps.patients.models import Patient

pytestmark = pytest.mark.django_db
Users = dict[Role, User]
# Teasdale and Jennett 1974: eye 1 to 4, verbal 1 to 5, motor 1 to 6; the total is their sum, from 3 to 15.
RESPONSES = {"gcs_eye": 3, "gcs_verbal": 4, "gcs_motor": 5}


def save(users: Users, patient: Patient, values: Mapping[str, object], reason: str = "typing error") -> SaveResult:
    patient = Patient.objects.get(pk=patient.pk)
    read = form_of(patient).version
    return save_form(actor=users[Role.COORDINATOR], patient=patient, read_version=read, values=values, reason=reason)


def test_the_total_of_the_gcs_follows_its_responses(users: Users, patient: Patient) -> None:
    form = save(users, patient, RESPONSES).form
    assert form.values["gcs"] == 12
    assert score_inputs_of(form.values)["gcs"] == 12
    assert save(users, patient, {"gcs_motor": 6}).form.values["gcs"] == 13
    # With a response unknown so is the total, and nothing of it is lost from the history.
    form = save(users, patient, {"gcs_verbal": ""}).form
    assert "gcs" not in form.values
    assert list(CrfValue.objects.filter(variable="gcs").values_list("value", flat=True)) == [12, 13, None]


def test_the_bounds_of_the_gcs_are_those_of_its_responses() -> None:
    variables = load_dictionary().variables
    grades = [[int(choice.value) for choice in variables[name].choices] for name in RESPONSES]
    assert [sorted(each) for each in grades] == [[1, 2, 3, 4], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6]]


def test_a_total_may_be_typed_where_no_response_is_known(users: Users, patient: Patient) -> None:
    assert save(users, patient, {"gcs": 9}).form.values["gcs"] == 9
    assert save(users, patient, RESPONSES).form.values["gcs"] == 12
    with pytest.raises(FormErrors) as refused:
        save(users, patient, {"gcs": 9})
    assert "It is 12" in refused.value.errors["gcs"]
    # What was computed goes with its parts: it was never typed.
    assert save(users, patient, dict.fromkeys(RESPONSES, "")).form.values == {}


def test_a_computed_value_changes_for_a_reason_like_any_other(users: Users, patient: Patient) -> None:
    save(users, patient, {"gcs": 9})
    with pytest.raises(ReasonRefused):
        save(users, patient, RESPONSES, reason="")


def test_pressure_and_stay(users: Users, patient: Patient) -> None:
    values = {"systolic_bp": 180, "diastolic_bp": 101, "admission_date": "2024-02-27", "discharge_date": "2024-03-02"}
    form = save(users, patient, values).form
    # (180 + 2 x 101) / 3 = 127.33; 2024 is a leap year.
    assert (form.values["mean_arterial_pressure"], form.values["length_of_stay"]) == (127.3, 4)
    with pytest.raises(FormErrors) as refused:
        save(users, patient, {"length_of_stay": 5})
    assert "Date of admission, Date of discharge" in refused.value.errors["length_of_stay"]
    assert save(users, patient, {"length_of_stay": 4}).changed == ()


def test_a_computed_value_out_of_date_is_asked_about_and_mended_by_a_save(users: Users, patient: Patient) -> None:
    save(users, patient, RESPONSES)
    CrfForm.objects.update(values=RESPONSES | {"gcs": 11})  # as an older formula would have left it
    run_rules()
    query = Query.objects.get(rule="stale")
    assert (query.variable, query.about, query.facts) == ("gcs", {"gcs": 11}, {"computed": 12})
    save(users, patient, {})
    query.refresh_from_db()
    assert query.state == Query.State.CLOSED
    assert form_of(Patient.objects.get(pk=patient.pk)).values["gcs"] == 12


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("{sum: [age, later]}", "unknown here (a formula can only name variables above it): later"),
        ("{days: [age, age]}", "days need dates"),
        ("{sum: [sex, age]}", "a sum and a mean need numbers"),
        ("{sum: [age, age], mean: {age: 1}}", "a formula is one of: sum, mean, days"),
        ("{sum: [age]}", "computed"),
    ],
)
def test_a_formula_that_can_not_work_is_refused(formula: str, words: str) -> None:
    text = (FOLDER / f"{SHIPPED}.yaml").read_text(encoding="utf-8")
    changed = text.replace("computed: {days: [admission_date, discharge_date]}", f"computed: {formula}")
    assert changed != text
    with pytest.raises(DictionaryError) as refused:
        parse_dictionary(changed)
    assert words in str(refused.value)
