"""Our own exports, and REDCap's data files, read back in: the same answers, and no moved date taken for a true one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.cohorts.exports.columns import columns, prepared
from apps.cohorts.exports.entries import Entry, Subject, subjects
from apps.cohorts.exports.files import as_csv, as_xlsx
from apps.cohorts.exports.redcap import redcap_csv
from apps.cohorts.table import build_rows, exported_value
from apps.core.spreadsheet import safe_cell
from apps.crf.dictionary import load_dictionary
from apps.crf.imports.cells import read_cell
from apps.crf.models import CrfForm
from apps.crf.places import MAIN_PLACE, Place
from apps.crf.services import save_form
from apps.patients.models import Patient
from tests.crf.imports.conftest import Check, found_in, sentence_of, table

pytestmark = pytest.mark.django_db
Users = dict[Role, User]
KEYS = ("record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance")
# By place: values, and why others are missing.
ANSWERS: dict[Place, tuple[dict[str, object], dict[str, str]]] = {
    MAIN_PLACE: (
        {
            "admission_date": "2026-03-01", "age": 70, "sex": "male", "onset_to_ct_hours": 2.5, "gcs_eye": 4,
            "gcs_verbal": 4, "gcs_motor": 6, "gcs": 14, "ivh": True, "headache": False, "outcome_assessor": "A1",
        },
        {"nihss": "not_done", "smoking": "refused", "location": "not_applicable"},
    ),
    Place("laboratory", "stay", 1): ({"lab_date": "2026-03-02", "lab_inr": 1.0}, {"lab_sodium": "unknown"}),
    Place("laboratory", "stay", 3): ({"lab_date": "2026-03-04", "lab_inr": 1.25}, {}),
    Place("follow_up", "month_3"): ({"fu_status": "lost", "fu_date": "2026-06-01"}, {}),
    Place("follow_up", "month_6"): (
        {"fu_status": "alive", "fu_date": "2026-09-01", "fu_mrs": 2}, {"fu_gos": "unknown"},
    ),
}  # fmt: skip


def redcap(patient: Patient) -> bytes:
    """Return the redcap.csv of a patient with these answers, whether he has them or not."""
    entries = []
    for place, (values, missing) in ANSWERS.items():
        known = load_dictionary().questions(place.form).variables
        moved: dict[str, Any] = {name: exported_value(known[name], value, patient) for name, value in values.items()}
        entries.append(Entry(place, moved, missing))
    return b"".join(redcap_csv(iter([Subject(patient.study_id, patient.center.code, tuple(entries))])))


def stored() -> dict[Place, tuple[dict[str, object], dict[str, str]]]:
    return {form.place: (form.values, form.missing) for form in CrfForm.objects.all()}


def saved(actor: User, patient: Patient) -> None:
    for place, (values, missing) in ANSWERS.items():
        save_form(actor=actor, patient=patient, read_version=0, values=values, missing=missing, place=place)


def lines(*rows: Mapping[str, object]) -> bytes:
    return table([{**dict.fromkeys(KEYS, ""), "record_id": "C1-0001", **row} for row in rows])


def test_into_blank_forms_the_same_answers_come_back(
    users: Users, patient: Patient, check: Check, finish: Check
) -> None:
    found = check(users[Role.COORDINATOR], redcap(patient), dates="moved")
    assert found.state == "ready", found.report
    finish(users[Role.COORDINATOR], found)
    assert stored() == ANSWERS


def test_the_export_of_what_is_saved_changes_nothing(users: Users, patient: Patient, check: Check) -> None:
    saved(users[Role.COORDINATOR], patient)
    content = b"".join(redcap_csv(subjects(["C1"])))
    assert content == redcap(patient)
    found = check(users[Role.COORDINATOR], content, dates="moved")
    assert (found.state, found.report["refused"], found.report["rows"]) == ("same", 0, 5)
    assert found.report["unchanged"] == sum(len(values) + len(missing) for values, missing in ANSWERS.values())


@pytest.mark.parametrize("make", [as_csv, as_xlsx])
def test_data_of_an_export_is_edited_and_imported_again(
    users: Users, patient: Patient, check: Check, make: Any
) -> None:
    saved(users[Role.COORDINATOR], patient)
    rows = prepared(build_rows(["C1"]))
    found = check(users[Role.COORDINATOR], make(columns(), rows), dates="moved")
    assert (found.state, found.report["refused"]) == ("same", 0), found.report
    rows[0] |= {"crf_age": 71, "missing_reasons": "nihss=refused; hypertension=unknown"}
    found = check(users[Role.COORDINATOR], make(columns(), rows), dates="moved")
    assert (found.state, found.report["changed"], found.report["new"]) == ("ready", 2, 1)


def test_whether_dates_are_moved_has_to_be_said(users: Users, patient: Patient, check: Check) -> None:
    actor = users[Role.COORDINATOR]
    saved(actor, patient)
    for content in (redcap(patient), as_csv(columns(), prepared(build_rows(["C1"])))):
        for dates in ("iso", "day_first", "month_first"):
            found = check(actor, content, dates=dates)
            assert (found.state, found_in(found)) == ("refused", {(0, "")}) and "Choose which" in sentence_of(found)
    # No date, no question.
    plain = lines({"redcap_event_name": "stay_arm_1", "age": "71"})
    assert check(actor, plain).state == "ready"


def test_a_moved_date_is_not_taken_for_a_true_one(users: Users, patient: Patient, check: Check) -> None:
    actor = users[Role.COORDINATOR]
    saved(actor, patient)
    found = check(actor, redcap(patient), dates="true")
    assert found_in(found) == {
        (2, "admission_date"), (3, "lab_date"), (4, "lab_date"), (5, "fu_date"), (6, "fu_date"),
    }  # fmt: skip
    # Not even where nothing tells any longer that the file is an export.
    bare = [{"study_id": "C1-0001", "admission_date": build_rows(["C1"])[0]["crf_admission_date"]}]
    found = check(actor, table(bare))
    assert found_in(found) == {(2, "admission_date")} and "as exports move it" in sentence_of(found)


def test_true_dates_of_redcap_go_in_as_they_are(users: Users, patient: Patient, check: Check, finish: Check) -> None:
    row = {
        "redcap_event_name": "stay_arm_1", "admission_date": "2026-03-01", "nihss": "ND", "sex": "female",
        "admission_complete": "2", "laboratory_complete": "", "redcap_data_access_group": "c1", "treatment": "",
    }  # fmt: skip
    found = check(users[Role.COORDINATOR], lines(row), dates="true")
    assert found.state == "ready", found.report
    finish(users[Role.COORDINATOR], found)
    assert stored() == {MAIN_PLACE: ({"admission_date": "2026-03-01", "sex": "female"}, {"nihss": "not_done"})}


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        ({"redcap_event_name": "month_9_arm_1", "age": "71"}, "redcap_event_name", "month_3_arm_1"),
        ({"redcap_event_name": "", "age": "71"}, "redcap_event_name", "stay_arm_1"),
        ({"redcap_event_name": "month_3_arm_1", "age": "71"}, "age", "does not ask this"),
        ({"redcap_event_name": "stay_arm_1", "lab_inr": "1"}, "lab_inr", "does not ask this"),
        (
            {"redcap_event_name": "stay_arm_1", "redcap_repeat_instrument": "follow_up", "fu_mrs": "1"},
            "redcap_repeat_instrument", "repeat_ct, laboratory",
        ),
        (
            {
                "redcap_event_name": "stay_arm_1", "redcap_repeat_instrument": "laboratory",
                "redcap_repeat_instance": "0", "lab_inr": "1",
            },
            "redcap_repeat_instance", "from 1 to 500",
        ),
        ({"record_id": "C9-0001", "redcap_event_name": "stay_arm_1", "age": "71"}, "record_id", "enroll the patient"),
        ({"record_id": "", "redcap_event_name": "stay_arm_1", "age": "71"}, "record_id", "is missing"),
        ({"redcap_event_name": "stay_arm_1", "age": "130"}, "age", "from 0 to 120"),
        ({"redcap_event_name": "stay_arm_1", "operation_date": "ND"}, "operation_date", "does not apply"),
    ],
)  # fmt: skip
def test_a_fault_is_named_in_words_of_the_file(
    users: Users, patient: Patient, check: Check, row: dict[str, str], column: str, words: str
) -> None:
    found = check(users[Role.COORDINATOR], lines(row), dates="true")
    assert found_in(found) == {(2, column)} and words in sentence_of(found)


def test_a_file_without_records_says_so(users: Users, patient: Patient, check: Check) -> None:
    found = check(users[Role.COORDINATOR], table([{"redcap_event_name": "stay_arm_1", "age": "71"}]))
    assert found_in(found) == {(0, "")} and "record_id" in sentence_of(found)


def test_the_range_of_a_moved_date_tells_nothing_of_a_foreign_patient(
    users: Users, patient: Patient, foreign_patient: Patient, check: Check
) -> None:
    rows = [{"study_id": name, "admission_date": "2999-01-01"} for name in ("C2-0001", "C9-0001", "C1-0001")]
    found = check(users[Role.COORDINATOR], table(rows), dates="moved")
    assert found_in(found) == {(2, "study_id"), (3, "study_id"), (4, "admission_date")}


@pytest.mark.parametrize("text", ["=1+1", "-A1", "+A1", "@x", "\tx"])
def test_a_text_that_a_spreadsheet_would_run_comes_back_without_its_apostrophe(text: str) -> None:
    variable = replace(load_dictionary().variables["outcome_assessor"], pattern=None, max_length=50)
    assert read_cell(variable, safe_cell(text), "iso") == text.strip()
    assert read_cell(variable, "'quoted'", "iso") == "'quoted'"
