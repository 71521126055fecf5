"""The frozen cohort: who is in it and why not, and that it stays what it was."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.http import Http404
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.annotation.models import Mask
from apps.audit.models import AuditEvent
from apps.cohorts.models import Snapshot
from apps.cohorts.selectors import exclusions_of, load_included, load_included_rows, load_table, snapshots_visible_to
from apps.cohorts.services import freeze_snapshot
from apps.cohorts.table import build_rows, schema, to_parquet
from apps.core import store
from apps.core.errors import Refusal
from apps.crf.dictionary import load_dictionary
from apps.crf.services import save_form
from apps.imaging.models import Series
from apps.patients.models import Patient
from ml.hematoma import FEATURES, FEATURES_VERSION
from tests.cohorts import factory
from tests.factories import PatientFactory, user_with

Files = Callable[[], set[str]]
Centers = tuple[Center, Center]
ROWS = factory.simulated_rows(6, 6)


@pytest.fixture
def scientist(two_centers: Centers, files: Files) -> User:
    return user_with(Role.SCIENTIST, two_centers[0])


def enrolled(center: Center, number: int) -> Patient:
    return PatientFactory(study_id=f"{center.code}-{number:04d}", center=center)


def complete_form(patient: Patient, row: dict[str, Any]) -> None:
    factory.fill_form(patient, factory.values_of(row))


def exclusion_of(patient: Patient) -> str:
    return next(row["exclusion"] for row in build_rows() if row["study_id"] == patient.study_id)


def test_each_patient_is_counted_once_under_the_first_reason_that_applies(
    two_centers: Centers, scientist: User
) -> None:
    center = two_centers[0]
    nothing, unknown_outcome = enrolled(center, 1), enrolled(center, 2)
    factory.fill_form(unknown_outcome, factory.values_of(ROWS[0], discharged=False))
    incomplete = enrolled(center, 3)
    factory.fill_form(incomplete, {**factory.values_of(ROWS[1]), "headache": None})
    no_ct, no_mask, no_score = (enrolled(center, number) for number in (4, 5, 6))
    for patient in (no_ct, no_mask, no_score):
        complete_form(patient, ROWS[2])
    factory.add_ct(no_mask)
    # More than a head holds: no score takes it.
    factory.add_mask(factory.add_ct(no_score), "1000.01")
    ready = factory.ready_patient(center, ROWS[3], 6)

    snapshot = freeze_snapshot(actor=scientist)

    found = load_table(snapshot).set_index("study_id")["exclusion"]
    expected = {
        nothing: "outcome not known", unknown_outcome: "outcome not known",
        incomplete: "case report form not complete", no_ct: "no usable head CT", no_mask: "no hematoma mask",
        no_score: "a score cannot be computed", ready: "",
    }  # fmt: skip
    assert found.to_dict() == {patient.study_id: reason for patient, reason in expected.items()}
    assert exclusions_of(snapshot) == [
        ("outcome not known", 2), ("case report form not complete", 1), ("no usable head CT", 1),
        ("no hematoma mask", 1), ("a score cannot be computed", 1),
    ]  # fmt: skip
    assert (snapshot.patient_count, snapshot.included_count) == (7, 1)
    assert snapshot.included_count + sum(snapshot.exclusions.values()) == snapshot.patient_count
    assert list(load_included(snapshot)["study_id"]) == [ready.study_id]


def test_the_ct_that_counts_is_the_newest_usable_one_with_its_own_mask(two_centers: Centers, scientist: User) -> None:
    patient = factory.ready_patient(two_centers[0], ROWS[0], 0)
    first = patient.series.get()
    assert exclusion_of(patient) == ""

    refused = factory.add_ct(patient, 1, state=Series.State.FAILED)
    assert exclusion_of(patient) == ""
    assert build_rows()[0]["tensor_sha256"] == first.tensor_sha256

    received = factory.add_ct(patient, 2, state=Series.State.RECEIVED)
    factory.add_mask(received, "77.77")
    row = build_rows()[0]
    assert row["exclusion"] == "no usable head CT"
    assert (row["tensor"], row["hematoma_volume_ml"]) == ("", 77.77), "no mask of one CT beside the image of another"

    newest = factory.add_ct(patient, 3)
    assert exclusion_of(patient) == "no hematoma mask"
    factory.add_mask(newest, "5.00")
    factory.add_mask(newest, "6.00")
    row = build_rows()[0]
    assert (row["exclusion"], row["series_digest"]) == ("", newest.digest)
    assert (row["mask_version"], row["hematoma_volume_ml"]) == (2, 6.0)
    assert refused.tensor == ""


def test_the_hematoma_is_that_of_the_mask_and_of_todays_version(two_centers: Centers, scientist: User) -> None:
    patient = factory.ready_patient(two_centers[0], ROWS[0], 0)
    names = [f"hematoma_{name}" for name in FEATURES if name != "volume_ml"]
    measured = {name: float(number) for number, name in enumerate(FEATURES)}
    assert {build_rows()[0][name] for name in names} == {None}, "not measured yet"

    Mask.objects.update(features=measured, features_version=FEATURES_VERSION)
    row = load_table(freeze_snapshot(actor=scientist)).iloc[0]
    assert [row[name] for name in names] == [measured[name.removeprefix("hematoma_")] for name in names]
    assert row["hematoma_volume_ml"] == float(Mask.objects.get().volume_ml), "the volume that the scores see"

    Mask.objects.update(features_version=FEATURES_VERSION + 1)
    assert {build_rows()[0][name] for name in names} == {None}, "of another version"
    factory.add_mask(patient.series.get(), "5.00")
    Mask.objects.filter(version=1).update(features_version=FEATURES_VERSION)
    assert {build_rows()[0][name] for name in names} == {None}, "of another mask"


def test_later_changes_leave_the_snapshot_as_it_was(two_centers: Centers, scientist: User) -> None:
    patient = factory.ready_patient(two_centers[0], ROWS[0], 0)
    snapshot = freeze_snapshot(actor=scientist)
    before = load_table(snapshot)

    factory.fill_form(patient, {"age": 33, "gos_discharge": None})
    factory.add_mask(patient.series.get(), "99.99")
    enrolled(two_centers[1], 1)

    pd.testing.assert_frame_equal(load_table(Snapshot.objects.get()), before)
    later = freeze_snapshot(actor=scientist)
    assert (later.pk != snapshot.pk, later.digest != snapshot.digest, later.patient_count) == (True, True, 2)
    assert load_table(later)["crf_age"].iloc[0] == 33


def test_the_digest_is_the_sha256_of_the_parquet_file(two_centers: Centers, scientist: User) -> None:
    factory.ready_patient(two_centers[0], ROWS[0], 0)
    snapshot = freeze_snapshot(actor=scientist)
    with default_storage.open(snapshot.file) as file:
        content = file.read()
    assert hashlib.sha256(content).hexdigest() == snapshot.digest
    assert len(pq.read_table(BytesIO(content))) == 1


def test_the_same_cohort_is_the_same_snapshot(two_centers: Centers, scientist: User, files: Files) -> None:
    factory.ready_patient(two_centers[0], ROWS[0], 0)
    first = freeze_snapshot(actor=scientist)
    kept = files()
    again = freeze_snapshot(actor=user_with(Role.SCIENTIST, two_centers[1]))
    assert (again.pk, again.created_by, files()) == (first.pk, scientist, kept)
    assert AuditEvent.objects.filter(action="freeze_snapshot").count() == 1


def test_the_order_of_entry_does_not_change_the_columns(two_centers: Centers, scientist: User) -> None:
    patient = factory.ready_patient(two_centers[0], ROWS[0], 0)
    form = patient.form
    before = to_parquet(build_rows())
    form.values = dict(reversed(form.values.items()))
    form.save()
    assert to_parquet(build_rows()) == before


def test_columns_have_one_type_whether_filled_or_blank(two_centers: Centers, scientist: User) -> None:
    blank, filled = enrolled(two_centers[0], 1), factory.ready_patient(two_centers[0], ROWS[0], 1)
    both = pq.read_table(BytesIO(to_parquet(build_rows())))
    filled_row = next(row for row in both.to_pylist() if row["study_id"] == filled.study_id)
    blank_row = next(row for row in both.to_pylist() if row["study_id"] == blank.study_id)

    assert pq.read_table(BytesIO(to_parquet([blank_row]))).schema.equals(both.schema)
    assert both.schema.equals(schema())
    values = filled.form.values
    for name, variable in load_dictionary().variables.items():
        value = filled_row[f"crf_{name}"]
        # Dates are moved: tests/patients/test_dates.py.
        assert variable.type == "date" or value == values.get(name), name
        assert type(value) is type(values.get(name)), name
        assert blank_row[f"crf_{name}"] is None
    assert (type(filled_row["poor_outcome"]), blank_row["poor_outcome"]) == (bool, None)
    assert (type(filled_row["score_ich_gs"]), blank_row["score_ich_gs"], blank_row["mask_version"]) == (int, None, None)


def test_the_frozen_table_says_why_values_are_missing(two_centers: Centers, scientist: User) -> None:
    patient = factory.ready_patient(two_centers[0], ROWS[0], 0)
    save_form(
        actor=factory.coordinator_of(two_centers[0]), patient=patient, read_version=patient.form.version, values={},
        missing={"smoking": "not_done", "nihss": "unknown"}, reason="new source data",
    )  # fmt: skip
    enrolled(two_centers[0], 2)
    table = load_table(freeze_snapshot(actor=scientist)).set_index("study_id")["missing_reasons"]
    assert table.to_dict() == {patient.study_id: "nihss=unknown; smoking=not_done", "C1-0002": ""}


def test_a_snapshot_of_before_has_no_such_column_and_is_read_as_it_is(two_centers: Centers, scientist: User) -> None:
    factory.ready_patient(two_centers[0], ROWS[0], 0)
    old = pq.read_table(BytesIO(to_parquet(build_rows()))).drop_columns(["missing_reasons"])
    buffer = BytesIO()
    pq.write_table(old, buffer)
    name, digest = store.put(buffer.getvalue(), ".parquet")
    snapshot = Snapshot.objects.create(
        digest=digest, file=name, created_by=scientist, dictionary_version="ich-1", patient_count=1, included_count=1,
        exclusions={},
    )  # fmt: skip
    assert load_included_rows(snapshot) == old.to_pylist() and len(load_included(snapshot)) == 1


def test_rows_come_back_as_they_were_frozen(two_centers: Centers, scientist: User) -> None:
    factory.ready_cohort(3, 3)
    enrolled(two_centers[0], 1)
    snapshot = freeze_snapshot(actor=scientist)
    assert load_included_rows(snapshot) == [row for row in build_rows() if not row["exclusion"]]


def test_only_who_runs_experiments_in_all_centers_may_freeze(
    two_centers: Centers, users: dict[Role, User], files: Files
) -> None:
    factory.ready_patient(two_centers[0], ROWS[0], 0)
    kept = files()
    in_one_center = user_with(Role.SCIENTIST, two_centers[1], everywhere=False)
    for actor in [user for role, user in users.items() if role != Role.SCIENTIST] + [in_one_center]:
        with pytest.raises(Http404):
            freeze_snapshot(actor=actor)
        assert (Snapshot.objects.count(), files()) == (0, kept)
    snapshot = freeze_snapshot(actor=users[Role.SCIENTIST])
    seeing = {role for role, user in users.items() if snapshots_visible_to(user).exists()}
    assert seeing == {Role.SCIENTIST, Role.PI, Role.DATA_MANAGER}
    assert not snapshots_visible_to(in_one_center).exists()
    assert snapshots_visible_to(users[Role.PI]).get() == snapshot


def test_a_snapshot_is_never_changed_or_deleted(two_centers: Centers, scientist: User) -> None:
    factory.ready_patient(two_centers[0], ROWS[0], 0)
    snapshot = freeze_snapshot(actor=scientist)
    snapshot.included_count = 0
    with pytest.raises(TypeError, match="never changed"):
        snapshot.save()
    with pytest.raises(TypeError, match="never deleted"):
        snapshot.delete()
    assert Snapshot.objects.get().included_count == 1


def test_a_changed_file_is_refused(two_centers: Centers, scientist: User) -> None:
    factory.ready_patient(two_centers[0], ROWS[0], 0)
    snapshot = freeze_snapshot(actor=scientist)
    default_storage.delete(snapshot.file)
    default_storage.save(snapshot.file, BytesIO(to_parquet([])))  # type: ignore[arg-type]
    with pytest.raises(Refusal, match="frozen cohort was changed"):
        load_table(snapshot)


def test_nobody_enrolled_is_nothing_to_freeze(scientist: User, files: Files) -> None:
    with pytest.raises(Refusal, match="No patient is enrolled yet"):
        freeze_snapshot(actor=scientist)
    assert (files(), Snapshot.objects.count()) == (set(), 0)


def test_ten_times_the_patients_take_the_same_queries(two_centers: Centers, scientist: User) -> None:
    factory.ready_patient(two_centers[0], ROWS[0], 0)
    with CaptureQueriesContext(connection) as few:
        build_rows()
    for number, row in enumerate(ROWS[1:], start=1):
        factory.ready_patient(two_centers[number % 2], row, number)
    with CaptureQueriesContext(connection) as many:
        assert len(build_rows()) == len(ROWS)
    assert len(many) == len(few)


@pytest.mark.django_db(transaction=True)
def test_the_table_is_read_before_the_write_lock_is_taken(two_centers: Centers, scientist: User) -> None:
    factory.ready_patient(two_centers[0], ROWS[0], 0)
    with CaptureQueriesContext(connection) as queries:
        freeze_snapshot(actor=scientist)
    statements = [query["sql"] for query in queries]
    begin = next(number for number, sql in enumerate(statements) if sql.startswith("BEGIN"))
    reading = [number for number, sql in enumerate(statements) if 'FROM "crf_crfform"' in sql]
    assert reading and max(reading) < begin
