"""Exports: what is in the files, as other programs read them, and who may have them."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from datetime import date
from typing import Any

import openpyxl
import pandas as pd
import pyreadstat
import pytest
from django.db import connection
from django.http import Http404
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from apps.accounts.models import Center, Membership, User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent
from apps.cohorts.exports.columns import Column, Kind, columns
from apps.cohorts.exports.files import as_csv, as_json, as_sav, as_xlsx, codebook_csv
from apps.cohorts.exports.selectors import exports_visible_to
from apps.cohorts.exports.services import request_export, retry_export, write_export
from apps.cohorts.models import Export
from apps.cohorts.table import build_rows
from apps.core import store
from apps.core.errors import Refusal
from apps.core.jobs import run_job
from apps.core.models import Job
from apps.crf.dictionary import load_dictionary
from apps.crf.places import Place
from apps.crf.services import save_form
from apps.patients.models import Patient
from tests.cohorts import factory
from tests.factories import user_with

Capture = Callable[..., Any]
PURPOSE = "Interim analysis"
TABLES = ("data", "follow_up", "repeat_ct", "laboratory")
NAMES = {"codebook.csv", "READ-ME.txt", "redcap.csv", "odm.xml"} | {
    f"{name}.{kind}" for name in TABLES for kind in ("csv", "xlsx", "sav", "json")
}


@pytest.fixture
def capture(django_capture_on_commit_callbacks: Capture) -> Capture:
    return django_capture_on_commit_callbacks


@pytest.fixture
def cohort(two_centers: tuple[Center, Center], users: dict[Role, User], files: Callable[[], set[str]]) -> list[Patient]:
    """Two patients in each of two centers; one of them still in hospital, with no outcome yet."""
    first, second = two_centers
    rows = factory.simulated_rows(2, 2)
    places = [first, second, first, second]
    return [
        factory.ready_patient(place, row, number, discharged=number != 3)
        for number, (place, row) in enumerate(zip(places, rows, strict=True))
    ]


def exported(actor: User, capture: Capture, **options: Any) -> Export:
    with capture(execute=True):
        export = request_export(actor=actor, purpose=PURPOSE, **options)
    factory.run_waiting(capture)
    export.refresh_from_db()
    assert export.is_ready, Job.objects.get(export=export).failure
    return export


def unpacked(export: Export) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(store.get(export.file))) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def read_csv(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def read_sav(content: bytes, folder: Any) -> tuple[pd.DataFrame, Any]:
    path = folder / "read.sav"
    path.write_bytes(content)
    found: tuple[pd.DataFrame, Any] = pyreadstat.read_sav(path)
    return found


def test_every_file_holds_what_the_forms_hold(
    cohort: list[Patient], users: dict[Role, User], capture: Capture, tmp_path: Any
) -> None:
    found = unpacked(exported(users[Role.DATA_MANAGER], capture))
    assert set(found) == NAMES
    lines = {line["study_id"]: line for line in read_csv(found["data.csv"])}
    people = {person["study_id"]: person for person in json.loads(found["data.json"])}
    book = openpyxl.load_workbook(io.BytesIO(found["data.xlsx"]))
    head, *cells = book["data"].iter_rows(values_only=True)
    sheet = {row[0]: dict(zip(head, row, strict=True)) for row in cells}
    frame, meta = read_sav(found["data.sav"], tmp_path)
    spss = {row["study_id"]: row for row in frame.to_dict("records")}
    assert set(lines) == set(people) == set(sheet) == set(spss) == {patient.study_id for patient in cohort}
    for patient in cohort:
        values = patient.form.values
        for name, variable in load_dictionary().variables.items():
            if variable.type == "date":
                continue
            value = values.get(name)
            own = (lines[patient.study_id][name], people[patient.study_id][name], sheet[patient.study_id][name])
            number = int(value) if isinstance(value, bool) else value
            assert own == ("" if value is None else str(number), value, number), name
            in_spss = spss[patient.study_id][name]
            assert pd.isna(in_spss) or in_spss == "" if value is None else in_spss == number, name
    assert list(frame) == list(head) == list(lines[cohort[0].study_id])
    # What the platform computes stands beside it.
    assert lines["C1-0001"]["hematoma_volume_ml"] == str(float(cohort[0].masks.get().volume_ml))
    assert meta.variable_value_labels["poor_outcome"] == {1: "Yes", 0: "No"}


def test_spss_gets_labels_measures_and_dates(
    cohort: list[Patient], users: dict[Role, User], capture: Capture, tmp_path: Any
) -> None:
    frame, meta = read_sav(unpacked(exported(users[Role.PI], capture))["data.sav"], tmp_path)
    assert meta.column_names_to_labels["systolic_bp"] == "Systolic blood pressure (mmHg)"
    assert meta.variable_value_labels["sex"] == {"male": "Male", "female": "Female"}
    assert meta.variable_value_labels["ivh"] == {1: "Yes", 0: "No"}
    outcome = load_dictionary().primary_outcome
    assert meta.variable_value_labels[outcome.name] == {c.value: c.label.en for c in outcome.choices}
    assert (meta.variable_measure["age"], meta.variable_measure["sex"]) == ("scale", "nominal")
    assert isinstance(frame["admission_date"][0], date)
    assert meta.file_encoding == "UTF-8"


def test_dates_are_moved_and_the_days_between_them_are_true(
    cohort: list[Patient], users: dict[Role, User], capture: Capture
) -> None:
    found = unpacked(exported(users[Role.DATA_MANAGER], capture))
    dates = [name for name, variable in load_dictionary().variables.items() if variable.type == "date"]
    lines = {line["study_id"]: line for line in read_csv(found["data.csv"])}
    for patient in cohort:
        true = {name: date.fromisoformat(patient.form.values[name]) for name in dates if name in patient.form.values}
        moved = {name: date.fromisoformat(lines[patient.study_id][name]) for name in true}
        assert len({moved[name] - true[name] for name in true}) == 1
        assert all(moved[name] < true[name] for name in true)
    for patient in cohort:
        for name in dates:
            day = patient.form.values.get(name)
            assert day is None or day not in lines[patient.study_id].values()


def test_labels_are_in_the_language_of_who_asked(
    cohort: list[Patient], users: dict[Role, User], capture: Capture, tmp_path: Any
) -> None:
    with translation.override("zh-hans"):
        export = exported(users[Role.PI], capture)
    found = unpacked(export)
    _, meta = read_sav(found["data.sav"], tmp_path)
    assert meta.column_names_to_labels["age"] == "年龄 (岁)"
    assert meta.variable_value_labels["sex"] == {"male": "男", "female": "女"}
    codebook = {line["variable"]: line for line in read_csv(found["codebook.csv"])}
    assert codebook["sex"]["codes"] == "male, 男 | female, 女"


def test_each_further_form_is_a_table_of_its_entries(
    cohort: list[Patient], users: dict[Role, User], capture: Capture, tmp_path: Any
) -> None:
    coordinator, patient = users[Role.COORDINATOR], cohort[0]
    late = {"fu_status": "alive", "fu_date": "2026-06-02", "fu_source": "visit", "fu_mrs": 2, "fu_gos": 4, "fu_gose": 6}
    for place, values in (
        (Place("follow_up", "month_6"), late),
        (Place("follow_up", "month_3"), {"fu_status": "lost", "fu_date": "2026-06-01"}),
        (Place("laboratory", "stay", 2), {"lab_date": "2026-03-04", "lab_inr": 1.25}),
    ):
        save_form(actor=coordinator, patient=patient, read_version=0, values=values, place=place)
    found = unpacked(exported(users[Role.DATA_MANAGER], capture))
    first, second = read_csv(found["follow_up.csv"])
    assert [(line["study_id"], line["visit"]) for line in (first, second)] == [
        (patient.study_id, "month_3"),
        (patient.study_id, "month_6"),
    ]
    assert (first["fu_status"], first["fu_mrs"], second["fu_mrs"], second["fu_gose"]) == ("lost", "", "2", "6")
    days = [date.fromisoformat(line["fu_date"]) for line in (first, second)]
    assert days[0] < date(2026, 6, 1) and (days[1] - days[0]).days == 1
    frame, meta = read_sav(found["follow_up.sav"], tmp_path)
    assert meta.variable_value_labels["fu_gose"][6] == "Upper moderate disability" and list(frame["fu_mrs"])[1] == 2
    assert meta.variable_value_labels["visit"]["month_3"] == "3 months"
    (sample,) = json.loads(found["laboratory.json"])
    assert (sample["instance"], sample["lab_inr"], sample["lab_sodium"]) == (2, 1.25, None)
    assert read_csv(found["repeat_ct.csv"]) == []
    files = {(line["file"], line["variable"]) for line in read_csv(found["codebook.csv"])}
    assert {("data", "age"), ("follow_up", "fu_mrs"), ("laboratory", "lab_inr"), ("repeat_ct", "rct_date")} <= files
    other = unpacked(exported(users[Role.PI], capture, centers=["C2"]))
    assert read_csv(other["follow_up.csv"]) == []


def test_each_table_says_why_values_are_missing(
    cohort: list[Patient], users: dict[Role, User], capture: Capture, tmp_path: Any
) -> None:
    patient, actor = cohort[0], users[Role.COORDINATOR]
    # Given in another order than the dictionary's, which is the file's.
    given = {"smoking": "not_done", "hypertension": "unknown", "nihss": "refused"}
    save_form(
        actor=actor, patient=patient, read_version=patient.form.version, values={}, missing=given, reason="new data"
    )
    save_form(
        actor=actor, patient=patient, read_version=0, values={"lab_date": "2026-03-03"},
        missing={"lab_inr": "not_applicable"}, place=Place("laboratory", "stay", 1),
    )  # fmt: skip
    found = unpacked(exported(users[Role.DATA_MANAGER], capture))
    main = ["nihss=refused; hypertension=unknown; smoking=not_done", "", "", ""]
    lines = read_csv(found["data.csv"])
    assert [line["missing_reasons"] for line in lines] == main and lines[0]["smoking"] == ""
    assert [person["missing_reasons"] for person in json.loads(found["data.json"])] == main
    frame, meta = read_sav(found["data.sav"], tmp_path)
    assert list(frame["missing_reasons"]) == main
    assert "missing_reasons" not in meta.variable_value_labels
    assert meta.column_names_to_labels["missing_reasons"].startswith("Why values are missing")
    sheet = openpyxl.load_workbook(io.BytesIO(found["data.xlsx"]))["data"]
    column = [cell.value for cell in sheet[1]].index("missing_reasons")
    assert [row[column] for row in sheet.iter_rows(min_row=2, values_only=True)] == [main[0], None, None, None]
    (sample,) = read_csv(found["laboratory.csv"])
    assert sample["missing_reasons"] == "lab_inr=not_applicable"
    codes = {
        line["file"]: line["codes"] for line in read_csv(found["codebook.csv"]) if line["variable"] == "missing_reasons"
    }
    assert (
        codes["laboratory"]
        == "unknown, Unknown | not_done, Not done | refused, Refused | not_applicable, Not applicable"
    )
    assert "missing_reasons" in found["READ-ME.txt"].decode("utf-8-sig")


def test_what_looks_like_a_formula_is_none() -> None:
    column = Column("remark", "remark", "Remark", Kind.TEXT)
    texts = ['=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", "\tx", "plain, with comma", 'quote"d', "", None, "مرحبا"]
    rows = [{"remark": text} for text in texts]
    lines = read_csv(as_csv([column], rows))
    assert [line["remark"][:1] for line in lines[:5]] == ["'"] * 5
    assert [line["remark"] for line in lines[5:8]] == texts[5:8]
    sheet = openpyxl.load_workbook(io.BytesIO(as_xlsx([column], rows)))["data"]
    cells = [row[0] for row in sheet.iter_rows(min_row=2)]
    assert cells[0].data_type == "s" and cells[0].value == texts[0]
    assert all(cell.data_type != "f" for cell in cells)
    assert [person["remark"] for person in json.loads(as_json([column], rows))] == texts
    assert b"=HYPERLINK" not in codebook_csv({"data": [column]})


def test_a_blank_is_no_zero_and_no_text(tmp_path: Any) -> None:
    chosen = [
        Column("n", "n", "n", Kind.WHOLE), Column("d", "d", "d", Kind.DECIMAL, decimals=2),
        Column("y", "y", "y", Kind.YES_NO), Column("c", "c", "c", Kind.CODE, codes=((1, "one"), (2, "two"))),
        Column("t", "t", "t", Kind.DATE),
    ]  # fmt: skip
    rows = [dict.fromkeys("ndyct"), {"n": 0, "d": 0.25, "y": False, "c": 2, "t": "1999-12-31"}]
    assert as_csv(chosen, rows).decode("utf-8-sig").splitlines()[1:] == [",,,,", "0,0.25,0,2,1999-12-31"]
    frame, _ = read_sav(as_sav(chosen, rows), tmp_path)
    assert frame.iloc[0].isna().all()
    assert frame.iloc[1].tolist() == [0, 0.25, 0, 2, date(1999, 12, 31)]
    sheet = openpyxl.load_workbook(io.BytesIO(as_xlsx(chosen, rows)))["data"]
    assert [cell.value for cell in sheet[2]] == [None] * 5
    assert sheet["E3"].is_date and sheet["A3"].value == 0


def test_names_are_those_that_spss_takes() -> None:
    names = [column.name for column in columns()]
    assert len(names) == len(set(names))
    assert all(name.isascii() and name.isidentifier() and len(name) <= 64 for name in names)


def test_a_coordinator_exports_his_own_center_alone(
    cohort: list[Patient], users: dict[Role, User], capture: Capture
) -> None:
    export = exported(users[Role.COORDINATOR], capture)
    assert export.centers == ["C1"] and export.patient_count == 2
    lines = read_csv(unpacked(export)["data.csv"])
    assert {line["center"] for line in lines} == {"C1"}
    with pytest.raises(Refusal) as refused:
        request_export(actor=users[Role.COORDINATOR], purpose=PURPOSE, centers=["C2"])
    assert refused.value.code == "no_center"
    assert list(exports_visible_to(factory.coordinator_of(cohort[1].center))) == []


def test_who_lost_a_center_no_longer_sees_its_export(
    cohort: list[Patient], users: dict[Role, User], client_as: Callable[[User], Client], capture: Capture
) -> None:
    manager = users[Role.DATA_MANAGER]
    export = exported(manager, capture)
    client = client_as(manager)
    address = reverse("exports:download", args=[export.pk])
    assert client.get(address).status_code == 200
    Membership.objects.filter(user=manager).update(center=Center.objects.get(code="C1"))
    assert client.get(address).status_code == 404
    # Another's is as absent.
    assert client_as(users[Role.PI]).get(address).status_code == 404


def test_each_step_stands_in_the_trail(
    cohort: list[Patient], users: dict[Role, User], client_as: Callable[[User], Client], capture: Capture
) -> None:
    export = exported(users[Role.DATA_MANAGER], capture, centers=["C2"])
    answer = client_as(users[Role.DATA_MANAGER]).get(reverse("exports:download", args=[export.pk]))
    assert answer.content == store.get(export.file)
    assert answer["Cache-Control"] == "no-store"
    events = AuditEvent.objects.filter(object_type="cohorts.export").order_by("pk")
    assert [event.action for event in events] == ["request_export", "download_export"]
    assert all(event.reason == PURPOSE and event.actor == users[Role.DATA_MANAGER] for event in events)
    assert all(event.center is not None and event.center.code == "C2" for event in events)


def test_written_twice_it_is_one(cohort: list[Patient], users: dict[Role, User], capture: Capture) -> None:
    export = exported(users[Role.PI], capture)
    before = export.file
    Job.objects.filter(export=export).update(state=Job.State.QUEUED)
    run_job(job_id=export.job_id)
    export.refresh_from_db()
    assert (export.file, export.job.state) == (before, Job.State.SUCCEEDED)


def test_without_patients_it_says_so_and_can_be_tried_again(
    two_centers: tuple[Center, Center], users: dict[Role, User], files: Any, capture: Capture
) -> None:
    with capture(execute=True):
        export = request_export(actor=users[Role.PI], purpose=PURPOSE)
    factory.run_waiting(capture)
    job = Job.objects.get(export=export)
    assert job.failure == "No patient is enrolled in these centers yet."
    factory.ready_patient(two_centers[0], factory.simulated_rows(1, 1)[0], 0)
    with capture(execute=True):
        retry_export(actor=users[Role.PI], export=export)
    factory.run_waiting(capture)
    export.refresh_from_db()
    assert export.patient_count == 1
    with pytest.raises(Refusal):
        retry_export(actor=users[Role.PI], export=export)


@pytest.mark.parametrize("purpose", ["", "   ", "abc", "x" * 301, "for\x00us", "line\u2028break"])
def test_a_purpose_is_asked_for(users: dict[Role, User], purpose: str) -> None:
    with pytest.raises(Refusal):
        request_export(actor=users[Role.PI], purpose=purpose)
    assert not Export.objects.exists()


def test_the_number_of_queries_does_not_grow(
    cohort: list[Patient], two_centers: tuple[Center, Center], users: dict[Role, User], capture: Capture
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as found:
            build_rows(["C1", "C2"])
        return len(found)

    before = queries()
    for number, row in enumerate(factory.simulated_rows(2, 2), start=10):
        factory.ready_patient(two_centers[0], row, number)
    assert queries() == before


def test_from_the_page_to_the_file(
    cohort: list[Patient], users: dict[Role, User], client_as: Callable[[User], Client], capture: Capture
) -> None:
    client = client_as(users[Role.COORDINATOR])
    assert "You have made no export yet." in client.get("/exports/").content.decode()
    refused = client.post("/exports/", {"centers": ["C2"], "purpose": PURPOSE})
    assert refused.status_code == 200 and not Export.objects.exists()
    with capture(execute=True):
        assert client.post("/exports/", {"centers": ["C1"], "purpose": PURPOSE}).status_code == 302
    assert "Waiting for a worker" in client.get("/exports/").content.decode()
    factory.run_waiting(capture)
    page = client.get("/exports/").content.decode()
    export = Export.objects.get()
    address = reverse("exports:download", args=[export.pk])
    assert address in page and PURPOSE in page
    with zipfile.ZipFile(io.BytesIO(client.get(address).content)) as archive:
        assert set(archive.namelist()) == NAMES


def test_the_same_by_the_api(
    cohort: list[Patient], users: dict[Role, User], api_as: Callable[[User], Any], capture: Capture
) -> None:
    api = api_as(users[Role.SCIENTIST])
    with capture(execute=True):
        answer = api.post("/api/v1/exports/", {"purpose": PURPOSE}, format="json")
    assert answer.status_code == 201 and answer.json()["centers"] == ["C1", "C2"]
    number = answer.json()["id"]
    early = api.get(f"/api/v1/exports/{number}/file/")
    assert early.status_code == 409 and early.json()["code"] == "not_ready"
    factory.run_waiting(capture)
    found = api.get(f"/api/v1/exports/{number}/").json()
    assert (found["state"], found["patient_count"]) == ("succeeded", 4)
    content = api.get(f"/api/v1/exports/{number}/file/").content
    assert len(content) == found["size"]
    assert api_as(users[Role.PI]).get(f"/api/v1/exports/{number}/").status_code == 404


@pytest.mark.parametrize("role", [Role.ASSESSOR, Role.ANNOTATOR, Role.REVIEWER, Role.MONITOR, Role.ADMINISTRATOR])
def test_the_blinded_and_the_others_find_nothing(
    cohort: list[Patient], users: dict[Role, User], client_as: Callable[[User], Client], capture: Capture, role: Role
) -> None:
    export = exported(users[Role.PI], capture)
    client = client_as(users[role])
    for address in ("/exports/", f"/exports/{export.pk}/download/", f"/exports/{export.pk}/status/"):
        assert client.get(address).status_code == 404
    with pytest.raises(Http404):
        request_export(actor=users[role], purpose=PURPOSE)
    assert "/exports/" not in client.get("/", follow=True).content.decode()


def test_the_read_me_says_what_the_data_are(
    cohort: list[Patient], users: dict[Role, User], capture: Capture, settings: Any
) -> None:
    settings.DEMONSTRATION = True
    text = unpacked(exported(users[Role.PI], capture))["READ-ME.txt"].decode("utf-8-sig")
    assert "SIMULATED DATA" in text and PURPOSE in text and "C1, C2" in text and "4 patients" in text


def test_a_finished_export_is_left_alone(cohort: list[Patient], users: dict[Role, User], capture: Capture) -> None:
    export = exported(users[Role.PI], capture)
    write_export(None, export)  # type: ignore[arg-type]  # no worker is asked
    assert Export.objects.get().sha256 == export.sha256


def test_a_user_of_one_center_needs_no_choice(two_centers: tuple[Center, Center], db: None) -> None:
    manager = user_with(Role.DATA_MANAGER, two_centers[1], everywhere=False)
    assert request_export(actor=manager, purpose=PURPOSE).centers == ["C2"]
