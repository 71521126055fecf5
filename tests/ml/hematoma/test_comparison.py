"""Agreement of two masks: by hand on thick, uneven and tilted slices, and against ITK and MONAI on even grids."""

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk  # noqa: N813
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.metrics import compute_dice, compute_hausdorff_distance
from scipy.ndimage import gaussian_filter

from ml.hematoma import compare, volume_ml
from ml.volumes import Geometry, MaskError
from tests.ml.hematoma.bodies import EVEN, MIXED, ellipsoid, geometry_of

CUBES = geometry_of([0.5] * 40)
THICK = geometry_of([4.0, 4.0, 1.08, 7.0, 7.0])  # extents 4, 4, 2.54, 4.04, 7 and 7 mm
Mask = npt.NDArray[np.bool_]


def box(geometry: Geometry, z: slice, y: slice = slice(20, 80), x: slice = slice(30, 110)) -> Mask:
    mask = np.zeros(geometry.shape, dtype=bool)
    mask[z, y, x] = True
    return mask


def blob(geometry: Geometry, seed: int) -> Mask:
    """A ragged body in several parts; seeds near one another overlap."""
    shape = (geometry.shape[0], 60, 70)
    fields = [gaussian_filter(np.random.default_rng(number).normal(size=shape), (2, 5, 5)) for number in (0, seed)]
    noise = fields[0] + 0.6 * fields[1]
    mask = np.zeros(geometry.shape, dtype=bool)
    mask[:, 100:160, 120:190] = noise > np.quantile(noise, 0.97)
    return mask


def image_of(mask: Mask, geometry: Geometry) -> sitk.Image:
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing((*geometry.pixel_spacing[::-1], float(geometry.gaps[0])))
    return image


def test_a_mask_agrees_with_itself() -> None:
    mask = blob(CUBES, 1)
    found = compare(mask, mask * 3, CUBES)
    assert (found.dice, found.hd95_mm, found.difference_ml) == (1, 0, 0)
    assert found.first_ml == found.second_ml == volume_ml(mask, CUBES)


