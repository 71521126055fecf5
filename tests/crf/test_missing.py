"""Coded reasons for a missing value: what they take the place of, what they count for, and where they are seen."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent
from apps.audit.selectors import in_words
from apps.audit.verification import Verification
from apps.core.errors import Conflict
from apps.crf.dictionary import load_dictionary
from apps.crf.missing import Missing
from apps.crf.models import CrfForm, CrfValue
from apps.crf.places import MAIN_PLACE
from apps.crf.queries.models import Query
from apps.crf.queries.running import run_rules
from apps.crf.selectors import completeness, form_of, history_of, score_inputs_of
from apps.crf.services import FormErrors, ReasonRefused, save_form
from apps.crf.signatures.selectors import state_of
from apps.crf.signatures.services import sign_form
from apps.patients.models import Patient
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db
Users = dict[Role, User]


def save(
    users: Users, patient: Patient, values: Mapping[str, object], missing: Mapping[str, str] | None = None,
    reason: str = "typing error",
) -> CrfForm:  # fmt: skip
    patient = Patient.objects.get(pk=patient.pk)
    return save_form(
        actor=users[Role.COORDINATOR], patient=patient, read_version=form_of(patient).version, values=values,
        missing=missing or {}, reason=reason,
    ).form  # fmt: skip


def test_a_reason_takes_the_place_of_a_value_and_gives_it_back(users: Users, patient: Patient) -> None:
    save(users, patient, {"age": 60, "gcs": 9})
    form = save(users, patient, {}, {"gcs": "not_done"})
    assert (form.values, form.missing) == ({"age": 60}, {"gcs": "not_done"})
    form = save(users, patient, {"gcs": 7})
    assert (form.values, form.missing) == ({"age": 60, "gcs": 7}, {})
    form = save(users, patient, {"gcs": ""}, {"gcs": "refused"})
    form = save(users, patient, {"gcs": ""}, {"gcs": ""})
    assert (form.values, form.missing) == ({"age": 60}, {})
    gcs = load_dictionary().variables["gcs"]
    assert [past.text for past in history_of(form, gcs)] == ["", "Refused", "7", "Not done", "9"]
    # Every one of these steps stands in the database, and as what it was.
    events = CrfValue.objects.filter(variable="gcs").order_by("pk").values_list("value", "missing")
    assert list(events) == [(9, ""), (None, "not_done"), (7, ""), (None, "refused"), (None, "")]


@pytest.mark.django_db(transaction=True)  # the chain is closed at commit
def test_the_trail_tells_of_reasons_and_verifies(users: Users, patient: Patient) -> None:
    save(users, patient, {"age": 60}, {"gcs": "unknown"})
    save(users, patient, {"systolic_bp": 150}, {"age": "refused"})
    events = list(AuditEvent.objects.filter(action="save_form").order_by("pk"))
    assert events[1].changes["age"] == [60, {"missing": "refused"}]
    told = [[(change.label, change.old, change.new) for change in shown.changes] for shown in in_words(events)]
    assert told == [
        [("Age", "", "60 years"), ("Glasgow Coma Scale", "", "Unknown")],
        [("Age", "60 years", "Refused"), ("Systolic blood pressure", "", "150 mmHg")],
    ]
    assert list(Verification().faults()) == []
    CrfForm.objects.update(missing={})
    assert len(list(Verification().faults())) == 1


def test_a_reason_counts_as_answered_but_feeds_nothing(users: Users, patient: Patient) -> None:
    form = save(users, patient, {"treatment": "cmt", "withdrawal_of_care": False})
    blank = completeness(form).missing
    form = save(users, patient, {}, dict.fromkeys(blank, "unknown"))
    assert completeness(form).is_complete
    assert form.is_complete
    assert set(form.values) == {"treatment", "withdrawal_of_care"}
    assert score_inputs_of(form.values)["gcs"] is None


def test_a_reason_opens_no_branch_and_goes_with_one_that_closes(users: Users, patient: Patient) -> None:
    save(users, patient, {"treatment": "cc"}, {"operation_date": "unknown"})
    form = save(users, patient, {}, {"treatment": "refused"})
    assert form.missing == {"treatment": "refused"}
    with pytest.raises(FormErrors) as refused:
        save(users, patient, {}, {"operation_date": "unknown"})
    assert "does not apply" in refused.value.errors["operation_date"]


@pytest.mark.parametrize(
    ("values", "missing", "words"),
    [
        ({"gcs": 9}, {"gcs": "unknown"}, "Take one of the two away"),
        ({}, {"gcs": "unbekannt"}, "unknown, not_done, refused, not_applicable"),
        ({}, {"glasgow": "unknown"}, "no variable of this name"),
    ],
)
def test_what_is_no_reason_is_refused(
    values: dict[str, object], missing: dict[str, str], words: str, users: Users, patient: Patient
) -> None:
    with pytest.raises(FormErrors) as refused:
        save(users, patient, values, missing)
    assert words in next(iter(refused.value.errors.values()))
    assert not CrfForm.objects.exists()


def test_a_blank_code_says_nothing(users: Users, patient: Patient) -> None:
    save(users, patient, {"gcs": 9})
    assert save(users, patient, {}, {"gcs": ""}).values == {"gcs": 9}


def test_a_reason_for_what_was_saved_is_a_change_that_needs_to_be_explained(users: Users, patient: Patient) -> None:
    save(users, patient, {}, {"gcs": "unknown"})
    with pytest.raises(ReasonRefused):
        save(users, patient, {}, {"gcs": "not_done"}, reason="")


def test_two_people_never_overwrite_each_other(users: Users, patient: Patient) -> None:
    save(users, patient, {"age": 60})
    save(users, patient, {}, {"gcs": "unknown"})
    patient = Patient.objects.get(pk=patient.pk)
    with pytest.raises(Conflict) as refused:
        save_form(actor=users[Role.COORDINATOR], patient=patient, read_version=1, values={"gcs": 9}, reason="x")
    assert "Unknown" in refused.value.errors["gcs"]  # type: ignore[attr-defined]


def test_a_reason_answers_the_query_of_a_blank(users: Users, patient: Patient) -> None:
    save(users, patient, {"age": 60})
    run_rules()
    query = Query.objects.get(rule="blank", variable="gcs")
    save(users, patient, {}, {"gcs": "not_done"})
    query.refresh_from_db()
    assert query.state == Query.State.CLOSED
    run_rules()
    query.refresh_from_db()
    assert query.state == Query.State.CLOSED


def test_a_changed_reason_voids_a_signature(users: Users, patient: Patient) -> None:
    form = save(users, patient, {"age": 60}, {"gcs": "unknown"})
    pi = users[Role.PI]
    sign_form(
        actor=pi, form=form, part="form", meaning="approved", read_version=form.version, username=pi.username,
        password=PASSWORD,
    )  # fmt: skip
    assert state_of(form).signatures[0].is_valid
    form = save(users, patient, {}, {"gcs": "not_done"})
    assert "Glasgow Coma Scale" in state_of(form).signatures[0].void


def test_page_and_api_take_and_show_reasons(users: Users, patient: Patient, client: Client) -> None:
    client.force_login(users[Role.COORDINATOR])
    address = reverse("crf:form", args=[patient.study_id])
    client.post(address, {"version": "0", "age": "60", "gcs": "", "missing-gcs": "not_done", "missing-age": ""})
    assert form_of(Patient.objects.get(pk=patient.pk), MAIN_PLACE).missing == {"gcs": "not_done"}
    page = client.get(address).content.decode()
    assert page.count('<option value="not_done" selected>Not done</option>') == 1
    assert "Not done" in client.get(reverse("patients:detail", args=[patient.study_id])).content.decode()

    api = f"/api/v1/patients/{patient.study_id}/crf/"
    assert client.get(api).json()["missing"] == {"gcs": "not_done"}
    body = {"version": 1, "values": {"gcs": None}, "missing": {"nihss": "unknown"}, "reason": "typing error"}
    answer = client.patch(api, body, content_type="application/json")
    assert (answer.status_code, answer.json()["missing"]) == (200, {"nihss": "unknown"})
    body = {"version": 2, "values": {}, "missing": {"nihss": "none"}, "reason": "typing error"}
    assert "nihss" in client.patch(api, body, content_type="application/json").json()["errors"]


def test_a_draft_keeps_a_reason(users: Users, patient: Patient, client: Client) -> None:
    client.force_login(users[Role.COORDINATOR])
    address = reverse("crf:form", args=[patient.study_id])
    client.post(f"{address}draft/", {"version": "0", "gcs": "", "missing-gcs": "refused"})
    assert '<option value="refused" selected>' in client.get(address).content.decode()


def test_every_reason_has_words() -> None:
    assert [str(label) for label in Missing.labels] == ["Unknown", "Not done", "Refused", "Not applicable"]
