"""Files as they come: each that can't be read says why in one sentence, and what can be read is read right."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime
from typing import Any

import openpyxl
import pytest

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.crf.imports.models import Import
from apps.crf.models import CrfForm
from apps.patients.models import Patient
from tests.crf.imports.conftest import Check, found_in, sentence_of, table

pytestmark = pytest.mark.django_db
Users = dict[Role, User]
ROW = {"study_id": "C1-0001", "age": "71", "sex": "male"}


def workbook(*sheets: list[list[Any]], merged: str = "") -> bytes:
    book = openpyxl.Workbook()
    for number, rows in enumerate(sheets):
        sheet = book.active if number == 0 else book.create_sheet(f"Sheet {number + 1}")
        assert sheet is not None
        for row in rows:
            sheet.append(row)
        if merged:
            sheet.merge_cells(merged)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (table([ROW]), {}),
        (b"\xef\xbb\xbf" + table([ROW]), {}),
        (table([ROW]).decode().encode("utf-16"), {}),
        (table([ROW], ";"), {}),
        (table([ROW], "\t"), {}),
        (table([{**ROW, "sex": "男"}]).decode().encode("gb18030"), {"encoding": "gb18030"}),
        (table([{"Study_ID": "C1-0001", "AGE": "71", "sex": "Male"}]), {}),
        (workbook([["study_id", "age", "sex"], ["C1-0001", 71, "male"]]), {}),
        (workbook([["notes"], ["x"]], [["study_id", "age", "sex"], ["C1-0001", 71.0, "Male"]]), {}),
    ],
)
def test_every_way_to_write_a_table_says_the_same(
    users: Users, patient: Patient, check: Check, finish: Check, content: bytes, options: dict[str, str]
) -> None:
    found = check(users[Role.COORDINATOR], content, **options)
    assert (found.state, found.report["new"]) == ("ready", 2), found.report
    assert finish(users[Role.COORDINATOR], found).state == "done"
    assert CrfForm.objects.get(patient=patient).values == {"age": 71, "sex": "male"}


def broken() -> bytes:
    """Return a workbook whose sheet ends in the middle of its second row."""
    good, bad = zipfile.ZipFile(io.BytesIO(workbook([["study_id", "age"], ["C1-0001", 71]]))), io.BytesIO()
    with zipfile.ZipFile(bad, "w") as archive:
        for name in good.namelist():
            part = good.read(name)
            archive.writestr(name, part[: part.index(b"71")] if name.endswith("sheet1.xml") else part)
    return bad.getvalue()


def bomb() -> bytes:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w") as part,
    ):
        for _ in range(210):
            part.write(b" " * 1024**2)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (table([{**ROW, "sex": "男"}]).decode().encode("gb18030"), "not UTF-8"),
        (b"\xff\xfe" + b"s", "not UTF-8"),
        (b"  \r\n", "The file is empty"),
        (b"study_id,age\r\n", "no row below its head"),
        (b"study_id|age\r\nC1-0001|71\r\n", "no column “study_id”"),
        (b"age,sex\r\n71,male\r\n", "no column “study_id”"),
        (b'study_id,age\r\nC1-0001,"71\r\n', "quotation mark"),
        (b"\xd0\xcf\x11\xe0" + b"\x00" * 600, "old Excel"),
        (b"PK\x03\x04 and nothing else", "can't be read"),
        (bomb(), "unpacks to more"),
        (broken(), "can't be read"),
        (workbook([["age"], [71]]), "No sheet has a column"),
        (b"study_id,age\r\n" + b"C1-0001,71\r\n" * 20_001, "more than 20000 rows"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(users: Users, check: Check, content: bytes, words: str) -> None:
    found = check(users[Role.COORDINATOR], content)
    assert found.state == "refused" and words in sentence_of(found)
    assert found_in(found) == {(0, "")} and bytes(found.content) == b""


def test_unknown_and_doubled_columns_are_told_once(users: Users, patient: Patient, check: Check) -> None:
    content = b"study_id,age,age,glasgow,systolic_pb,,weather\r\n" + b"C1-0001,71,72,9,180,,fine\r\n"
    found = check(users[Role.COORDINATOR], content)
    told = {each["column"]: each["sentence"] for each in found.report["faults"]}
    assert set(told) == {"age", "glasgow", "systolic_pb", "weather"} and len(found.report["faults"]) == 4
    assert "twice" in told["age"] and "nearest is “systolic_bp”" in told["systolic_pb"]
    assert "nearest" not in told["weather"]


def test_what_excel_does_to_cells(users: Users, patient: Patient, check: Check) -> None:
    rows = [
        ["study_id", "age", "admission_date", "gcs", "sex", "outcome_assessor"],
        ["C1-0001", "=70+1", datetime(2026, 3, 2), date(2026, 3, 9), "#N/A", "A1"],
    ]
    book = openpyxl.load_workbook(io.BytesIO(workbook(rows)))
    assert book.active is not None
    book.active["E2"].data_type = "e"
    buffer = io.BytesIO()
    book.save(buffer)
    found = check(users[Role.COORDINATOR], buffer.getvalue())
    told = {(each["row"], each["column"]): each["sentence"] for each in found.report["faults"]}
    assert set(told) == {(2, "age"), (2, "gcs"), (2, "sex")}
    assert "formula" in told[2, "age"] and "made a date" in told[2, "gcs"] and "error" in told[2, "sex"]


def test_merged_cells_are_refused_and_the_sheet_is_named(users: Users, patient: Patient, check: Check) -> None:
    content = workbook([["study_id", "age"], ["C1-0001", 71], [None, None]], merged="B2:B3")
    found = check(users[Role.COORDINATOR], content)
    (only,) = found.report["faults"]
    assert (only["row"], only["column"], only["value"]) == (2, "age", "B2:B3") and found.report["sheet"] == "Sheet"


@pytest.mark.parametrize(
    ("text", "dates", "expected"),
    [
        ("2026-03-04", "iso", "2026-03-04"),
        ("2026/3/4", "iso", "2026-03-04"),
        ("2026年3月4日", "iso", "2026-03-04"),
        ("04/03/2026", "day_first", "2026-03-04"),
        ("4.3.2026", "day_first", "2026-03-04"),
        ("03/04/2026", "month_first", "2026-03-04"),
        ("2026-03-04", "month_first", "2026-03-04"),
        ("03/04/2026", "iso", None),
        ("13/14/2026", "day_first", None),
        ("04/13/2026", "day_first", None),
        ("03/04/26", "day_first", None),
    ],
)
def test_the_order_of_day_and_month_is_never_guessed(
    users: Users, patient: Patient, check: Check, finish: Check, text: str, dates: str, expected: str | None
) -> None:
    found = check(users[Role.COORDINATOR], table([{"study_id": "C1-0001", "admission_date": text}]), dates=dates)
    if expected is None:
        assert found_in(found) == {(2, "admission_date")}
    else:
        finish(users[Role.COORDINATOR], found)
        assert CrfForm.objects.get(patient=patient).values == {"admission_date": expected}


def test_nothing_of_the_name_of_the_file_is_kept() -> None:
    assert not {"name", "file_name", "filename", "file"} & {field.name for field in Import._meta.get_fields()}
