"""What holds of the report on any series."""

from __future__ import annotations

import copy
import random
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import generate_uid

from ml.volumes.report import report_series
from tests.ml.volumes.test_report import again, found, series

pytestmark = pytest.mark.slow

UNIFORM = series()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sets(st.integers(0, 27), max_size=3), st.sets(st.integers(0, 27), max_size=3))
def test_the_order_of_the_files_changes_nothing(seed: int, gone: set[int], twice: set[int]) -> None:
    headers = [header for index, header in enumerate(UNIFORM) if index not in gone]
    headers += [again(UNIFORM[index], AcquisitionNumber=7) for index in twice] + [UNIFORM[0]]
    shuffled = random.Random(seed).sample(headers, len(headers))
    one, other = report_series(headers), report_series(shuffled)
    assert one.findings == other.findings
    assert (one.order, one.left_out) == (other.order, other.left_out)


@settings(max_examples=60, deadline=None)
@given(st.integers(8, 60), st.floats(0.6, 9.0), st.floats(-25.0, 25.0), st.data())
def test_one_missing_inner_slice_is_always_found(slices: int, gap: float, tilt: float, data: st.DataObject) -> None:
    headers = series([round(gap, 3)] * (slices - 1), tilt=tilt, SliceThickness=round(gap, 2))
    del headers[data.draw(st.integers(1, slices - 2))]
    numbered = data.draw(st.sampled_from(["kept", "anew", "none"]))
    for number, header in enumerate(headers, start=1):
        if numbered == "anew":
            header.InstanceNumber = number
        elif numbered == "none":
            del header.InstanceNumber
    findings = found(report_series(headers))
    assert "missing_slices" in findings
    assert "irregular_gaps" not in findings


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 27), st.booleans())
def test_a_file_that_came_twice_is_always_found(index: int, renamed: bool) -> None:
    copied = copy.deepcopy(UNIFORM[index])
    if renamed:
        copied.SOPInstanceUID = generate_uid()
    report = report_series([*UNIFORM, copied])
    assert found(report) == {"duplicate_slices": "warn"}
    assert len(report.order) == 28
    assert set(report.left_out.values()) == ({"duplicate"} if renamed else set())


KEYWORDS = ["ImagePositionPatient", "PixelSpacing", "SliceThickness", "InstanceNumber", "RescaleSlope", "Rows"]
ODD = [None, "", "nan", "1e308", "-1e308", "0", "-1", "abc", ["1", "2"], ["1e300", "1e300", "1e300"], "5\\6\\7"]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(KEYWORDS), st.sampled_from(ODD)), max_size=5))
@pytest.mark.filterwarnings("ignore")
def test_odd_values_become_findings(changes: list[tuple[int, str, Any]]) -> None:
    headers = copy.deepcopy(UNIFORM[:10])
    for index, keyword, value in changes:
        vr = pydicom.datadict.dictionary_VR(keyword)
        element = pydicom.DataElement(keyword, "LO" if isinstance(value, str | list) else vr, value)
        headers[index][keyword] = element
    report = report_series(headers)
    assert report.level == "fail"  # 50 mm are no head
    assert all(finding.sentence.count(". ") == 0 for finding in report.findings)
