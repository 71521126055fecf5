"""A sheet as a center keeps it, of 2,000 patients: every fault in it is named, and nothing else; mended, it goes in."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.crf.models import CrfForm, CrfValue
from apps.crf.services import save_form
from apps.crf.signatures.services import lock_form
from apps.patients.models import Patient
from tests.browser.forms import VALUES
from tests.crf.imports.conftest import Check, found_in, table

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.timeout(1200)]
Users = dict[Role, User]
PATIENTS = 2000
# Of each patient what is in the file, and the mean arterial pressure that is computed from it.
WRITTEN = PATIENTS * (len(VALUES) + 1)
# By study number: what is written instead. The row of a patient is his number and one for the head.
DIRT = {
    17: {"age": "130"},
    18: {"age": "sixty"},
    19: {"age": "=60+1"},
    101: {"onset_to_ct_hours": "2,5"},
    102: {"onset_to_ct_hours": "2.555"},
    203: {"admission_date": "03/04/2026"},
    204: {"admission_date": "2026-02-30"},
    205: {"admission_date": "2999-01-01"},
    307: {"sex": "man"},
    308: {"ivh": "maybe"},
    309: {"systolic_bp": "18\u200b2"},
    310: {"diastolic_bp": "1" * 1_000_000},
    411: {"gcs": "\u202e10"},
    412: {"gcs": "9", "nihss": "+x"},
    503: {"study_id": "C2-0001"},
    504: {"study_id": "C1-9999"},
    505: {"study_id": ""},
    506: {"study_id": "C1-0001"},
    607: {"diastolic_bp": "200"},
    1999: {"lab_inr": "1.2"},
}
LOCKED = 800
BLAMED = {
    412: {"nihss"}, 506: {"study_id"}, 607: {"systolic_bp", "diastolic_bp"}, LOCKED: set(VALUES) - {"age"},
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_heartbeat(settings: Any) -> None:
    """The transaction of the test would keep it waiting on SQLite."""
    settings.JOB_HEARTBEAT_SECONDS = 3600


@pytest.fixture
def cohort(two_centers: tuple[Center, Center], users: Users) -> list[Patient]:
    first, second = two_centers
    actor = users[Role.COORDINATOR]
    people = [
        Patient(study_id=f"C1-{number:04d}", center=first, enrolled_by=actor) for number in range(1, PATIENTS + 1)
    ]
    Patient.objects.create(study_id="C2-0001", center=second, enrolled_by=users[Role.PI])
    return Patient.objects.bulk_create(people)


def sheet(dirt: dict[int, dict[str, str]]) -> list[dict[str, Any]]:
    return [
        {"study_id": f"C1-{number:04d}", "lab_inr": "", **VALUES, **dirt.get(number, {})}
        for number in range(1, PATIENTS + 1)
    ]


def test_the_report_names_exactly_the_cells_at_fault(users: Users, cohort: list[Patient], check: Check) -> None:
    actor = users[Role.COORDINATOR]
    form = save_form(actor=actor, patient=cohort[LOCKED - 1], read_version=0, values={"age": VALUES["age"]}).form
    lock_form(actor=users[Role.DATA_MANAGER], form=form)
    found = check(actor, table(sheet(DIRT)))
    at_fault = {number: set(cells) for number, cells in DIRT.items()} | BLAMED
    assert found_in(found) == {(number + 1, name) for number, names in at_fault.items() for name in names}
    assert found.state == "refused" and found.report["rows"] == PATIENTS
    assert all(each["sentence"].endswith(".") and len(each["value"]) <= 41 for each in found.report["faults"])
    assert CrfForm.objects.count() == 1


def test_the_mended_sheet_goes_in(users: Users, cohort: list[Patient], check: Check, finish: Check) -> None:
    actor = users[Role.COORDINATOR]
    found = check(actor, table(sheet({})))
    assert (found.state, found.report["new"]) == ("ready", WRITTEN)
    done = finish(actor, found)
    assert done.state == "done" and CrfValue.objects.count() == WRITTEN
    last = CrfForm.objects.get(patient__study_id="C1-2000").values
    assert (last["age"], last["onset_to_ct_hours"], last["ivh"], last["treatment"]) == (71, 2.5, False, "cmt")
    again = check(actor, table(sheet({})))
    assert again.state == "same" and CrfValue.objects.count() == WRITTEN
