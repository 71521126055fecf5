"""Why values are missing, from a file: the column that exports write, held against the form cell by cell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.crf.missing import Missing, reasons_as_text, text_as_reasons
from apps.crf.models import CrfForm, CrfValue
from apps.crf.services import save_form
from apps.patients.models import Patient
from tests.crf.imports.conftest import Check, found_in, sentence_of, table

Users = dict[Role, User]
COLUMN = "missing_reasons"
NAMES = ("age", "sex", "nihss", "smoking", "lab_inr")


@given(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(Missing.values)))
def test_what_is_written_is_read_back_in_the_order_of_the_dictionary(given_: dict[str, str]) -> None:
    text = reasons_as_text(given_, NAMES)
    read = [(name, code) for _part, name, code in text_as_reasons(text)]
    assert read == [(name, given_[name]) for name in NAMES if name in given_]


def test_people_may_edit_it_by_hand() -> None:
    read = text_as_reasons(" NIHSS = Not_done ;; smoking＝unknown；age=;sex\nlab_inr=refused")
    assert [(name, code) for _part, name, code in read] == [
        ("nihss", "not_done"), ("smoking", "unknown"), ("age", ""), ("sex", ""), ("lab_inr", "refused"),
    ]  # fmt: skip


@pytest.mark.django_db
def test_reasons_are_imported_counted_and_a_blank_changes_nothing(
    users: Users, patient: Patient, check: Check, finish: Check
) -> None:
    actor = users[Role.COORDINATOR]
    save_form(actor=actor, patient=patient, read_version=0, values={"age": 70}, missing={"sex": "unknown"})
    row = {"study_id": "C1-0001", "age": "", "nihss": "", "smoking": "", COLUMN: "nihss=not_done; smoking=refused"}
    found = check(actor, table([row]))
    report = found.report
    assert (found.state, report["new"], report["changed"], report["blank"]) == ("ready", 2, 0, 1)
    assert finish(actor, found).state == "done"
    form = CrfForm.objects.get(patient=patient)
    assert form.values == {"age": 70}
    assert form.missing == {"sex": "unknown", "nihss": "not_done", "smoking": "refused"}
    assert set(CrfValue.objects.filter(form_version=2).values_list("variable", "missing")) == {
        ("nihss", "not_done"), ("smoking", "refused"),
    }  # fmt: skip
    again = check(actor, table([row]))
    assert (again.state, again.report["unchanged"]) == ("same", 2)


@pytest.mark.django_db
def test_a_reason_takes_the_place_of_a_value_and_a_value_that_of_a_reason(
    users: Users, patient: Patient, check: Check, finish: Check
) -> None:
    actor = users[Role.COORDINATOR]
    save_form(actor=actor, patient=patient, read_version=0, values={"nihss": 12}, missing={"sex": "unknown"})
    found = check(actor, table([{"study_id": "C1-0001", "sex": "male", COLUMN: "nihss=not_done"}]))
    assert (found.report["changed"], found.report["needs_reason"]) == (2, True)
    finish(actor, found, "new source data")
    form = CrfForm.objects.get(patient=patient)
    assert (form.values, form.missing) == ({"sex": "male"}, {"nihss": "not_done"})


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("nihs=not_done", "the nearest is “nihss”"),
        ("qqqq=not_done", "No variable has this name. Correct it"),
        ("nihss=later", "unknown, not_done, refused, not_applicable"),
        ("nihss", "Write variable=code"),
        ("nihss not_done", "Write variable=code"),
        ("=unknown", "Write variable=code"),
        ("age=unknown", "Take one of the two away"),
        ("lab_inr=unknown", "The form of this row does not ask this variable"),
        ("nihss=unknown; nihss=refused", "named twice"),
        ("operation_date=unknown", "does not apply"),
        ("mean_arterial_pressure=unknown", "computed from"),
    ],
)  # fmt: skip
def test_a_reason_that_is_refused_says_why(users: Users, patient: Patient, check: Check, cell: str, words: str) -> None:
    row = {"study_id": "C1-0001", "age": "71", "systolic_bp": "150", "diastolic_bp": "90", COLUMN: cell}
    found = check(users[Role.COORDINATOR], table([row]))
    assert found_in(found) == {(2, COLUMN)} and words in sentence_of(found)
    assert found.report["faults"][0]["value"] == cell.rpartition("; ")[2]
    assert not CrfForm.objects.exists()


@pytest.mark.django_db
def test_only_who_may_enter_an_outcome_says_why_it_is_missing(users: Users, patient: Patient, check: Check) -> None:
    content = table([{"study_id": "C1-0001", COLUMN: "gos_discharge=unknown"}])
    assert found_in(check(users[Role.DATA_MANAGER], content)) == {(2, COLUMN)}
    assert check(users[Role.COORDINATOR], content).state == "ready"