@pytest.mark.filterwarnings("ignore:monai.metrics.utils:FutureWarning")
@pytest.mark.parametrize("geometry", [CUBES, geometry_of([2.5] * 20, spacing=(0.5, 0.8))], ids=["cubes", "slices"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_against_monai_and_itk_on_even_grids(geometry: Geometry, seed: int) -> None:
    first, second = blob(geometry, seed), blob(geometry, seed + 10)
    found = compare(first, second, geometry)
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(image_of(first, geometry), image_of(second, geometry))
    assert found.dice == pytest.approx(overlap.GetDiceCoefficient())
    tensors = [torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (first, second)]
    assert found.dice == pytest.approx(compute_dice(*tensors).item())
    spacing = (float(geometry.gaps[0]), *geometry.pixel_spacing)
    monai = compute_hausdorff_distance(*tensors, include_background=True, percentile=95, spacing=spacing)
    assert found.hd95_mm == pytest.approx(monai.item(), rel=1e-5)
    # ITK does not take what lies beyond the ends for outside.
    inner = [mask & box(geometry, slice(1, -1), slice(None), slice(None)) for mask in (first, second)]
    maps = by_distance_maps(*inner, geometry)
    assert compare(*inner, geometry).hd95_mm == pytest.approx(maps, rel=1e-5)
    whole = sitk.HausdorffDistanceImageFilter()
    whole.Execute(image_of(first, geometry), image_of(second, geometry))
    assert 0 < found.hd95_mm <= whole.GetHausdorffDistance()


def by_distance_maps(first: Mask, second: Mask, geometry: Geometry) -> float:
    """The larger 95th percentile of ITK's distances from the contour of one mask to that of the other."""
    contours = [sitk.LabelContour(image_of(mask, geometry)) for mask in (first, second)]
    maps = [
        sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(each, squaredDistance=False, useImageSpacing=True))
        for each in contours
    ]
    surfaces = [sitk.GetArrayFromImage(each) > 0 for each in contours]
    return max(float(np.percentile(np.clip(maps[1 - number][surfaces[number]], 0, None), 95)) for number in (0, 1))


def test_the_distance_of_plates_is_itks_hausdorff_distance() -> None:
    first, second = box(CUBES, slice(10, 11)), box(CUBES, slice(23, 24))
    whole = sitk.HausdorffDistanceImageFilter()
    whole.Execute(image_of(first, CUBES), image_of(second, CUBES))
    assert compare(first, second, CUBES).hd95_mm == pytest.approx(whole.GetHausdorffDistance())


@pytest.mark.parametrize(("z", "gap"), [(0, 4.0), (1, 4.0), (2, 1.08), (3, 7.0)])
def test_a_slice_too_high_is_off_by_its_gap(z: int, gap: float) -> None:
    found = compare(box(THICK, slice(z, z + 1)), box(THICK, slice(z + 1, z + 2)), THICK)
    assert found.hd95_mm == pytest.approx(gap)
    assert found.dice == 0


@pytest.mark.parametrize("tilt", [-25.0, 18.5])
def test_with_a_tilted_gantry_the_same_pixel_moves_along_the_table(tilt: float) -> None:
    geometry = geometry_of([4.0, 7.0, 7.0], tilt)
    first, second = (box(geometry, slice(z, z + 1), slice(50, 51), slice(60, 61)) for z in (1, 2))
    assert compare(first, second, geometry).hd95_mm == pytest.approx(7 / math.cos(math.radians(tilt)))


@pytest.mark.parametrize("tilt", [0.0, 20.0])
def test_a_shift_within_the_slices_is_measured_in_mm(tilt: float) -> None:
    geometry = geometry_of(MIXED, tilt, (0.5, 0.8))
    first = box(geometry, slice(4, 5), slice(50, 51), slice(60, 61))
    second = box(geometry, slice(4, 5), slice(56, 57), slice(65, 66))
    assert compare(first, second, geometry).hd95_mm == pytest.approx(math.hypot(6 * 0.5, 5 * 0.8))


@pytest.mark.parametrize("tilt", [0.0, -20.0])
@pytest.mark.parametrize("gaps", [EVEN, MIXED], ids=["even", "mixed"])
def test_a_ball_in_a_ball(gaps: list[float], tilt: float) -> None:
    geometry = geometry_of(gaps, tilt)
    inner, outer = (ellipsoid(geometry, (radius,) * 3) for radius in (14.0, 20.0))
    found = compare(inner, outer, geometry)
    # Poles lie between slices, up to a gap off; they are less than a twentieth of the surface.
    assert found.hd95_mm == pytest.approx(6, abs=1.0)
    assert found.dice == pytest.approx(2 * 14**3 / (14**3 + 20**3), rel=0.01)
    assert found.difference_ml == pytest.approx(4 / 3 * math.pi * (20**3 - 14**3) / 1000, rel=0.01)


def test_slices_count_with_their_extent_in_dice() -> None:
    found = compare(box(THICK, slice(0, 4)), box(THICK, slice(2, 6)), THICK)
    both, first, second = 2.54 + 4.04, 4 + 4 + 2.54 + 4.04, 2.54 + 4.04 + 7 + 7
    assert found.dice == pytest.approx(2 * both / (first + second))
    assert found.difference_ml == pytest.approx(30 * 40 * (second - first) / 1000)


def test_few_voxels_far_off_do_not_count() -> None:
    """On one slice all voxels are surface: 40 in a row, of which 2 or 3 more lie 40 mm off."""
    row = box(THICK, slice(2, 3), slice(50, 51), slice(60, 100))
    for stray, distance in ((2, 0.0), (3, 40.0)):
        more = row.copy()
        more[2, 130, 60 : 60 + stray] = True
        # Linear between the ordered distances: the 95th percentile of 42 lies 38.95 steps up, of 43 39.9 steps.
        part = {2: 0.0, 3: 0.9}[stray]
        assert compare(row, more, THICK).hd95_mm == pytest.approx(part * distance)


def test_empty_masks() -> None:
    empty, one = np.zeros(THICK.shape, dtype=bool), box(THICK, slice(2, 3))
    neither = compare(empty, empty, THICK)
    assert (neither.dice, neither.hd95_mm, neither.difference_ml) == (1, 0, 0)
    for pair, sign in (((empty, one), 1), ((one, empty), -1)):
        found = compare(*pair, THICK)
        assert (found.dice, found.hd95_mm) == (0, None)
        assert found.difference_ml == sign * volume_ml(one, THICK)


@settings(max_examples=30, deadline=None)
@given(
    cells=st.lists(
        st.sets(st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=30),
        min_size=2, max_size=2,
    ),
    tilt=st.sampled_from([0.0, 15.0]),
)  # fmt: skip
def test_any_two_masks(cells: list[set[tuple[int, int, int]]], tilt: float) -> None:
    """Either way round the same, and within the distances of the farthest voxels."""
    geometry = geometry_of([4.0, 4.0, 1.08, 7.0, 7.0], tilt)
    first, second = (np.zeros(geometry.shape, dtype=bool) for _ in range(2))
    for mask, chosen in zip((first, second), cells, strict=True):
        mask[tuple(np.transpose(sorted(chosen)))] = True
    found, turned = compare(first, second, geometry), compare(second, first, geometry)
    assert (found.dice, found.hd95_mm) == (turned.dice, turned.hd95_mm)
    assert found.difference_ml == -turned.difference_ml
    places = [geometry.voxel_to_lps(*np.nonzero(mask)) for mask in (first, second)]
    farthest = max(math.dist(a, b) for a, b in itertools.product(*places))
    assert 0 <= found.dice <= 1 and found.hd95_mm is not None and 0 <= found.hd95_mm <= farthest + 1e-9


def test_a_mask_of_another_shape_is_refused() -> None:
    good, bad = box(THICK, slice(2, 3)), np.ones((6, 10, 10), dtype=bool)
    for pair in ((good, bad), (bad, good)):
        with pytest.raises(MaskError) as caught:
            compare(*pair, THICK)
        assert caught.value.code == "mask_shape"
