"""The report on a series: each defect that is planted is found, and a good series has none."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid

from ml.volumes import describe_gaps
from ml.volumes.report import SeriesReport, is_sharp_kernel, report_series
from tests.ml.dicom_factory import ROW, make_series, table_positions, tilted_column

MIXED = [4.0] * 13 + [1.08] + [7.0] * 13


def series(gaps: Sequence[float] = (5.0,) * 27, *, tilt: float = 0.0, **tags: Any) -> list[Dataset]:
    """A good head CT but for what a test asks for: contiguous slices of 5 mm, 28 of them."""
    pixels = np.zeros((len(gaps) + 1, 4, 4))
    headers = make_series(pixels, table_positions(gaps, tilt=tilt), ROW, tilted_column(tilt), **tags)
    if "SliceThickness" not in tags:
        set_thickness(headers, np.maximum([*gaps, 0.0], [0.0, *gaps]).tolist())
    return headers


def set_thickness(headers: Sequence[Dataset], values: Sequence[float]) -> None:
    for header, value in zip(headers, values, strict=True):
        header.SliceThickness = value


def again(header: Dataset, **tags: Any) -> Dataset:
    """The same slice as another object, with other attributes."""
    other = copy.deepcopy(header)
    other.SOPInstanceUID = generate_uid()
    for keyword, value in tags.items():
        setattr(other, keyword, value)
    return other


def found(report: SeriesReport) -> dict[str, str]:
    return {finding.code: finding.level for finding in report.findings if finding.level != "info"}


def test_a_good_series_has_nothing_to_look_at() -> None:
    headers = series()
    report = report_series(headers[::-1])
    assert (report.level, report.findings, report.left_out) == ("pass", (), {})
    assert report.order == tuple(header.SOPInstanceUID for header in headers)
    assert report.geometry is not None
    assert describe_gaps(report.geometry) == [(27, 5.0)]
    assert report.to_dict() == {"level": "pass", "findings": []}


def test_the_table_may_feed_from_head_to_foot() -> None:
    headers = series()
    for number, header in enumerate(headers):
        header.InstanceNumber = 100 - number
    assert report_series(headers).findings == ()


@pytest.mark.parametrize("tilt", [0.0, -18.5])
@pytest.mark.parametrize("gaps", [MIXED, [5.0] * 12 + [10.0] * 8, [5.0] * 20 + [10.0], [2.5] * 20 + [5.0] * 15])
def test_a_mixed_protocol_lacks_nothing(gaps: list[float], tilt: float) -> None:
    report = report_series(series(gaps, tilt=tilt))
    assert not found(report).keys() & {"missing_slices", "misplaced_slices", "unimaged_gaps"}
    assert report.level != "fail"
    if gaps[-2] == gaps[-1]:
        assert report.level == "pass"
        assert "mixed_gaps" in {finding.code for finding in report.findings}


@pytest.mark.parametrize(
    ("gaps", "gone", "level", "where"),
    [
        ([5.0] * 27, [10], "warn", "45 to 55"),
        ([5.0] * 27, [1], "warn", "0 to 10"),
        ([5.0] * 27, [26], "warn", "125 to 135"),
        ([5.0] * 27, [10, 11], "fail", "45 to 60"),
        ([5.0] * 27, [5, 20], "fail", "20 to 30, 95 to 105"),
        ([7.0] * 20, [10], "fail", "63 to 77"),
        (MIXED, [4], "warn", "12 to 20"),
        (MIXED, [20], "fail", "88 to 102"),
    ],
)
@pytest.mark.parametrize("numbered", [True, False])
def test_missing_slices_are_found(gaps: list[float], gone: list[int], level: str, where: str, numbered: bool) -> None:
    headers = [header for index, header in enumerate(series(gaps)) if index not in gone]
    if not numbered:
        for header in headers:
            del header.InstanceNumber
    report = report_series(headers)
    assert found(report) == {"missing_slices": level}
    (sentence,) = (finding.sentence for finding in report.findings if finding.code == "missing_slices")
    assert f"({where} mm above the lowest slice)" in sentence
    assert sentence.startswith(f"{len(gone)} slice{'s' if len(gone) > 1 else ''} ")


def test_every_second_slice_of_a_part_is_missed_by_its_number() -> None:
    headers = [header for index, header in enumerate(series()) if index not in (10, 12, 14, 16, 18)]
    report = report_series(headers)
    assert found(report)["missing_slices"] == "fail"
    assert report.findings[0].sentence.startswith("5 slices are missing")


def test_a_slice_out_of_place_is_found() -> None:
    headers = series()
    headers[9].ImagePositionPatient[2] += 2.5
    assert found(report_series(headers))["irregular_gaps"] == "warn"
    headers[9].ImagePositionPatient[2] += 40
    assert found(report_series(headers))["misplaced_slices"] == "warn"


def test_scouts_are_left_out_and_the_slices_judged() -> None:
    headers = series()
    scout = again(
        headers[0], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], ImageOrientationPatient=[0, 1, 0, 0, 0, -1]
    )
    report = report_series([*headers, scout])
    assert report.level == "pass"
    assert [finding.code for finding in report.findings] == ["localizer"]
    assert report.left_out == {scout.SOPInstanceUID: "localizer"}
    assert len(report.order) == 28
    assert found(report_series([scout])) == {"no_slices": "fail"}


def test_the_same_picture_under_another_identifier_is_left_out() -> None:
    headers = series()
    copied = again(headers[7], InstanceNumber=99)
    digests = {header.SOPInstanceUID: str(index) for index, header in enumerate(headers)}
    report = report_series([*headers, copied], {**digests, copied.SOPInstanceUID: "7"})
    assert found(report) == {"duplicate_slices": "warn"}
    assert report.left_out == {copied.SOPInstanceUID: "duplicate"}
    assert len(report.order) == 28
    other = report_series([*headers, copied], {**digests, copied.SOPInstanceUID: "99"})
    assert "duplicate_slices" not in found(other)


def test_one_identifier_for_different_slices_fails() -> None:
    headers = series()
    for header in headers:
        header.SOPInstanceUID = headers[0].SOPInstanceUID
    assert found(report_series(headers)) == {"repeated_identifiers": "fail"}


def test_slices_that_were_scanned_again_are_left_out() -> None:
    headers = series(AcquisitionNumber=1)
    repeats = [again(header, AcquisitionNumber=2, InstanceNumber=40 + i) for i, header in enumerate(headers[10:14])]
    report = report_series([*headers, *repeats])
    assert found(report) == {"repeated_positions": "warn"}
    assert report.left_out == {header.SOPInstanceUID: "other_acquisition" for header in repeats}
    assert report.order == tuple(header.SOPInstanceUID for header in headers)


def test_a_second_pass_is_told_by_the_numbers_where_each_rotation_is_an_acquisition() -> None:
    headers = series()
    for index, header in enumerate(headers):
        header.AcquisitionNumber = index // 2
    repeats = [again(header, AcquisitionNumber=90 + i, InstanceNumber=40 + i) for i, header in enumerate(headers[3:7])]
    report = report_series([*headers, *repeats])
    assert found(report) == {"repeated_positions": "warn"}
    assert set(report.left_out) == {header.SOPInstanceUID for header in repeats}


@pytest.mark.parametrize(
    "tags", [{"ConvolutionKernel": "H60s"}, {"AcquisitionNumber": 2}, {"AcquisitionTime": "101500"}]
)
def test_two_whole_sets_in_one_series_fail(tags: dict[str, Any]) -> None:
    first = series(ConvolutionKernel="H31s", AcquisitionNumber=1, AcquisitionTime="101000")
    second = [again(header, InstanceNumber=50 + i, **tags) for i, header in enumerate(first)]
    report = report_series([*first, *second])
    assert found(report) == {"repeated_positions": "fail"}
    assert (report.geometry, report.order) == (None, ())


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("matrix", {"Rows": 8}),
        ("spacing", {"PixelSpacing": [0.6, 0.6]}),
        ("orientation", {"ImageOrientationPatient": [*ROW, *tilted_column(20)]}),
    ],
)
def test_slices_unlike_the_others_are_left_out_or_nothing_can_be_said(name: str, tags: dict[str, Any]) -> None:
    headers = series()
    for header in headers[-2:]:
        for keyword, value in tags.items():
            setattr(header, keyword, value)
    report = report_series(headers)
    assert found(report) == {f"not_one_{name}": "warn"}
    assert report.left_out == {header.SOPInstanceUID: f"other_{name}" for header in headers[-2:]}
    assert len(report.order) == 26
    for header in headers[:12]:
        for keyword, value in tags.items():
            setattr(header, keyword, value)
    assert found(report_series(headers)) == {f"not_one_{name}": "fail"}


def test_coronal_slices_fail() -> None:
    headers = make_series(np.zeros((9, 4, 4)), np.arange(9)[:, None] * [0.0, 5.0, 0.0], ROW, (0.0, 0.0, -1.0))
    assert found(report_series(headers)) == {"not_axial": "fail"}


@pytest.mark.parametrize(("tilt", "code", "words"), [(35.0, "strong_tilt", "35.0"), (-18.5, "tilted", "-18.5")])
def test_tilt_is_told_in_degrees(tilt: float, code: str, words: str) -> None:
    (finding,) = report_series(series(tilt=tilt)).findings
    assert finding.code == code
    assert f"{words} degrees" in finding.sentence


@pytest.mark.parametrize(("slices", "level"), [(2, "fail"), (11, "fail"), (13, "warn"), (23, None), (71, "warn")])
def test_coverage(slices: int, level: str | None) -> None:
    """Slices of 5 mm: 10, 55, 65, 115 and 355 mm."""
    findings = found(report_series(series([5.0] * (slices - 1))))
    assert list(findings.values()) == ([] if level is None else [level])
    expected = {2: {"too_few_slices"}, 11: {"short_coverage"}, 13: {"short_coverage"}, 23: set(), 71: {"long_coverage"}}
    assert findings.keys() == expected[slices]


CHANGES: dict[str, tuple[str, Callable[[list[Dataset]], object]]] = {
    "unimaged_gaps": ("warn", lambda headers: set_thickness(headers, [3.0] * 28)),
    "thick_slices": ("warn", lambda headers: set_thickness(headers, [12.0] * 28)),
    "no_hounsfield_scale": ("fail", lambda headers: headers[3].__delattr__("RescaleSlope")),
    "other_scale": ("fail", lambda headers: setattr(headers[3], "RescaleType", "Z_EFF")),
    "lossy_compression": ("warn", lambda headers: setattr(headers[3], "LossyImageCompression", "01")),
    "contrast_agent": ("warn", lambda headers: setattr(headers[3], "ContrastBolusAgent", "IOPAMIDOL 370")),
    "sharp_kernel": (
        "warn",
        lambda headers: [setattr(header, "ConvolutionKernel", ["Hr64", "3"]) for header in headers],
    ),
    "other_body_part": ("warn", lambda headers: setattr(headers[0], "BodyPartExamined", "ABDOMEN")),
    "pixel_size": ("warn", lambda headers: [setattr(header, "PixelSpacing", [1.2, 1.2]) for header in headers]),
    "missing_geometry": ("fail", lambda headers: headers[-1].__delattr__("ImagePositionPatient")),
    "not_ct": ("fail", lambda headers: [setattr(header, "Modality", "MR") for header in headers]),
    "multi_frame": ("fail", lambda headers: setattr(headers[0], "NumberOfFrames", 40)),
    "mixed_series": ("fail", lambda headers: setattr(headers[0], "SeriesInstanceUID", generate_uid())),
    "missing_identity": ("fail", lambda headers: headers[0].__delattr__("SOPInstanceUID")),
    "bad_orientation": (
        "fail",
        lambda headers: [setattr(header, "ImageOrientationPatient", [*ROW, *ROW]) for header in headers],
    ),
}


@pytest.mark.parametrize("code", CHANGES)
def test_each_defect_has_its_finding(code: str) -> None:
    level, change = CHANGES[code]
    headers = series()
    change(headers)
    assert found(report_series(headers)) == {code: level}


def test_no_file_at_all_is_a_finding() -> None:
    assert found(report_series([])) == {"no_slices": "fail"}


@pytest.mark.parametrize("agent", ["", "NONE", "no"])
def test_an_empty_contrast_field_states_nothing(agent: str) -> None:
    assert report_series(series(ContrastBolusAgent=agent)).findings == ()


# Names as the vendors' own manuals list them.
SHARP = [
    "BONE",
    "BONEPLUS",
    "EDGE",
    "LUNG",
    "H60s",
    "H70h",
    "J70h",
    "B70f",
    "Hr64",
    "D",
    "E",
    "YC",
    "FC30",
    "FC51",
    "FC81",
]
SOFT = ["STANDARD", "STD+", "SOFT", "H31s", "H40s", "J40s", "Hr38", "Br40", "UB", "B", "FC21", "FC26", "FC64", "FC08"]


@pytest.mark.parametrize(("names", "sharp"), [(SHARP, True), (SOFT, False)])
def test_kernels(names: set[str], sharp: bool) -> None:
    assert {name for name in names if is_sharp_kernel([name]) != sharp} == set()


def test_the_gravest_comes_first_and_no_sentence_names_anybody() -> None:
    planted = {
        "PatientName": "Planted^Name",
        "PatientID": "PLANTED-1",
        "InstitutionName": "Planted Hospital",
        "SeriesDescription": "Planted words",
        "ConvolutionKernel": "BONE PLANTED",
        "ContrastBolusAgent": "PLANTED",
        "BodyPartExamined": "PLANTED",
        "RescaleType": "PLANTED",
        "LossyImageCompression": "01",
    }
    headers = series(tilt=20.0, **planted)
    del headers[4]
    headers.append(again(headers[0], Modality="PLANTED"))
    report = report_series(headers)
    levels = [finding.level for finding in report.findings]
    assert levels == sorted(levels, key=("fail", "warn", "info").index)
    assert set(levels) == {"fail", "warn", "info"}
    for finding in report.findings:
        assert "planted" not in finding.sentence.lower()
        assert "1.2.826" not in finding.sentence
        assert finding.sentence.endswith(".")
