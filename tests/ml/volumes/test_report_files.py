"""The report on real files and on phantoms, and how long it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom import Dataset

from ml.simulation import PhantomSpec, SpacingPattern, simulate_ct
from ml.volumes.report import report_series
from tests.ml.volumes.test_report import found

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("pattern", list(SpacingPattern))
def test_the_phantom_passes_and_its_defects_do_not(pattern: SpacingPattern, tmp_path: Path) -> None:
    spec = PhantomSpec(rows=64, columns=64, pixel_spacing_mm=0.9, gantry_tilt_degrees=15.0, spacing=pattern)
    simulate_ct(tmp_path, spec=spec, seed=3)
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in tmp_path.iterdir()]
    report = report_series(headers)
    assert report.level == "pass", report.findings
    by_uid = {header.SOPInstanceUID: header for header in headers}
    ordered = [by_uid[uid] for uid in report.order]
    assert "missing_slices" in found(report_series([*ordered[:5], *ordered[6:]]))
    assert found(report_series([*ordered, ordered[5]])) == {"duplicate_slices": "warn"}
    assert found(report_series(ordered[: len(ordered) // 4]))["short_coverage"] == "fail"


def read_headers(folder: Path, **tags: Any) -> list[Dataset]:
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in sorted(folder.iterdir()) if path.is_file()]
    for header in headers:
        for keyword, value in tags.items():
            setattr(header, keyword, value)
    return headers


def test_the_real_tilted_head_passes(shared_data: Path) -> None:
    report = report_series(read_headers(shared_data / "head-ct-tilted" / "dicom"))
    assert report.level == "pass"
    assert {finding.code for finding in report.findings} == {"mixed_gaps", "tilted"}
    assert any("18.5 degrees" in finding.sentence for finding in report.findings)
    assert any("13 x 4 mm, 1 x 1.08 mm, 13 x 7 mm" in finding.sentence for finding in report.findings)


@pytest.mark.parametrize(
    ("folder", "tags", "expected"),
    [
        ("gantrytilting/001", {}, {"tilted", "short_coverage"}),
        ("notavolume/001", {}, {"repeated_positions"}),
        ("slicecount/001", {}, {"not_ct"}),
        ("slicecount/001", {"Modality": "CT"}, {"too_few_slices"}),
        ("sliceincrement/001", {}, {"irregular_gaps", "short_coverage"}),
        ("sliceincrement/002", {}, {"missing_slices", "short_coverage", "tilted"}),
        ("sliceorientation/001", {}, {"not_ct"}),
        ("sliceorientation/001", {"Modality": "CT"}, {"not_one_spacing"}),
        (
            "sliceorientation/001",
            {"Modality": "CT", "PixelSpacing": [0.5, 0.5]},
            {"not_one_orientation"},
        ),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_odd_series_show_their_known_defect(
    folder: str, tags: dict[str, Any], expected: set[str], shared_data: Path
) -> None:
    report = report_series(read_headers(shared_data / "odd-dicom" / "dicom2nifti_failing" / folder, **tags))
    assert {finding.code for finding in report.findings} == expected
    assert report.level == "fail"


@pytest.mark.filterwarnings("ignore")
def test_every_odd_folder_has_a_report(shared_data: Path) -> None:
    folders = {path.parent for path in (shared_data / "odd-dicom").rglob("*") if path.is_file()}
    assert len(folders) > 10
    for folder in folders:
        files = sorted(path for path in folder.iterdir() if path.is_file())
        headers = [pydicom.dcmread(path, force=True, stop_before_pixels=True) for path in files]
        assert report_series(headers).level == "fail", folder
