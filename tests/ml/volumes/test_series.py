"""Reading a CT series: order, Hounsfield units, true distances, and each refusal."""

import io
import random
from pathlib import Path

import gdcm
import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid

from ml.volumes import SeriesError, describe_gaps, read_geometry, read_series
from tests.ml.dicom_factory import COLUMN, ROW, make_series, save_series, table_positions, tilted_column

MIXED_GAPS = [4.0, 4.0, 4.0, 1.08, 7.0, 7.0]
HU = np.random.default_rng(7).integers(-1000, 1500, (7, 9, 11)).astype(np.int16)


def mixed_series(tilt: float = 0.0, **tags: object) -> list[Dataset]:
    return make_series(HU, table_positions(MIXED_GAPS, tilt=tilt), ROW, tilted_column(tilt), (0.4, 0.6), **tags)


@pytest.mark.parametrize("tilt", [20.0, 0.0, -20.0])
def test_gaps_are_distances_between_planes_whatever_the_tilt(tilt: float) -> None:
    volume = read_series(mixed_series(tilt))
    np.testing.assert_allclose(volume.gaps, MIXED_GAPS, atol=1e-8)
    np.testing.assert_allclose(volume.slice_extents, [4, 4, 4, 2.54, 4.04, 7, 7], atol=1e-8)
    assert describe_gaps(volume) == [(3, 4.0), (1, 1.08), (2, 7.0)]
    assert volume.tilt_degrees == pytest.approx(tilt, abs=1e-6)
    np.testing.assert_allclose(
        volume.normal, [0, np.sin(np.radians(tilt)), np.cos(np.radians(tilt))], atol=1e-8, rtol=0
    )


def test_voxels_and_attributes_come_through() -> None:
    datasets = mixed_series()
    volume = read_series(datasets)
    np.testing.assert_array_equal(volume.hu, HU)
    assert volume.hu.dtype == np.float32
    assert volume.shape == HU.shape
    assert volume.matrix == (9, 11)
    assert volume.pixel_spacing == (0.4, 0.6)
    assert volume.sop_instance_uids == tuple(dataset.SOPInstanceUID for dataset in datasets)
    assert volume.series_instance_uid == datasets[0].SeriesInstanceUID
    assert volume.study_instance_uid == datasets[0].StudyInstanceUID


