"""Masks: the way through ITK and back is voxel-identical, and what lies elsewhere is refused."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from pydicom import Dataset

from ml.volumes import MaskError, Volume, read_mask, read_series, write_mask
from tests.ml.dicom_factory import ROW, make_series, save_series, table_positions, tilted_column

SHAPE = (7, 9, 11)
MIXED_GAPS = [4.0, 4.0, 4.0, 1.08, 7.0, 7.0]
MASK = (np.random.default_rng(3).random(SHAPE) < 0.3).astype(np.uint8)


def series(tilt: float = 0.0, flip: str = "") -> list[Dataset]:
    # Each voxel's value says which it is, so that an image loaded by ITK can be compared voxel by voxel.
    values = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    row = np.array(ROW) * (-1 if "x" in flip else 1)
    column = np.array(tilted_column(tilt)) * (-1 if "y" in flip else 1)
    return make_series(values, table_positions(MIXED_GAPS, tilt=tilt), row, column, (0.4, 0.6))


def itk_image(datasets: list[Dataset], folder: Path, *, reverse: bool = False) -> sitk.Image:
    """The series as ITK loads it, in GDCM's order or the other way round."""
    save_series(datasets, folder)
    files = list(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    return sitk.ReadImage(files[::-1] if reverse else files)


def itk_mask(image: sitk.Image, path: Path) -> Path:
    """What a drawing program saves: a label for each voxel of the loaded image, found by that voxel's value."""
    labels = sitk.GetImageFromArray(MASK.ravel()[sitk.GetArrayFromImage(image).astype(int)])
    labels.CopyInformation(image)
    sitk.WriteImage(labels, str(path))
    return path


@pytest.fixture
def volume() -> Volume:
    return read_series(series(20.0))


@pytest.mark.parametrize("tilt", [20.0, 0.0, -20.0])
@pytest.mark.parametrize("flip", ["", "x", "y", "xy"])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", ["mask.nii.gz", "mask.nrrd", "mask.mha"])
def test_a_mask_drawn_in_itk_comes_back_voxel_for_voxel(
    tilt: float, flip: str, reverse: bool, name: str, tmp_path: Path
) -> None:
    datasets = series(tilt, flip)
    folder = tmp_path / "dicom"
    folder.mkdir()
    path = itk_mask(itk_image(datasets, folder, reverse=reverse), tmp_path / name)
    mask = read_mask(path, read_series(datasets))
    np.testing.assert_array_equal(mask, MASK)
    assert mask.dtype == np.uint8
    assert mask.flags.c_contiguous


@pytest.mark.parametrize("orientation", ["RAS", "LPI", "SAR", "PIL"])
@pytest.mark.parametrize("name", ["mask.nii.gz", "mask.nrrd", "mask.mha"])
def test_turned_axes_are_turned_back(orientation: str, name: str, tmp_path: Path) -> None:
    datasets = series()
    folder = tmp_path / "dicom"
    folder.mkdir()
    path = itk_mask(itk_image(datasets, folder), tmp_path / name)
    sitk.WriteImage(sitk.DICOMOrient(sitk.ReadImage(str(path)), orientation), str(path))
    np.testing.assert_array_equal(read_mask(path, read_series(datasets)), MASK)


@pytest.mark.parametrize("tilt", [20.0, 0.0, -20.0])
@pytest.mark.parametrize("flip", ["", "x", "y"])
@pytest.mark.parametrize("name", ["mask.nii.gz", "mask.nii", "mask.nrrd", "mask.seg.nrrd", "mask.mha"])
def test_written_masks_lie_where_itk_puts_the_series(tilt: float, flip: str, name: str, tmp_path: Path) -> None:
    datasets = series(tilt, flip)
    folder = tmp_path / "dicom"
    folder.mkdir()
    image = itk_image(datasets, folder)
    volume = read_series(datasets)
    write_mask(tmp_path / name, MASK, volume)
    written = sitk.ReadImage(str(tmp_path / name))
    np.testing.assert_allclose(written.GetOrigin(), image.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(written.GetSpacing(), image.GetSpacing(), atol=1e-5)
    np.testing.assert_allclose(written.GetDirection(), image.GetDirection(), atol=1e-5)
    labels = MASK.ravel()[sitk.GetArrayFromImage(image).astype(int)]
    np.testing.assert_array_equal(sitk.GetArrayFromImage(written), labels)
    np.testing.assert_array_equal(read_mask(tmp_path / name, volume), MASK)


def test_labels_are_kept(volume: Volume, tmp_path: Path) -> None:
    labels = MASK * np.uint8(3)
    write_mask(tmp_path / "labels.nii.gz", labels, volume)
    np.testing.assert_array_equal(read_mask(tmp_path / "labels.nii.gz", volume), labels)


def test_bool_masks_can_be_written(volume: Volume, tmp_path: Path) -> None:
    write_mask(tmp_path / "mask.nii.gz", MASK > 0, volume)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.nii.gz", volume), MASK)


def saved(volume: Volume, folder: Path) -> tuple[sitk.Image, Path]:
    path = folder / "mask.nii.gz"
    write_mask(path, MASK, volume)
    return sitk.ReadImage(str(path)), path


def refusal(path: Path, volume: Volume) -> MaskError:
    with pytest.raises(MaskError) as caught:
        read_mask(path, volume)
    assert str(caught.value).endswith(".")
    assert str(path) not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint16])
def test_whole_numbers_of_any_type_are_labels(dtype: type, volume: Volume, tmp_path: Path) -> None:
    image, path = saved(volume, tmp_path)
    other = sitk.GetImageFromArray(sitk.GetArrayFromImage(image).astype(dtype))
    other.CopyInformation(image)
    sitk.WriteImage(other, str(path))
    np.testing.assert_array_equal(read_mask(path, volume), MASK)


