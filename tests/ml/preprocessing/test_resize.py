"""Smaller images: means over what each voxel covers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ml.preprocessing import PreprocessingError, resize


def test_whole_factors_average_blocks():
    image = np.random.default_rng(0).random((80, 192, 192)).astype(np.float32)
    smaller = resize(image, (20, 48, 96))
    expected = image.reshape(20, 4, 48, 4, 96, 2).mean(axis=(1, 3, 5))
    assert smaller.dtype == np.float32
    np.testing.assert_allclose(smaller, expected, atol=1e-6)


def test_fine_stripes_do_not_alias():
    image = np.zeros((16, 64, 64), dtype=np.float32)
    image[:, :, ::2] = 1
    np.testing.assert_allclose(resize(image, (8, 32, 32)), 0.5)


@given(
    image=hnp.arrays(np.float32, (7, 11, 9), elements=st.floats(0, 1, width=32)),
    shape=st.tuples(st.integers(1, 7), st.integers(1, 11), st.integers(1, 9)),
)
def test_values_stay_within_those_of_the_image(image, shape):
    smaller = resize(image, shape)
    assert smaller.shape == shape
    assert smaller.min() >= image.min() - 1e-5
    assert smaller.max() <= image.max() + 1e-5


def test_same_shape_changes_nothing():
    image = np.random.default_rng(1).random((5, 6, 7)).astype(np.float32)
    np.testing.assert_array_equal(resize(image, (5, 6, 7)), image)


@pytest.mark.parametrize("shape", [(0, 5, 5), (9, 5, 5), (5, 5)])
def test_impossible_shapes_are_refused(shape):
    with pytest.raises(PreprocessingError) as refusal:
        resize(np.zeros((8, 8, 8)), shape)
    assert refusal.value.code == "bad_shape"