@pytest.mark.parametrize("tilt", [20.0, 0.0, -20.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_order_comes_from_positions_not_from_names_or_numbers(tilt: float, seed: int, tmp_path: Path) -> None:
    datasets = mixed_series(tilt)
    shuffler = random.Random(seed)
    names = [f"{i}.dcm" for i in range(len(datasets))]
    shuffler.shuffle(names)
    for dataset in datasets:
        dataset.InstanceNumber = shuffler.randint(1, 99)
        dataset.SliceLocation = shuffler.uniform(-99, 99)
    save_series(datasets, tmp_path, names)
    volume = read_series(sorted(tmp_path.iterdir()))
    np.testing.assert_array_equal(volume.hu, HU)
    assert np.all(np.diff(volume.positions[:, 2]) > 0)


def test_descending_files_are_read_from_foot_to_head() -> None:
    ascending, descending = mixed_series(20.0), mixed_series(20.0)[::-1]
    np.testing.assert_array_equal(read_series(descending).hu, read_series(ascending).hu)


@pytest.mark.parametrize("row", [ROW, (-1.0, 0.0, 0.0)])
@pytest.mark.parametrize("turn", [1, -1])
def test_mirrored_images_keep_their_layout_and_run_from_foot_to_head(row: tuple[float, ...], turn: int) -> None:
    column = tuple(turn * np.array(tilted_column(15)))
    volume = read_series(make_series(HU, table_positions(MIXED_GAPS, tilt=15), row, column))
    np.testing.assert_array_equal(volume.hu, HU)
    np.testing.assert_allclose(volume.row_direction, row)
    np.testing.assert_allclose(volume.column_direction, column)
    np.testing.assert_allclose(volume.gaps, MIXED_GAPS, atol=1e-8)
    assert volume.normal[2] > 0


def test_sources_may_be_paths_text_streams_or_data_sets(tmp_path: Path) -> None:
    datasets = mixed_series()
    paths = save_series(datasets, tmp_path)
    stream = io.BytesIO(paths[2].read_bytes())
    volume = read_series([paths[0], str(paths[1]), stream, *datasets[3:]])
    np.testing.assert_array_equal(volume.hu, HU)


def test_geometry_alone_needs_no_pixels() -> None:
    datasets = mixed_series(-20.0, PixelData=None)
    geometry = read_geometry(datasets)
    assert geometry.shape == HU.shape
    assert describe_gaps(geometry) == [(3, 4.0), (1, 1.08), (2, 7.0)]


def test_rounded_positions_do_not_break_a_run_of_equal_gaps() -> None:
    # 4.8125 mm written with two decimals gives gaps of 4.81 and 4.82.
    positions = np.round(table_positions([4.8125] * 9), 2)
    assert describe_gaps(read_geometry(make_series(np.zeros((10, 4, 4)), positions))) == [(9, 4.81)]


def test_rescale_slope_and_intercept_make_hounsfield_units() -> None:
    volume = read_series(mixed_series(RescaleSlope=2, RescaleIntercept=-1000.5))
    np.testing.assert_allclose(volume.hu, 2.0 * (HU + 1024.0) - 1000.5)


def test_padding_becomes_air() -> None:
    padded = HU.copy()
    padded[:, 0, :] = -3000
    volume = read_series(
        make_series(padded, table_positions(MIXED_GAPS), PixelPaddingValue=-1976)  # -3000 HU as it is stored
    )
    assert np.all(volume.hu[:, 0, :] == -1000)
    np.testing.assert_array_equal(volume.hu[:, 1:], HU[:, 1:])


def test_padding_range_becomes_air() -> None:
    padded = HU.copy()
    padded[:, 0, 0], padded[:, 0, 1], padded[:, 0, 2] = -3000, -2500, -2000
    datasets = make_series(padded, table_positions(MIXED_GAPS), PixelPaddingValue=-1976, PixelPaddingRangeLimit=-976)
    assert np.all(read_series(datasets).hu[:, 0, :3] == -1000)


def test_padding_value_that_would_be_brain_is_not_followed() -> None:
    brain = np.full_like(HU, 35)
    volume = read_series(make_series(brain, table_positions(MIXED_GAPS), PixelPaddingValue=1024 + 35))
    assert np.all(volume.hu == 35)


def recompress(path: Path, syntax: str) -> None:
    """Pack a file's pixels anew, by GDCM's own encoder."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


@pytest.mark.parametrize("syntax", ["RLELossless", "JPEGLosslessProcess14_1", "JPEGLSLossless", "JPEG2000Lossless"])
def test_compressed_series_read_like_uncompressed_ones(syntax: str, tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(7) * 50, np.add.outer(np.arange(64), np.arange(48))).astype(np.int16)
    paths = save_series(make_series(smooth, table_positions(MIXED_GAPS)), tmp_path)
    for path in paths:
        recompress(path, syntax)
    np.testing.assert_array_equal(read_series(paths).hu, smooth)


def refusal(datasets: list[object]) -> SeriesError:
    with pytest.raises(SeriesError) as caught:
        read_series(datasets)  # type: ignore[arg-type]
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "1.2.826" not in sentence
    return caught.value


def changed(index: int, **tags: object) -> list[Dataset]:
    """A good series of which one slice is spoiled; None removes an attribute."""
    datasets = mixed_series()
    for keyword, value in tags.items():
        if value is None:
            delattr(datasets[index], keyword)
        else:
            setattr(datasets[index], keyword, value)
    return datasets


@pytest.mark.parametrize(
    ("tags", "code", "says"),
    [
        ({"Modality": "MR"}, "not_ct", "Image 3 of 7 is of modality MR"),
        ({"Modality": None}, "not_ct", "no stated modality"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer", "Image 3 of 7 is a scout"),
        ({"NumberOfFrames": 5}, "multi_frame", "single-frame"),
        ({"SOPInstanceUID": None}, "missing_identity", "Image 3 of 7"),
        ({"SeriesInstanceUID": "2.25.1"}, "mixed_series", "2 different series"),
        ({"ImagePositionPatient": None}, "missing_geometry", "Image 3 of 7 has no usable ImagePositionPatient"),
        ({"ImagePositionPatient": [1, 2]}, "missing_geometry", "ImagePositionPatient"),
        ({"ImageOrientationPatient": None}, "missing_geometry", "ImageOrientationPatient"),
        ({"PixelSpacing": None}, "missing_geometry", "PixelSpacing"),
        ({"PixelSpacing": [0, 0.4]}, "missing_geometry", "pixel spacing"),
        ({"PixelSpacing": [0.4, 0.7]}, "not_one_spacing", "0.400 to 0.700 mm"),
        ({"Rows": 12}, "not_one_matrix", "9 x 11, 12 x 11"),
        ({"ImageOrientationPatient": [*ROW, *tilted_column(5)]}, "not_one_orientation", "parallel"),
        ({"PixelData": None}, "no_pixels", "Slice 3 of 7"),
        ({"PixelData": b"\0" * 20}, "undecodable", "Slice 3 of 7"),
        ({"RescaleIntercept": None}, "no_hounsfield_scale", "Slice 3 of 7"),
        ({"RescaleSlope": 0}, "no_hounsfield_scale", "Slice 3 of 7"),
        ({"SamplesPerPixel": 3}, "not_gray", "color"),
    ],
)
def test_one_spoiled_slice_is_named_by_its_number(tags: dict[str, object], code: str, says: str) -> None:
    error = refusal(changed(2, **tags))
    assert error.code == code
    assert says in str(error)


def test_a_file_that_is_no_dicom_is_named_by_its_number_only(tmp_path: Path) -> None:
    paths = save_series(mixed_series(), tmp_path)
    paths[4].write_bytes(b"Wang Fang, born 1950")
    error = refusal(list(paths))
    assert error.code == "not_dicom"
    assert "File 5 of 7" in str(error)
    assert paths[4].name not in str(error)


def test_a_missing_file_is_a_sentence_without_its_path(tmp_path: Path) -> None:
    paths = save_series(mixed_series(), tmp_path)
    paths[0].unlink()
    error = refusal(list(paths))
    assert error.code == "unreadable"
    assert str(tmp_path) not in str(error)


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.99])
def test_a_file_cut_short_is_refused(kept: float, tmp_path: Path) -> None:
    paths = save_series(mixed_series(), tmp_path)
    content = paths[6].read_bytes()
    paths[6].write_bytes(content[: int(len(content) * kept)])
    assert refusal(list(paths)).code in {"unreadable", "not_ct", "missing_identity", "missing_geometry", "undecodable"}


def test_no_file_at_all() -> None:
    assert refusal([]).code == "no_files"


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_slices(count: int) -> None:
    error = refusal(mixed_series()[:count])
    assert error.code == "too_few_slices"
    assert f"has {count} slice" in str(error)


def test_three_slices_are_enough() -> None:
    assert read_series(mixed_series()[:3]).shape == (3, 9, 11)


def test_two_slices_at_one_place() -> None:
    datasets = mixed_series()
    again = mixed_series()[3]
    again.SeriesInstanceUID = datasets[0].SeriesInstanceUID
    again.SOPInstanceUID = generate_uid()
    error = refusal([*datasets, again])
    assert error.code == "duplicate_positions"
    assert "1 of the 8 slices" in str(error)


def test_one_slice_twice_under_two_positions() -> None:
    datasets = mixed_series()
    datasets[1].SOPInstanceUID = datasets[0].SOPInstanceUID
    assert refusal(datasets).code == "duplicate_positions"


@pytest.mark.parametrize(
    ("row", "column", "step"),
    [
        ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 5.0, 0.0)),  # coronal
        ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (5.0, 0.0, 0.0)),  # sagittal
        (ROW, tilted_column(50), (0.0, 0.0, 5.0)),
    ],
)
def test_slices_that_are_not_axial(row: tuple[float, ...], column: tuple[float, ...], step: tuple[float, ...]) -> None:
    positions = np.arange(7)[:, None] * np.array(step)
    assert refusal(make_series(HU, positions, row, column)).code == "not_axial"


def test_a_strong_tilt_is_still_axial() -> None:
    assert read_series(mixed_series(40.0)).tilt_degrees == pytest.approx(40.0)


@pytest.mark.parametrize("column", [(0.5, 0.8660254, 0.0), (0.0, 2.0, 0.0), (0.0, 0.0, 0.0)])
def test_rows_and_columns_must_be_at_right_angles(column: tuple[float, ...]) -> None:
    assert refusal(make_series(HU, table_positions(MIXED_GAPS), ROW, column)).code == "bad_orientation"


def test_a_giant_matrix_is_refused_before_memory_is_taken() -> None:
    assert refusal(mixed_series(Rows=60000, Columns=60000)).code == "bad_matrix"


def test_slices_may_drift_within_their_plane() -> None:
    positions = table_positions([5.0] * 6) + np.arange(7)[:, None] * np.array([0.3, -0.2, 0.0])
    volume = read_series(make_series(HU, positions, ROW, COLUMN))
    np.testing.assert_allclose(volume.gaps, 5.0)
    np.testing.assert_allclose(volume.positions, positions)
