"""Moved dates: intervals of a patient stay, the calendar goes, and the CRF's dates move with the images'."""

from datetime import date, timedelta

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.cohorts.table import build_rows
from apps.crf.services import save_form
from apps.imaging.choice import propose
from apps.imaging.models import Series
from apps.patients.dates import move_date, offset_days
from apps.patients.models import Patient
from tests.imaging.factory import receive_series, scan_files
from tests.imaging.store import empty_store as empty_store

days = st.dates(date(1990, 1, 1), date(2090, 1, 1))
study_ids = st.from_regex(r"C[1-9]-[0-9]{4}", fullmatch=True)


@pytest.fixture
def coordinator(users: dict[Role, User]) -> User:
    return users[Role.COORDINATOR]


@given(days, days, study_ids)
def test_intervals_stay_and_nothing_moves_forward(first: date, second: date, study_id: str) -> None:
    moved = move_date(first, study_id), move_date(second, study_id)
    assert moved[1] - moved[0] == second - first
    assert timedelta(days=1) <= first - moved[0] <= timedelta(days=3650)


def test_patients_and_installations_differ() -> None:
    here = {offset_days(f"C1-{number:04d}") for number in range(200)}
    assert len(here) > 180
    with override_settings(UID_KEY="of another installation"):
        there = [offset_days(f"C1-{number:04d}") for number in range(20)]
    assert there != [offset_days(f"C1-{number:04d}") for number in range(20)]


def test_the_cohort_s_dates_move_as_the_images_do(patient: Patient, coordinator: User) -> None:
    """The CT was made a day after admission, in the store and in the table of the analysis alike."""
    values = {"admission_date": "2024-02-28"}
    save_form(actor=coordinator, patient=patient, read_version=0, values=values)
    files = scan_files(StudyDate="20240229", SeriesDate="20240229", PatientID="")
    series = receive_series(actor=coordinator, patient=patient, files=files)
    admitted = date.fromisoformat(build_rows()[0]["crf_admission_date"])
    assert Series.objects.get().series_date == series.study.study_date == admitted + timedelta(days=1)
    assert admitted != date(2024, 2, 28)
    assert "after admission" in str([reason.sentence for reason in propose(patient)[0][1].reasons])
