"""Where a mask's grid lies beside the CT's: every number is worked out by hand in millimeters, LPS."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from ml.volumes import Geometry, grid_difference

# 4 slices 5 mm apart, 10 rows of 2 mm, 20 columns of 1 mm; the first voxel's center lies at (-10, -20, 100).
CT = Geometry(
    positions=np.array([[-10.0, -20.0, 100.0 + 5 * z] for z in range(4)]),
    row_direction=np.array([1.0, 0.0, 0.0]),
    column_direction=np.array([0.0, 1.0, 0.0]),
    pixel_spacing=(2.0, 1.0),
    sop_instance_uids=("",) * 4,
    series_instance_uid="",
    study_instance_uid="",
    matrix=(10, 20),
)
ORIGIN, SPACING = (-10.0, -20.0, 100.0), (1.0, 2.0, 5.0)
UNTURNED = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def labels(shape: tuple[int, int, int] = (4, 10, 20)) -> np.ndarray:
    """Columns 3 to 5, rows 6 and 7, slice 1."""
    drawn = np.zeros(shape, np.uint8)
    drawn[1, 6:8, 3:6] = 1
    return drawn


@pytest.fixture(params=["mask.nii.gz", "mask.nrrd", "mask.mha"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


def write(
    path: Path, drawn: np.ndarray, *, origin: tuple[float, ...] = ORIGIN, spacing: tuple[float, ...] = SPACING,
    direction: tuple[float, ...] = UNTURNED,
) -> Path:  # fmt: skip
    image = sitk.GetImageFromArray(drawn)
    image.SetOrigin(origin)
    image.SetSpacing(spacing)
    image.SetDirection(direction)
    sitk.WriteImage(image, str(path))
    return path


def near(*expected: float) -> object:
    return pytest.approx(np.array(expected), abs=1e-3)


def test_the_cts_block_reaches_half_a_voxel_beyond_the_centers(path: Path) -> None:
    found = grid_difference(write(path, labels(), origin=(10.0, -20.0, 100.0)), CT)
    assert found is not None
    assert found.ct.low == near(-10.5, -21, 97.5) and found.ct.high == near(9.5, -1, 117.5)
    assert found.ct.size == near(20, 20, 20)


def test_shifted_20_mm_to_the_left(path: Path) -> None:
    found = grid_difference(write(path, labels(), origin=(10.0, -20.0, 100.0)), CT)
    assert found is not None and found.drawn is not None
    assert found.mask.low == near(9.5, -21, 97.5) and found.mask.high == near(29.5, -1, 117.5)
    assert found.shift == near(20, 0, 0) and found.reverse == (False, False, False)
    # Columns 3 to 5 of 1 mm from 10 mm, rows 6 and 7 of 2 mm from -20 mm, slice 1 of 5 mm from 100 mm.
    assert found.drawn.low == near(12.5, -9, 102.5) and found.drawn.high == near(15.5, -5, 107.5)
    assert found.drawn_within == 0


def test_flipped_from_head_to_feet(path: Path) -> None:
    """The slices run to the feet from the CT's lowest: 85 to 100 mm instead of 100 to 115 mm."""
    found = grid_difference(write(path, labels(), direction=(1, 0, 0, 0, 1, 0, 0, 0, -1)), CT)
    assert found is not None and found.drawn is not None
    assert found.mask.low == near(-10.5, -21, 82.5) and found.mask.high == near(9.5, -1, 102.5)
    assert found.shift == near(0, 0, -15) and found.reverse == (False, False, True)
    assert found.drawn.low == near(-7.5, -9, 92.5) and found.drawn.high == near(-4.5, -5, 97.5)
    assert found.drawn_within == 0


def test_flipped_from_side_to_side(path: Path) -> None:
    """The columns run to the right from 4 mm: -15 to 4 mm instead of -10 to 9 mm."""
    moved = (4.0, -20.0, 100.0)
    found = grid_difference(write(path, labels(), origin=moved, direction=(-1, 0, 0, 0, 1, 0, 0, 0, 1)), CT)
    assert found is not None and found.drawn is not None
    assert found.mask.low == near(-15.5, -21, 97.5) and found.mask.high == near(4.5, -1, 117.5)
    assert found.shift == near(-5, 0, 0) and found.reverse == (True, False, False)
    assert found.drawn.low == near(-1.5, -9, 102.5) and found.drawn.high == near(1.5, -5, 107.5)
    assert found.drawn_within == pytest.approx(1)


def test_other_spacing_and_another_number_of_slices(path: Path) -> None:
    found = grid_difference(write(path, labels((6, 10, 20)), spacing=(1.0, 2.0, 2.5)), CT)
    assert found is not None and found.drawn is not None
    assert found.mask.low == near(-10.5, -21, 98.75) and found.mask.high == near(9.5, -1, 113.75)
    assert found.mask.size == near(20, 20, 15) and found.shift == near(0, 0, -1.25)
    assert found.drawn.low[2] == pytest.approx(101.25) and found.drawn.high[2] == pytest.approx(103.75)


def test_drawn_halfway_out_of_the_ct(path: Path) -> None:
    """Columns 3 to 5 lie at 8 to 10 mm: they reach from 7.5 to 10.5 mm, the CT to 9.5 mm."""
    found = grid_difference(write(path, labels(), origin=(5.0, -20.0, 100.0)), CT)
    assert found is not None and found.drawn_within == pytest.approx(0.667, abs=1e-3)


def test_slices_in_another_plane_have_no_order_to_compare_but_a_place(path: Path) -> None:
    """Turned by 45 degrees about the axis from feet to head."""
    half = np.sqrt(0.5)
    found = grid_difference(write(path, labels(), direction=(half, -half, 0, half, half, 0, 0, 0, 1)), CT)
    assert found is not None and len({tuple(corner) for corner in found.mask.corners.round(3)}) == 8
    # Corners of 20 x 20 mm about a center at 9.5 and 9 steps of either axis.
    assert found.mask.size == near(20 * np.sqrt(2), 20 * np.sqrt(2), 20)
    assert found.reverse[2] is False


def test_an_empty_mask_and_a_picture_have_nothing_drawn(path: Path) -> None:
    moved = (10.0, -20.0, 100.0)
    empty = grid_difference(write(path, np.zeros((4, 10, 20), np.uint8), origin=moved), CT)
    gray = grid_difference(write(path, np.full((4, 10, 20), 0.5, np.float32), origin=moved), CT)
    for found in (empty, gray):
        assert found is not None and found.drawn is None and found.drawn_within is None
        assert found.shift == near(20, 0, 0)


def test_what_cannot_be_read_has_no_difference(path: Path) -> None:
    assert grid_difference(path, CT) is None, "no such file"
    whole = write(path, labels(), origin=(10.0, -20.0, 100.0)).read_bytes()
    for content in (b"", b"volume: 30 mL", whole[: len(whole) // 2], whole[:60]):
        path.write_bytes(content)
        assert grid_difference(path, CT) is None
    assert grid_difference(write(path, labels(), origin=(1e6, 0.0, 0.0)), CT) is None, "a place in no scanner"
