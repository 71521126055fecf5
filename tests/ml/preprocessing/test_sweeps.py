"""Parts, distances, growth and resampling against scipy's plain versions of the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from ml.preprocessing.bits import Bits
from ml.preprocessing.grids import Stack
from ml.preprocessing.morphology import center_of_mass, erode, fill_holes, squared_distance
from ml.preprocessing.output import _sample_lines
from ml.preprocessing.parts import parts_of

PLANAR = np.zeros((3, 3, 3), dtype=bool)
PLANAR[1] = ndimage.generate_binary_structure(2, 1)

masks = st.integers(0, 2**32).flatmap(
    lambda seed: st.tuples(st.integers(1, 6), st.integers(1, 7), st.integers(1, 8), st.floats(0.1, 0.9)).map(
        lambda size: np.random.default_rng(seed).random(size[:3]) < size[3]
    )
)


@given(mask=masks, planar=st.booleans())
def test_parts_are_those_of_scipy(mask, planar):
    labels, count = ndimage.label(mask, PLANAR if planar else None)
    parts = parts_of(mask, planar=planar)
    assert len(parts.sizes) == count
    z, y, x = np.nonzero(mask)
    # The same cells together: each of our numbers goes with one of scipy's, and back.
    pairs = set(zip(parts.at(z, y, x).tolist(), labels[mask].tolist(), strict=True))
    assert len(pairs) == count == len({ours for ours, _ in pairs}) == len({theirs for _, theirs in pairs})
    for ours, theirs in pairs:
        assert parts.sizes[ours] == np.count_nonzero(labels == theirs)
    z, y, x = np.nonzero(~mask)
    assert (parts.at(z, y, x) == -1).all()
    np.testing.assert_array_equal(parts.mask(np.ones(count, dtype=bool)), mask)


@given(mask=masks, smallest=st.integers(1, 6))
def test_pieces_of_planes_are_joined_again(mask, smallest):
    labels, _ = ndimage.label(mask, PLANAR)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    left = (sizes >= smallest)[labels]
    pieces = parts_of(mask, planar=True)
    joined = pieces.joined(pieces.sizes >= smallest)
    assert sorted(joined.sizes) == sorted(np.bincount(ndimage.label(left)[0].ravel())[1:])
    np.testing.assert_array_equal(joined.mask(np.ones(len(joined.sizes), dtype=bool)), left)


@given(mask=masks)
def test_planes_below_and_moments(mask):
    parts = parts_of(mask, planar=True)
    ours = np.full(mask.shape, -1)
    ours[mask] = parts.at(*np.nonzero(mask))
    touching = mask[1:] & mask[:-1]
    expected = set(zip(ours[1:][touching].tolist(), ours[:-1][touching].tolist(), strict=True))
    upper, lower = (side.tolist() for side in parts.planes_below())
    assert set(zip(upper, lower, strict=True)) == expected
    assert upper == sorted(upper)
    rows, columns = parts.moments()
    assert parts.planes.tolist() == sorted(parts.planes)
    for part in range(len(parts.sizes)):
        z, y, x = np.nonzero(ours == part)
        assert set(z) == {parts.planes[part]}
        assert (rows[part], columns[part]) == (y.sum(), x.sum())


@given(mask=masks, far=st.integers(1, 300))
def test_distances_are_those_of_scipy(mask, far):
    if mask.all():
        assert (squared_distance(mask, far, (1, 1, 1)) == far).all()
        return
    expected = np.minimum(np.rint(ndimage.distance_transform_edt(mask) ** 2), far)
    np.testing.assert_array_equal(squared_distance(mask, far, (1, 1, 1)), expected)


@given(mask=hnp.arrays(bool, (9, 11)))
def test_distances_in_pixels_that_are_not_square(mask):
    if mask.all():
        return
    expected = np.minimum(ndimage.distance_transform_edt(mask, sampling=(0.8, 1.3)) ** 2 * 100, 10_000)
    np.testing.assert_allclose(squared_distance(mask, 10_000, (64, 169)), expected, rtol=1e-6)


@given(mask=masks, seed=st.integers(0, 9))
def test_cells_shared_with_another_mask(mask, seed):
    parts = parts_of(mask)
    inner = mask & (np.random.default_rng(seed).random(mask.shape) < 0.5)
    expected = np.bincount(parts.at(*np.nonzero(inner)), minlength=len(parts.sizes))
    np.testing.assert_array_equal(parts.shared(inner), expected)


@given(mask=masks)
def test_center_of_mass_is_that_of_scipy(mask):
    if mask.any():
        np.testing.assert_allclose(center_of_mass(mask), ndimage.center_of_mass(mask))


@given(mask=masks, within=st.integers(0, 9), flat=st.booleans())
def test_growth_within_another_mask_is_that_of_scipy(mask, within, flat):
    allowed = np.random.default_rng(within).random(mask.shape) < 0.7
    if flat:
        mask, allowed = mask[0], allowed[0]
    bits = Bits(mask.shape)
    np.testing.assert_array_equal(bits.mask(bits.pack(mask)), mask)
    assert bits.all.bit_count() == mask.size
    for grow, neighbors in ((bits.grow, None), (bits.grow_cube, np.ones((3,) * mask.ndim))):
        expected = ndimage.binary_dilation(mask, neighbors)
        np.testing.assert_array_equal(bits.mask(grow(bits.pack(mask), bits.all)), expected)
        np.testing.assert_array_equal(bits.mask(grow(bits.pack(mask), bits.pack(allowed))), expected & allowed)


@given(mask=masks, rounds=st.integers(1, 3))
def test_erosion_and_filling_are_those_of_scipy(mask, rounds):
    np.testing.assert_array_equal(erode(mask, rounds), ndimage.binary_erosion(mask, iterations=rounds))
    np.testing.assert_array_equal(fill_holes(mask), ndimage.binary_fill_holes(mask))


@pytest.mark.parametrize("sheared", [0.0, 0.7])
def test_lines_are_interpolated_as_scipy_does(sheared):
    rng = np.random.default_rng(2)
    field = rng.random((6, 1, 9, 8)).astype(np.float32)
    offsets = np.array([0.0, 4.0, 8.0, 9.08, 16.0, 23.0])
    stack = Stack(offsets, np.full(6, -3.0), sheared * np.arange(6) - 4.0, (1.1, 0.9))
    n, v = rng.uniform(0, 23, (5, 7)), rng.uniform(-2, 3, (5, 7))
    u = np.sort(rng.uniform(-3, 3, 10))
    index = np.interp(n, offsets, np.arange(6))
    row = (v - (sheared * index - 4.0)) / 1.1
    column = (u + 3.0) / 0.9
    places = np.broadcast_arrays(index[..., None], row[..., None], column)
    expected = ndimage.map_coordinates(field[:, 0].astype(float), places, order=1, mode="grid-constant")
    np.testing.assert_allclose(_sample_lines(field, stack, n, v, u)[0], expected, atol=1e-5)


def test_what_lies_beside_the_slices_is_empty():
    field = np.ones((3, 1, 4, 5), dtype=np.float32)
    stack = Stack(np.array([0.0, 5.0, 10.0]), np.zeros(3), np.zeros(3), (1.0, 1.0))
    beside = _sample_lines(field, stack, np.array([[5.0]]), np.array([[-2.0, 1.0, 6.0]]), np.array([-1.5, 2.0, 5.5]))
    np.testing.assert_array_equal(beside[0, 0], [[0, 0, 0], [0, 1, 0], [0, 0, 0]])