@pytest.mark.parametrize("value", [0.5, -1.0, 256.0])
def test_what_are_no_labels_is_refused(value: float, volume: Volume, tmp_path: Path) -> None:
    image, path = saved(volume, tmp_path)
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    array[1, 2, 3] = value
    other = sitk.GetImageFromArray(array)
    other.CopyInformation(image)
    sitk.WriteImage(other, str(path))
    assert refusal(path, volume).code == "mask_not_labels"


def test_a_color_image_is_no_mask(volume: Volume, tmp_path: Path) -> None:
    image, path = saved(volume, tmp_path)
    sitk.WriteImage(sitk.Compose([image, image, image]), str(path))
    assert refusal(path, volume).code == "mask_not_labels"


def test_an_empty_mask_is_refused(volume: Volume, tmp_path: Path) -> None:
    write_mask(tmp_path / "mask.nii.gz", np.zeros(SHAPE, dtype=np.uint8), volume)
    assert refusal(tmp_path / "mask.nii.gz", volume).code == "mask_empty"


def test_another_size_is_named(volume: Volume, tmp_path: Path) -> None:
    image, path = saved(volume, tmp_path)
    sitk.WriteImage(image[:, :, :5], str(path))
    error = refusal(path, volume)
    assert error.code == "mask_shape"
    assert "11 x 9 x 5" in str(error)
    assert "11 x 9 x 7" in str(error)


def test_a_single_slice_is_no_mask(volume: Volume, tmp_path: Path) -> None:
    image, path = saved(volume, tmp_path)
    sitk.WriteImage(image[:, :, 0], str(path))
    assert refusal(path, volume).code == "mask_shape"


@pytest.mark.parametrize("shift", [(0.3, 0, 0), (0, -0.2, 0), (0, 0, 4.0)])
def test_another_place_is_refused(shift: tuple[float, float, float], volume: Volume, tmp_path: Path) -> None:
    image, path = saved(volume, tmp_path)
    image.SetOrigin((np.array(image.GetOrigin()) + shift).tolist())
    sitk.WriteImage(image, str(path))
    error = refusal(path, volume)
    assert error.code == "mask_other_grid"
    assert f"{np.linalg.norm(shift):.1f} mm" in str(error)


@pytest.mark.parametrize("factors", [(1.01, 1, 1), (1, 0.98, 1), (1, 1, 1.2)])
def test_another_spacing_is_refused(factors: tuple[float, float, float], volume: Volume, tmp_path: Path) -> None:
    image, path = saved(volume, tmp_path)
    image.SetSpacing((np.array(image.GetSpacing()) * factors).tolist())
    sitk.WriteImage(image, str(path))
    assert refusal(path, volume).code == "mask_other_grid"


def test_untilted_slices_do_not_fit_a_tilted_series(volume: Volume, tmp_path: Path) -> None:
    image, path = saved(volume, tmp_path)
    image.SetDirection(np.eye(3).ravel().tolist())
    sitk.WriteImage(image, str(path))
    error = refusal(path, volume)
    assert error.code == "mask_other_grid"
    assert "20.0 degrees" in str(error)


def test_slices_in_reverse_order_under_unchanged_directions_are_refused(volume: Volume, tmp_path: Path) -> None:
    """The file then says that the stack goes on where the CT has ended: nothing tells which of the two is wrong."""
    image, path = saved(volume, tmp_path)
    image.SetOrigin(volume.positions[-1].tolist())
    sitk.WriteImage(image, str(path))
    assert refusal(path, volume).code == "mask_other_grid"


def test_the_mean_distance_between_planes_is_accepted_too(volume: Volume, tmp_path: Path) -> None:
    image, path = saved(volume, tmp_path)
    image.SetSpacing([*image.GetSpacing()[:2], float(np.mean(MIXED_GAPS))])
    sitk.WriteImage(image, str(path))
    np.testing.assert_array_equal(read_mask(path, volume), MASK)


@pytest.mark.parametrize("name", ["mask.nii", "mask.nii.gz", "mask.nrrd", "mask.mha", "mask"])
def test_what_is_no_mask_is_refused(name: str, volume: Volume, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"no image at all " * 40)
    assert refusal(path, volume).code == "not_a_mask"


def test_a_missing_file_is_refused(volume: Volume, tmp_path: Path) -> None:
    assert refusal(tmp_path / "absent.nii.gz", volume).code == "not_a_mask"


@pytest.mark.parametrize("kept", [0.5, 0.98])
@pytest.mark.parametrize("packed", [True, False])
def test_a_file_cut_short_is_refused_not_filled_up(kept: float, packed: bool, volume: Volume, tmp_path: Path) -> None:
    path = saved(volume, tmp_path)[1]
    content = path.read_bytes()
    if not packed:
        content, path = gzip.decompress(content), tmp_path / "mask.nii"
    path.write_bytes(content[: int(len(content) * kept)])
    assert refusal(path, volume).code in {"mask_incomplete", "not_a_mask"}


def test_masks_to_write_must_fit(volume: Volume, tmp_path: Path) -> None:
    path = tmp_path / "mask.nii.gz"
    for mask, name, code in (
        (MASK[:3], path, "mask_shape"),
        (MASK * 0.5, path, "mask_not_labels"),
        (MASK, tmp_path / "mask.png", "not_a_mask"),
    ):
        with pytest.raises(MaskError) as caught:
            write_mask(name, mask, volume)
        assert caught.value.code == code
    assert not any(tmp_path.iterdir())
