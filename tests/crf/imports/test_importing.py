"""From the check to the import: what it counts, what it asks for, that all is written or nothing, and who may."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.http import Http404
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent
from apps.core.errors import Refusal
from apps.crf.imports.models import Import
from apps.crf.imports.reports import report_csv
from apps.crf.imports.services import drop_forgotten, run_import, start_import
from apps.crf.models import CrfForm, CrfValue
from apps.crf.places import Place
from apps.crf.services import save_form
from apps.crf.signatures.services import lock_form
from apps.patients.models import Patient
from tests.crf.imports.conftest import Check, found_in, sentence_of, table, work

pytestmark = pytest.mark.django_db
Users = dict[Role, User]
REASON = "new source data"


def save(actor: User, patient: Patient, place: Place | None = None, version: int = 0, **values: object) -> CrfForm:
    options = {"place": place} if place else {}
    return save_form(
        actor=actor, patient=patient, read_version=version, values=values, reason="typing error", **options
    ).form


def test_a_check_writes_nothing_and_counts(users: Users, patient: Patient, check: Check) -> None:
    actor = users[Role.COORDINATOR]
    save(actor, patient, age=70, gcs=9, nihss=12)
    before = (CrfValue.objects.count(), AuditEvent.objects.filter(action="save_form").count())
    found = check(actor, table([{"study_id": "C1-0001", "age": "71", "gcs": "9", "nihss": "", "sex": "Male"}]))
    report = found.report
    assert found.state == "ready" and report["needs_reason"]
    counted = {name: report[name] for name in ("rows", "patients", "new", "changed", "unchanged", "cleared", "blank")}
    assert counted == {"rows": 1, "patients": 1, "new": 1, "changed": 1, "unchanged": 1, "cleared": 0, "blank": 1}
    assert (CrfValue.objects.count(), AuditEvent.objects.filter(action="save_form").count()) == before
    assert CrfForm.objects.get(patient=patient).values == {"age": 70, "gcs": 9, "nihss": 12}


def test_changes_need_one_reason_and_go_the_usual_way(
    users: Users, patient: Patient, check: Check, finish: Check
) -> None:
    actor = users[Role.COORDINATOR]
    save(actor, patient, age=70, gcs=9)
    content = table([{"study_id": "C1-0001", "age": "71", "gcs": ""}])
    found = check(actor, content)
    with pytest.raises(Refusal) as refused:
        run_import(actor=actor, found=found)
    assert refused.value.code == "import_reason"
    done = finish(actor, found, REASON)
    assert done.state == "done" and bytes(done.content) == b""
    assert CrfForm.objects.get(patient=patient).values == {"age": 71, "gcs": 9}
    assert CrfValue.objects.get(form_version=2).reason == REASON
    events = list(AuditEvent.objects.order_by("pk").values_list("action", "reason"))
    assert events[-2:] == [("save_form", REASON), ("import_forms", REASON)]
    again = check(actor, content)
    assert again.state == "same" and again.report["unchanged"] == 1
    with pytest.raises(Refusal):
        run_import(actor=actor, found=again, reason=REASON)
    assert CrfValue.objects.count() == 3


def test_a_branch_clears_what_no_longer_applies(users: Users, patient: Patient, check: Check, finish: Check) -> None:
    actor, place = users[Role.COORDINATOR], Place("follow_up", "month_3")
    save(actor, patient, place, fu_status="dead", fu_date="2026-06-01", fu_death_date="2026-05-01")
    row = {"study_id": "C1-0001", "form": "follow_up", "visit": "month_3", "fu_status": "alive"}
    found = check(actor, table([row]))
    assert (found.report["changed"], found.report["cleared"]) == (1, 1)
    finish(actor, found, REASON)
    values = CrfForm.objects.get(name="follow_up").values
    assert values == {"fu_status": "alive", "fu_date": "2026-06-01"}


def test_what_is_computed_counts_as_written(users: Users, patient: Patient, check: Check, finish: Check) -> None:
    row = {"study_id": "C1-0001", "gcs_eye": "4", "gcs_verbal": "Confused", "gcs_motor": "6"}
    found = check(users[Role.COORDINATOR], table([row]))
    assert (found.report["new"], found.report["cleared"]) == (4, 0)
    finish(users[Role.COORDINATOR], found)
    assert CrfForm.objects.get(patient=patient).values["gcs"] == 14
    refused = check(users[Role.COORDINATOR], table([{**row, "gcs": "15"}]))
    assert found_in(refused) == {(2, "gcs")} and "computed from" in sentence_of(refused)


def test_forms_that_repeat_and_visits_have_rows_of_their_own(
    users: Users, patient: Patient, check: Check, finish: Check
) -> None:
    rows: list[dict[str, object]] = [
        {"study_id": "C1-0001", "form": "laboratory", "instance": "2", "lab_date": "2026-03-04", "lab_inr": "1.25"},
        {"study_id": "C1-0001", "form": "follow_up", "visit": "month_6", "fu_status": "lost", "fu_date": "2026-09-02"},
        {"study_id": "C1-0001", "age": "71"},
    ]
    finish(users[Role.COORDINATOR], check(users[Role.COORDINATOR], table(rows)))
    stored = {form.place: form.values for form in CrfForm.objects.all()}
    assert stored == {
        Place("laboratory", "stay", 2): {"lab_date": "2026-03-04", "lab_inr": 1.25},
        Place("follow_up", "month_6"): {"fu_status": "lost", "fu_date": "2026-09-02"},
        Place(): {"age": 71},
    }


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        ({"form": "follow_up", "fu_status": "lost"}, "visit", "month_3, month_6, month_12"),
        ({"form": "diary", "age": "71"}, "form", "follow_up"),
        ({"form": "laboratory", "instance": "501", "lab_inr": "1"}, "instance", "from 1 to 500"),
        ({"instance": "2", "age": "71"}, "instance", "leave it blank"),
        ({"lab_inr": "1"}, "lab_inr", "does not ask this"),
        ({"age": "=1+1"}, "age", "formula"),
        ({"age": "@x"}, "age", "formula"),
        ({"onset_to_ct_hours": "2,5"}, "onset_to_ct_hours", "12.5, not 12,5"),
        ({"age": "130"}, "age", "from 0 to 120"),
        ({"sex": "x"}, "sex", "male, female"),
        ({"outcome_assessor": "x" * 1_000_000}, "outcome_assessor", "too long"),
        ({"outcome_assessor": "A\u202e1"}, "outcome_assessor", "can't be seen"),
        ({"age": "7\x001"}, "age", "can't be seen"),
    ],
)  # fmt: skip
def test_a_cell_that_is_refused_says_why(
    users: Users, patient: Patient, check: Check, row: dict[str, str], column: str, words: str
) -> None:
    found = check(users[Role.COORDINATOR], table([{"study_id": "C1-0001", **row}]))
    assert found_in(found) == {(2, column)} and words in sentence_of(found)
    assert len(found.report["faults"][0]["value"]) <= 41 and "\u202e" not in str(found.report)


def test_foreign_and_absent_patients_get_the_same_sentence(
    users: Users, patient: Patient, foreign_patient: Patient, check: Check
) -> None:
    rows = [{"study_id": name, "age": "71"} for name in ("C2-0001", "C9-0001", "x" * 500, "C1\x00")]
    found = check(users[Role.COORDINATOR], table(rows))
    assert found_in(found) == {(row, "study_id") for row in (2, 3, 4, 5)}
    assert len({each["sentence"] for each in found.report["faults"]}) == 1


def test_outcomes_are_left_to_who_may_enter_them(users: Users, patient: Patient, check: Check) -> None:
    rows: list[dict[str, object]] = [
        {"study_id": "C1-0001", "outcome_assessor": "A1", "age": "71"},
        {"study_id": "C1-0001", "form": "follow_up", "visit": "month_3", "fu_status": "lost"},
    ]
    found = check(users[Role.DATA_MANAGER], table(rows))
    assert found_in(found) == {(2, "outcome_assessor"), (3, "fu_status")}
    assert check(users[Role.COORDINATOR], table(rows)).state == "ready"


def test_a_locked_form_and_a_second_row_of_the_same_form(users: Users, patient: Patient, check: Check) -> None:
    form = save(users[Role.COORDINATOR], patient, age=70)
    lock_form(actor=users[Role.DATA_MANAGER], form=form)
    rows = [{"study_id": "C1-0001", "age": "71", "sex": "male"}, {"study_id": "C1-0001", "age": "72"}]
    found = check(users[Role.COORDINATOR], table(rows))
    assert found_in(found) == {(2, "age"), (2, "sex"), (3, "study_id")}
    assert "locked" in found.report["faults"][0]["sentence"]


def test_rules_hold_and_doubtful_values_are_told_apart(users: Users, patient: Patient, check: Check) -> None:
    found = check(users[Role.COORDINATOR], table([{"study_id": "C1-0001", "systolic_bp": "90", "diastolic_bp": "100"}]))
    assert found_in(found) == {(2, "systolic_bp"), (2, "diastolic_bp")}
    found = check(users[Role.COORDINATOR], table([{"study_id": "C1-0001", "systolic_bp": "300"}]))
    assert found.state == "ready" and found.report["faults"] == []
    (doubtful,) = found.report["warnings"]
    assert (doubtful["row"], doubtful["column"]) == (2, "systolic_bp") and "unusual" in doubtful["sentence"]


def test_what_changed_after_the_check_stops_the_import(
    users: Users, patient: Patient, check: Check, finish: Check
) -> None:
    actor = users[Role.COORDINATOR]
    other = Patient.objects.create(study_id="C1-0002", center=patient.center, enrolled_by=actor)
    content = table([{"study_id": "C1-0001", "age": "71"}, {"study_id": "C1-0002", "age": "65"}])
    found = check(actor, content)
    save(users[Role.DATA_MANAGER], other, age=66)
    stopped = finish(actor, found)
    assert (stopped.state, stopped.report["moved"], stopped.report["needs_reason"]) == ("ready", True, True)
    assert (stopped.report["new"], stopped.report["changed"]) == (1, 1)
    assert not CrfForm.objects.filter(patient=patient).exists()
    # With the new report read and a reason given it goes through.
    assert finish(actor, stopped, REASON).state == "done"
    assert CrfForm.objects.get(patient=other).values == {"age": 65}


def test_a_form_locked_after_the_check_leaves_nothing_written(
    users: Users, patient: Patient, check: Check, finish: Check
) -> None:
    actor = users[Role.COORDINATOR]
    other = Patient.objects.create(study_id="C1-0002", center=patient.center, enrolled_by=actor)
    form = save(actor, other, age=66)
    found = check(actor, table([{"study_id": "C1-0001", "age": "71"}, {"study_id": "C1-0002", "gcs": "9"}]))
    lock_form(actor=users[Role.DATA_MANAGER], form=form)
    stopped = finish(actor, found)
    assert (stopped.state, found_in(stopped), bytes(stopped.content)) == ("refused", {(3, "gcs")}, b"")
    assert not CrfForm.objects.filter(patient=patient).exists()
    assert not AuditEvent.objects.filter(action="import_forms").exists()


def test_run_twice_by_a_lost_worker_it_is_one(users: Users, patient: Patient, check: Check, finish: Check) -> None:
    from apps.crf.imports.services import check_import, perform_import

    found = finish(users[Role.COORDINATOR], check(users[Role.COORDINATOR], table([{"study_id": "C1-0001", "age": 71}])))
    perform_import(None, found)  # type: ignore[arg-type]  # no worker is asked
    check_import(None, found)  # type: ignore[arg-type]
    assert CrfValue.objects.count() == 1


def test_a_later_file_takes_the_place_of_one_that_waits(users: Users, patient: Patient, check: Check) -> None:
    first = check(users[Role.COORDINATOR], table([{"study_id": "C1-0001", "age": "71"}]))
    check(users[Role.COORDINATOR], table([{"study_id": "C1-0001", "age": "72"}]))
    first.refresh_from_db()
    assert (first.state, bytes(first.content)) == ("dropped", b"")


def test_a_file_that_nobody_imports_is_deleted_after_a_week(users: Users, patient: Patient, check: Check) -> None:
    old, young = (
        check(users[role], table([{"study_id": "C1-0001", "age": "71"}]))
        for role in (Role.COORDINATOR, Role.DATA_MANAGER)
    )
    Import.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=8))
    drop_forgotten()
    old.refresh_from_db()
    young.refresh_from_db()
    assert (old.state, bytes(old.content), young.state) == ("dropped", b"", "ready")
    assert AuditEvent.objects.get(action="drop_import").object_id == str(old.pk)


def test_the_report_is_no_formula(users: Users, patient: Patient, check: Check) -> None:
    found = check(users[Role.COORDINATOR], table([{"study_id": "C1-0001", "age": "=HYPERLINK(1)"}]))
    (line,) = csv.DictReader(io.StringIO(report_csv(found.report).decode("utf-8-sig"), newline=""))
    assert (line["Row"], line["Column"], line["Value"]) == ("2", "age", "'=HYPERLINK(1)")


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.COORDINATOR, Role.DATA_MANAGER)])
def test_others_find_nothing(users: Users, client_as: Callable[[User], Client], role: Role) -> None:
    with pytest.raises(Http404):
        start_import(actor=users[role], content=b"study_id\r\n")
    assert client_as(users[role]).get("/import/").status_code == 404


def test_each_sees_his_own(users: Users, patient: Patient, check: Check, client_as: Callable[[User], Client]) -> None:
    found = check(users[Role.COORDINATOR], table([{"study_id": "C1-0001", "age": "71"}]))
    client = client_as(users[Role.DATA_MANAGER])
    for part in ("", "status/", "report.csv"):
        assert client.get(f"/import/{found.pk}/{part}").status_code == 404
    assert client.post(f"/import/{found.pk}/run/").status_code == 404


def test_by_the_page(
    users: Users, patient: Patient, client_as: Callable[[User], Client], django_capture_on_commit_callbacks: Any
) -> None:
    client = client_as(users[Role.COORDINATOR])
    assert "You have imported nothing yet." in client.get("/import/").content.decode()
    file = io.BytesIO(table([{"study_id": "C1-0001", "age": "71", "systolic_bp": "300"}]))
    file.name = "John Smith.csv"
    sent = client.post("/import/", {"file": file, "dates": "iso", "encoding": "utf-8"})
    assert sent.status_code == 302
    work(django_capture_on_commit_callbacks)
    page = client.get(sent["Location"]).content.decode()
    assert "Nothing is refused" in page and "is unusual" in page and "Smith" not in page
    assert client.post(f"{sent['Location']}run/").status_code == 302
    work(django_capture_on_commit_callbacks)
    assert "The file itself has been deleted" in client.get(sent["Location"]).content.decode()
    assert client.post("/import/", {"file": io.BytesIO(b"")}).status_code == 422


def test_by_the_api(
    users: Users, patient: Patient, api_as: Callable[[User], Any], django_capture_on_commit_callbacks: Any
) -> None:
    api = api_as(users[Role.COORDINATOR])

    def send(age: str, **more: str) -> dict[str, Any]:
        file = io.BytesIO(table([{"study_id": "C1-0001", "age": age}]))
        answer = api.post("/api/v1/imports/", {"file": file, **more}, format="multipart")
        assert answer.status_code == 202
        work(django_capture_on_commit_callbacks)
        work(django_capture_on_commit_callbacks)
        found: dict[str, Any] = api.get(f"/api/v1/imports/{answer.json()['id']}/").json()
        return found

    found = send("71")
    assert (found["state"], found["report"]["new"]) == ("ready", 1)
    assert api.post(f"/api/v1/imports/{found['id']}/run/", {}).status_code == 202
    work(django_capture_on_commit_callbacks)
    assert api.get(f"/api/v1/imports/{found['id']}/").json()["state"] == "done"
    assert api.post(f"/api/v1/imports/{found['id']}/run/", {}).status_code == 409
    assert send("72", dry_run="false")["state"] == "ready"  # a reason is missing
    assert send("72", dry_run="false", reason=REASON)["state"] == "done"
    assert CrfForm.objects.get(patient=patient).values == {"age": 72}
    refused = send("x")
    assert b"whole number" in api.get(f"/api/v1/imports/{refused['id']}/report.csv").content
