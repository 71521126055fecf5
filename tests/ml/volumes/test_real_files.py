"""Real files: a tilted head CT of mixed gaps, and what else a hospital may send."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from pydicom.uid import generate_uid

from ml.errors import MLError
from ml.hematoma import volume_ml
from ml.volumes import Volume, describe_gaps, read_geometry, read_mask, read_series


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def head_files(shared_data: Path) -> list[Path]:
    return files_below(shared_data / "head-ct-tilted" / "dicom")


@pytest.fixture(scope="module")
def odd_files(shared_data: Path) -> list[Path]:
    return files_below(shared_data / "odd-dicom")


@pytest.fixture(scope="module")
def syntaxes(odd_files: list[Path]) -> list[Path]:
    return [path for path in odd_files if path.parent.name == "cornerstone_CT_transfer_syntaxes"]


@pytest.fixture(scope="module")
def head(head_files: list[Path]) -> Volume:
    return read_series(head_files)


def test_gaps_and_tilt_of_the_real_head(head: Volume, head_files: list[Path]) -> None:
    assert describe_gaps(head) == [(13, 4.0), (1, 1.08), (13, 7.0)]
    assert head.tilt_degrees == pytest.approx(18.5, abs=0.001)
    assert head.tilt_degrees == pytest.approx(float(pydicom.dcmread(head_files[0]).GantryDetectorTilt), abs=0.001)
    assert describe_gaps(read_geometry(head_files[::-1])) == describe_gaps(head)


def test_hounsfield_units_of_the_real_head(head: Volume, head_files: list[Path]) -> None:
    slices = [pydicom.dcmread(path) for path in head_files]
    slices.sort(key=lambda dataset: float(dataset.ImagePositionPatient[2]))
    for ours, dataset in zip(head.hu, slices, strict=True):
        inside = dataset.pixel_array != dataset.PixelPaddingValue
        expected = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        np.testing.assert_array_equal(ours[inside], expected[inside])


def test_a_full_slice_is_worth_its_own_extent(head: Volume) -> None:
    thin, thick = np.zeros(head.shape, dtype=np.uint8), np.zeros(head.shape, dtype=np.uint8)
    thin[5], thick[20] = 1, 1
    assert volume_ml(thick, head) / volume_ml(thin, head) == pytest.approx(7.0 / 4.0, rel=1e-3)
    # 512 x 512 pixels of 0.4882812 mm, 4 mm: 250 mm x 250 mm x 4 mm.
    assert volume_ml(thin, head) == pytest.approx(250.0, rel=1e-3)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_mask_drawn_on_the_real_head_in_itk_comes_back(
    head: Volume, head_files: list[Path], reverse: bool, tmp_path: Path
) -> None:
    files = list(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(head_files[0].parent)))
    image = sitk.ReadImage(files[::-1] if reverse else files)
    assert image.GetSpacing()[2] == pytest.approx(5.63, abs=0.005)  # ITK's average of 4, 1.08 and 7 mm
    drawn = sitk.GetImageFromArray((sitk.GetArrayFromImage(image) > 40).astype(np.uint8))
    drawn.CopyInformation(image)
    sitk.WriteImage(drawn, str(tmp_path / "mask.nii.gz"))
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.nii.gz", head), head.hu > 40)


def test_every_odd_file_alone_is_a_volume_or_a_sentence(odd_files: list[Path]) -> None:
    for path in odd_files:
        for read in (read_series, read_geometry):
            with pytest.raises(MLError) as caught:  # one file is never a whole series
                read([path])
            assert path.name not in str(caught.value)


EXPECTED = {
    "gantrytilting/001": [(3, 4.85)],
    "notavolume/001": "duplicate_positions",
    "slicecount/001": "not_ct",
    "sliceincrement/001": [(2, 5.0), (1, 10.0)],
    "sliceincrement/002": [(2, 0.75), (1, 1.5)],
    "sliceorientation/001": "not_ct",
    "24x38x3/image": [(2, 2.5)],
    "24x38x3/multiframe": "multi_frame",
    "wrong_bodypart_CT": [(2, 1.0)],
    "wrong_modality_MR_series": "not_ct",
    "cornerstone_CT_transfer_syntaxes": "multi_frame",
}


def outcome(paths: list[Path]) -> object:
    try:
        return describe_gaps(read_series(paths))
    except MLError as error:
        return error.code


def test_every_odd_folder_is_a_volume_or_a_sentence(odd_files: list[Path]) -> None:
    folders: dict[str, list[Path]] = defaultdict(list)
    for path in odd_files:
        folders[path.parent.as_posix()].append(path)
    outcomes = {folder: outcome(paths) for folder, paths in folders.items()}
    for end, expected in EXPECTED.items():
        assert [found for folder, found in outcomes.items() if folder.endswith(end)] == [expected], end


def as_series(path: Path) -> list[pydicom.Dataset]:
    """One real slice three times, 5 mm apart."""
    datasets = [pydicom.dcmread(path) for _ in range(3)]
    for i, dataset in enumerate(datasets):
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, z + 5 * i]
        dataset.SOPInstanceUID = generate_uid()
    return datasets


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("BigEndianExplicit", 0),
        ("DeflatedExplicit", 0),
        ("LittleEndianImplicit", 0),
        ("RLELossless", 0),
        ("JPEGProcess14SV1", 0),
        ("JPEGProcess14Transfer", 0),
        ("JPEGLSLossless", 0),
        ("JPEG2000LosslessOnly", 0),
        ("JPEGLSLossy", 2),
        ("JPEG2000Transfer", 10),
        ("JPEGProcess1Transfer", 100),  # 8 bits: one step is 32 HU
    ],
)
def test_transfer_syntaxes_of_one_slice_agree(name: str, most: float, syntaxes: list[Path]) -> None:
    reference = read_series(as_series(next(path for path in syntaxes if path.name == "CTImage.dcm")))
    found = read_series(as_series(next(path for path in syntaxes if name in path.name)))
    assert float(np.abs(found.hu - reference.hu).max()) <= most


@pytest.mark.parametrize("name", ["JPEGProcess10_12", "JPEGProcess6_8", "JPEGProcess2_4"])
def test_retired_compression_is_refused_by_a_sentence(name: str, syntaxes: list[Path]) -> None:
    path = next(path for path in syntaxes if name in path.name)
    assert outcome(as_series(path)) == "undecodable"  # type: ignore[arg-type]
