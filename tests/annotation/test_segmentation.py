"""The mask as a DICOM Segmentation: the same voxels on the same slices, for any reader."""

import gzip
import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.annotation.models import Mask
from apps.annotation.segmentation import segmentation_of, store_segmentation
from apps.annotation.services import store_mask
from apps.core import store
from apps.imaging.models import Series
from apps.patients.models import Patient
from ml.simulation import PhantomSpec, SpacingPattern, simulate_ct
from ml.volumes import read_geometry
from tests.annotation.conftest import square_labels
from tests.annotation.scans import take_in
from tests.imaging.conftest import real_scan  # noqa: F401 (a fixture)
from tests.imaging.factory import scan_files, stored_files
from tests.imaging.store import empty_store  # noqa: F401 (a fixture)

pytestmark = pytest.mark.slow

Draw = Callable[[Sequence[bytes], np.ndarray], Mask]
SPACINGS = (SpacingPattern.UNIFORM_5MM, SpacingPattern.MIXED_4_7MM)


@pytest.fixture
def draw(patient: Patient, users: dict[Role, User]) -> Draw:
    """Store a CT and a mask of it: labels (z, y, x) on the slices, foot to head."""

    def drawn(files: Sequence[bytes], labels: np.ndarray) -> Mask:
        series = take_in(users[Role.COORDINATOR], patient, files)
        return store_mask(actor=users[Role.COORDINATOR], series=series, mask=labels.astype(np.uint8))

    return drawn


