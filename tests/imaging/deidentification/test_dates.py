"""Dates are moved by the patient's own number of days; what lies between them, and the times of day, stay true."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from apps.imaging.deidentification import clean_ct
from apps.patients.dates import move_date
from tests.imaging.deidentification.slices import STUDY_ID, ct_slice

_DAYS = st.dates(date(1980, 1, 1), date(2035, 12, 31))
KEYWORDS = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "InstanceCreationDate")


def _dicom(day: date) -> str:
    return day.strftime("%Y%m%d")


def _day(text: str) -> date:
    return datetime.strptime(text[:8], "%Y%m%d").date()


@settings(max_examples=40, deadline=None)
@given(st.lists(_DAYS, min_size=5, max_size=5))
def test_days_between_dates_stay(days: list[date]) -> None:
    tags = {keyword: _dicom(day) for keyword, day in zip(KEYWORDS, days, strict=True)}
    done = clean_ct(ct_slice(**tags), STUDY_ID).dataset
    moved = [_day(done[keyword].value) for keyword in KEYWORDS]
    assert [day - moved[0] for day in moved] == [day - days[0] for day in days]
    # by as many days as the dates of the case report form
    assert moved[0] == move_date(days[0], STUDY_ID) != days[0]


def test_patients_are_moved_by_different_numbers_of_days() -> None:
    dataset = ct_slice(StudyDate="20240229")
    moved = {clean_ct(dataset, f"C1-{number:04d}").dataset.StudyDate for number in range(1, 21)}
    assert len(moved) > 15
    assert "20240229" not in moved


def test_hours_between_onset_and_scan_stay() -> None:
    dataset = ct_slice(StudyDate="20240229", AcquisitionDateTime="20240301003000.5+0800", AcquisitionTime="003000.5")
    done = clean_ct(dataset, STUDY_ID).dataset
    assert done.AcquisitionTime == "003000.5"
    assert done.AcquisitionDateTime[8:] == "003000.5"
    assert _day(done.AcquisitionDateTime) - _day(done.StudyDate) == timedelta(days=1)


@pytest.mark.parametrize("value", ["20240230", "2024.02.29", "SMITH", "00000000", "2024", "20240229SMITH"])
def test_what_is_no_day_is_left_out(value: str) -> None:
    done = clean_ct(ct_slice(StudyDate=value, SeriesDate=value, AcquisitionDateTime=value), STUDY_ID)
    assert not done.dataset.StudyDate
    assert "SeriesDate" not in done.dataset
    assert "AcquisitionDateTime" not in done.dataset
    assert done.changes["(0008,0020) StudyDate"] == "emptied"
    assert done.changes["(0008,0021) SeriesDate"] == "removed"


@pytest.mark.parametrize(
    ("tags", "age"),
    [
        # birthdays: the day before, the day itself, a leap day
        ({"PatientBirthDate": "19570301", "StudyDate": "20240229"}, "066Y"),
        ({"PatientBirthDate": "19570229", "StudyDate": "20240229"}, None),
        ({"PatientBirthDate": "19570228", "StudyDate": "20240229"}, "067Y"),
        ({"PatientBirthDate": "19560229", "StudyDate": "20240228"}, "067Y"),
        ({"PatientBirthDate": "19240101", "StudyDate": "20240229"}, "100Y"),
        ({"PatientBirthDate": "20240301", "StudyDate": "20240229"}, None),
        ({"PatientBirthDate": "19570228", "StudyDate": "20240229", "PatientAge": "066Y"}, "066Y"),
        ({"PatientBirthDate": "19570228"}, None),
    ],
)
def test_age_stands_for_the_date_of_birth(tags: dict[str, str], age: str | None) -> None:
    done: Dataset = clean_ct(ct_slice(**tags), STUDY_ID).dataset
    assert done.get("PatientAge") == age
    assert not done.PatientBirthDate
