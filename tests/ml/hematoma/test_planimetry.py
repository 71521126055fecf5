"""Volumes of bodies whose volume geometry gives."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.hematoma import abc2_ml, slice_diameters, volume_ml
from ml.volumes import MaskError
from tests.ml.hematoma.bodies import EVEN, MIXED, ellipsoid, geometry_of


@pytest.mark.parametrize("tilt", [20.0, 0.0, -20.0])
@pytest.mark.parametrize("gaps", [EVEN, MIXED])
def test_planimetry_of_an_ellipsoid_is_its_volume(tilt: float, gaps: list[float]) -> None:
    geometry = geometry_of(gaps, tilt)
    radii = (24.0, 17.0, 20.0)
    assert volume_ml(ellipsoid(geometry, radii), geometry) == pytest.approx(
        4 / 3 * math.pi * math.prod(radii) / 1000, rel=0.01
    )


@pytest.mark.parametrize("tilt", [20.0, 0.0, -20.0])
@pytest.mark.parametrize("turn", [0.0, 0.4, math.pi / 4, 1.2])
def test_abc2_of_an_ellipsoid_is_3_over_pi_of_its_volume(tilt: float, turn: float) -> None:
    # ABC/2 of diameters 2a, 2b, 2c is 4abc; the ellipsoid is 4/3 pi abc.
    geometry = geometry_of([1.25] * 39, tilt)
    radii = (26.0, 16.0, 20.0)
    mask = ellipsoid(geometry, radii, turn)
    assert abc2_ml(mask, geometry) == pytest.approx(4 * math.prod(radii) / 1000, rel=0.03)
    assert abc2_ml(mask, geometry) / volume_ml(mask, geometry) == pytest.approx(3 / math.pi, rel=0.03)


def test_unequal_pixel_spacing_is_measured_in_mm() -> None:
    geometry = geometry_of(EVEN, spacing=(0.5, 0.8))
    radii = (30.0, 18.0, 20.0)
    mask = ellipsoid(geometry, radii, 0.7)
    assert volume_ml(mask, geometry) == pytest.approx(4 / 3 * math.pi * math.prod(radii) / 1000, rel=0.01)
    a, b = slice_diameters(mask[mask.any(axis=(1, 2)).argmax() + mask.any(axis=(1, 2)).sum() // 2], (0.5, 0.8))
    assert a == pytest.approx(60.0, rel=0.02)
    assert b == pytest.approx(36.0, rel=0.03)


def test_each_slice_counts_with_its_own_extent() -> None:
    geometry = geometry_of([4.0, 4.0, 1.08, 7.0, 7.0])
    extents = [4.0, 4.0, 2.54, 4.04, 7.0, 7.0]
    for z, extent in enumerate(extents):
        mask = np.zeros(geometry.shape, dtype=np.uint8)
        mask[z, 10:30, 10:50] = 1  # 10 mm x 20 mm
        assert volume_ml(mask, geometry) == pytest.approx(200 * extent / 1000)


def test_every_label_but_background_counts() -> None:
    geometry = geometry_of([5.0] * 4)
    mask = np.zeros(geometry.shape, dtype=np.uint8)
    mask[2, 0, 0], mask[2, 0, 1] = 1, 2
    assert volume_ml(mask, geometry) == pytest.approx(2 * 0.25 * 5 / 1000)


def test_c_is_the_sum_of_extents_where_gaps_differ() -> None:
    geometry = geometry_of([4.0, 4.0, 1.08, 7.0, 7.0])
    mask = np.zeros(geometry.shape, dtype=bool)
    mask[1:5, 50, 20:60] = True  # a row of 40 pixels: A 20 mm, B 0.5 mm
    assert abc2_ml(mask, geometry) == pytest.approx(20 * 0.5 * (4 + 2.54 + 4.04 + 7) / 2 / 1000)


def test_a_and_b_come_from_the_slice_with_the_largest_area() -> None:
    geometry = geometry_of([5.0] * 4)
    mask = np.zeros(geometry.shape, dtype=bool)
    mask[1, 50, 0:120] = True  # longer, but of less area
    mask[2, 40:60, 40:80] = True
    a, b = slice_diameters(mask[2], geometry.pixel_spacing)
    assert abc2_ml(mask, geometry) == pytest.approx(a * b * 10 / 2 / 1000)


@pytest.mark.parametrize(
    ("cells", "a", "b"),
    [
        ([(5, 5)], 1.0, 1.0),
        ([(5, 5), (5, 6), (5, 7)], 3.0, 1.0),
        ([(5, 5), (6, 5), (7, 5), (8, 5)], 4.0, 1.0),
        # Two single pixels 10 apart: the diameter spans the gap.
        ([(5, 5), (5, 14)], 10.0, 1.0),
    ],
)
def test_diameters_run_to_the_outer_edges_of_the_pixels(cells: list[tuple[int, int]], a: float, b: float) -> None:
    region = np.zeros((20, 20), dtype=bool)
    region[tuple(np.transpose(cells))] = True
    assert slice_diameters(region, (1.0, 1.0)) == pytest.approx((a, b))


@settings(max_examples=50, deadline=None)
@given(
    cells=st.sets(st.tuples(st.integers(0, 14), st.integers(0, 14)), min_size=1, max_size=60),
    spacing=st.tuples(st.sampled_from([0.4, 0.5, 1.0]), st.sampled_from([0.4, 0.6])),
)
def test_diameters_of_any_region(cells: set[tuple[int, int]], spacing: tuple[float, float]) -> None:
    region = np.zeros((15, 15), dtype=bool)
    region[tuple(np.transpose(sorted(cells)))] = True
    a, b = slice_diameters(region, spacing)
    centers = np.argwhere(region) * np.array(spacing)
    farthest = np.linalg.norm(centers[:, None] - centers[None], axis=-1).max()
    assert farthest < a <= farthest + max(spacing) + 1e-9
    assert 0 < b <= a + 1e-9
    turned = slice_diameters(region[::-1].T, spacing[::-1])
    assert turned[0] == pytest.approx(a)


def test_an_empty_mask_has_no_volume() -> None:
    geometry = geometry_of([5.0] * 4)
    empty = np.zeros(geometry.shape, dtype=np.uint8)
    assert volume_ml(empty, geometry) == 0
    assert abc2_ml(empty, geometry) == 0


@pytest.mark.parametrize("measure", [volume_ml, abc2_ml])
def test_a_mask_of_another_shape_is_refused(measure: object) -> None:
    geometry = geometry_of([5.0] * 4)
    with pytest.raises(MaskError) as caught:
        measure(np.ones((5, 10, 10)), geometry)  # type: ignore[operator]
    assert caught.value.code == "mask_shape"