def corners(files: Sequence[bytes]) -> np.ndarray:
    """A mask that any flip, shift or swap of axes or slices would change: no row, column or slice is like another."""
    slices, rows, columns = read_geometry(map(BytesIO, files)).shape
    labels = np.random.default_rng(3).integers(0, 2, (slices, rows, columns)).astype(np.uint8)
    labels[1, :, columns // 2 :] = 0
    labels[-1, rows // 3 :] = 0
    labels[slices // 2] = 0  # a slice without mask between others
    return labels


def written(mask: Mask) -> bytes:
    buffer = BytesIO()
    segmentation_of(mask).save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def assert_voxels_are_those_of(mask: Mask, labels: np.ndarray) -> None:
    """Read the file back with highdicom, by the slices' UIDs and by their places in space."""
    read = hd.seg.segread(BytesIO(written(mask)))
    slices = list(mask.series.instances.filter(index__isnull=False).order_by("index"))
    pixels = read.get_pixels_by_source_instance([row.sop_instance_uid for row in slices])
    np.testing.assert_array_equal(pixels[..., 0] > 0, labels > 0)
    assert read.NumberOfFrames == len(slices)
    headers = [pydicom.dcmread(BytesIO(store.get(row.file)), stop_before_pixels=True) for row in slices]
    by_place = {tuple(map(float, header.ImagePositionPatient)): index for index, header in enumerate(headers)}
    for frame, item in zip(read.pixel_array, read.PerFrameFunctionalGroupsSequence, strict=True):
        place = tuple(map(float, item.PlanePositionSequence[0].ImagePositionPatient))
        np.testing.assert_array_equal(frame > 0, labels[by_place.pop(place)] > 0)
    shared = read.SharedFunctionalGroupsSequence[0]
    assert shared.PlaneOrientationSequence[0].ImageOrientationPatient == headers[0].ImageOrientationPatient
    assert shared.PixelMeasuresSequence[0].PixelSpacing == headers[0].PixelSpacing
    assert read.FrameOfReferenceUID == headers[0].FrameOfReferenceUID


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("tilt", [20.0, 0.0, -20.0])
def test_voxels_of_a_simulated_ct(draw: Draw, tmp_path: Path, tilt: float, spacing: SpacingPattern) -> None:
    spec = PhantomSpec(rows=64, columns=72, gantry_tilt_degrees=tilt, spacing=spacing, descending=tilt < 0)
    simulate_ct(tmp_path / "ct", spec=spec, seed=5)
    files = [path.read_bytes() for path in (tmp_path / "ct").iterdir()]
    labels = corners(files)
    assert_voxels_are_those_of(draw(files, labels), labels)


def test_voxels_of_the_real_scan(draw: Draw, real_scan: list[bytes]) -> None:  # noqa: F811 (a fixture)
    labels = corners(real_scan)
    assert_voxels_are_those_of(draw(real_scan, labels), labels)


def test_what_readers_ask_for(draw: Draw) -> None:
    """Codes of PS3.16 (CID 7150 and SNOMED CT), and what OHIF needs to lay the mask over the CT."""
    mask = draw(scan_files(5, seed=40), corners(scan_files(5, seed=40)))
    made = segmentation_of(mask)
    assert (made.SOPClassUID, made.Modality) == ("1.2.840.10008.5.1.4.1.1.66.4", "SEG")
    assert made.SegmentationType == "BINARY"
    assert made.BitsAllocated == 1
    (segment,) = made.SegmentSequence
    category, kind = (
        segment.SegmentedPropertyCategoryCodeSequence[0],
        segment.SegmentedPropertyTypeCodeSequence[0],
    )
    assert (category.CodeValue, category.CodingSchemeDesignator) == ("49755003", "SCT")
    assert (kind.CodeValue, kind.CodingSchemeDesignator, kind.CodeMeaning) == ("35566002", "SCT", "Hematoma")
    assert (segment.SegmentLabel, segment.SegmentAlgorithmType) == ("Hematoma", "MANUAL")
    assert made.ReferencedSeriesSequence[0].SeriesInstanceUID == mask.series.series_instance_uid
    assert made.StudyInstanceUID == mask.series.study.study_instance_uid
    assert made.PatientID == mask.patient.study_id
    assert made.PatientIdentityRemoved == "YES"


@pytest.mark.parametrize("tags", [{}, {"StudyDate": "20240131", "StudyTime": "101112"}])
def test_dates_are_those_of_the_ct(draw: Draw, tags: dict[str, str]) -> None:
    """The day of drawing would tell by how much the patient's dates are moved."""
    files = scan_files(3, seed=4, **tags)
    mask = draw(files, corners(files))
    made = pydicom.dcmread(BytesIO(written(mask)))
    source = pydicom.dcmread(BytesIO(store.get(mask.series.instances.first().file)), stop_before_pixels=True)
    assert bool(source.StudyDate) == bool(tags)
    dates = {element.value for element in made.iterall() if element.VR in ("DA", "DT") and element.value}
    assert dates == {source.StudyDate or "19000101"}
    assert made.ContentTime == (source.StudyTime or "000000")


def test_made_twice_it_is_the_same(draw: Draw) -> None:
    mask = draw(scan_files(4, seed=2), corners(scan_files(4, seed=2)))
    assert written(mask) == written(mask)


def test_versions_differ_in_uid_and_share_the_finding(draw: Draw, users: dict[Role, User]) -> None:
    labels = corners(scan_files(4, seed=2))
    first = draw(scan_files(4, seed=2), labels)
    second = store_mask(actor=users[Role.COORDINATOR], series=first.series, mask=(1 - labels).astype(np.uint8))
    one, two = segmentation_of(first), segmentation_of(second)
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription"):
        assert one[keyword].value != two[keyword].value
    assert one.SegmentSequence[0].TrackingUID == two.SegmentSequence[0].TrackingUID


def test_stored_once_as_a_series_of_the_study(draw: Draw) -> None:
    mask = draw(scan_files(5, seed=40), corners(scan_files(5, seed=40)))
    series = store_segmentation(mask)
    before = stored_files()
    assert store_segmentation(mask) == series
    assert stored_files() == before
    assert Series.objects.filter(modality="SEG").count() == 1
    assert (series.study, series.patient) == (mask.series.study, mask.patient)
    (instance,) = series.instances.all()
    assert instance.index is None
    assert (instance.rows, instance.columns, instance.frames) == (16, 16, 5)
    series.study.refresh_from_db()
    assert set(series.study.modalities.split("\\")) == {"CT", "SEG"}
    assert series.study.series_count == 2
    assert series.study.instance_count == 6
    (header,) = json.loads(gzip.decompress(bytes(series.metadata.content)))
    assert header["00080018"]["Value"] == [instance.sop_instance_uid]


def test_frames_lie_where_the_row_says(draw: Draw) -> None:
    """PS3.5 8.1.1 and D: one bit a pixel, the first pixel in the lowest bit of the first byte."""
    labels = corners(scan_files(5, seed=40))
    (instance,) = store_segmentation(draw(scan_files(5, seed=40), labels)).instances.all()
    content = store.get(instance.file)
    assert len(content) == instance.size
    places = pydicom.dcmread(BytesIO(content)).PerFrameFunctionalGroupsSequence
    heights = [float(item.PlanePositionSequence[0].ImagePositionPatient[2]) for item in places]
    for parts, index in zip(instance.frame_parts, np.argsort(np.argsort(heights)), strict=True):
        ((offset, length),) = parts
        bits = np.unpackbits(np.frombuffer(content[offset : offset + length], np.uint8), bitorder="little")
        np.testing.assert_array_equal(bits.reshape(16, 16), labels[index] > 0)


def test_frames_that_share_a_byte_have_no_place_of_their_own(draw: Draw) -> None:
    files = scan_files(3, seed=1, side=15)  # 225 bits a frame
    labels = corners(files)
    mask = draw(files, labels)
    (instance,) = store_segmentation(mask).instances.all()
    assert instance.frame_parts == []
    assert_voxels_are_those_of(mask, labels)


@pytest.mark.parametrize("scan", ["simulated", "real"])
def test_the_standards_checker_finds_no_error(
    scan: str, draw: Draw, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (Debian package dicom3tools) is absent")
    files = tilted_phantom(tmp_path) if scan == "simulated" else request.getfixturevalue("real_scan")
    (tmp_path / "mask.dcm").write_bytes(written(draw(files, corners(files))))
    command = ["dciodvfy", str(tmp_path / "mask.dcm")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
    lines = (done.stdout + done.stderr).splitlines()
    assert "Segmentation" in lines
    assert [line for line in lines if line.startswith("Error")] == []


def tilted_phantom(folder: Path) -> list[bytes]:
    simulate_ct(folder / "ct", spec=PhantomSpec(rows=64, columns=64, gantry_tilt_degrees=20), seed=1)
    return [path.read_bytes() for path in (folder / "ct").iterdir()]


def test_what_a_program_has_proposed_is_semiautomatic(ct: Series, users: dict[Role, User]) -> None:
    mask = store_mask(actor=users[Role.ANNOTATOR], series=ct, mask=square_labels(), suggestion_version=3)
    segment = segmentation_of(mask).SegmentSequence[0]
    assert segment.SegmentAlgorithmType == "SEMIAUTOMATIC"
    program = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert (program.AlgorithmName, program.AlgorithmVersion) == ("Ichor suggestion", "3")
