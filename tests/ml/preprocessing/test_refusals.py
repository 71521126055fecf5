"""What is no head CT is refused with one sentence, never preprocessed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ml.errors import MLError
from ml.preprocessing import PreprocessingError, preprocess
from tests.ml.preprocessing.heads import Points, Scan, head, scan_of

pytestmark = pytest.mark.slow


def abdomen(points: Points) -> np.ndarray:
    """Soft tissue in fat, a spine and a liver, no bone around."""
    across = np.hypot(points[:, 0] / 1.3, points[:, 1])
    hu = np.full(len(points), -1000.0)
    hu[across < 90] = -100
    hu[across < 80] = 45
    hu[np.hypot(points[:, 0] + 40, points[:, 1] + 10) < 45] = 60
    hu[np.hypot(points[:, 0], points[:, 1] - 50) < 20] = 400
    return hu


def water_phantom(points: Points) -> np.ndarray:
    across = np.hypot(points[:, 0], points[:, 1])
    return np.where(across < 95, 0.0, np.where(across < 100, 120.0, -1000.0))


def chest(points: Points) -> np.ndarray:
    hu = abdomen(points)
    for side in (-1, 1):
        hu[np.hypot(points[:, 0] - side * 45, points[:, 1]) < 38] = -850
    return hu


def noise(points: Points) -> np.ndarray:
    return np.random.default_rng(3).uniform(-1000, 1500, len(points))


def air(points: Points) -> np.ndarray:
    return np.full(len(points), -1000.0)


def bone(points: Points) -> np.ndarray:
    return np.full(len(points), 900.0)


def mr_head(points: Points) -> np.ndarray:
    """A T1 image: brain bright, bone and air black, no Hounsfield units."""
    ct = head()(points)
    return np.where(ct < -500, 0.0, np.where(ct > 500, 15.0, 400.0 + ct))


@pytest.mark.parametrize("shape", [abdomen, water_phantom, chest, noise, air, bone, mr_head])
def test_no_head_is_refused(shape):
    with pytest.raises(PreprocessingError) as refusal:
        preprocess(scan_of(shape))
    assert refusal.value.code == "not_a_head"
    assert "head" in str(refusal.value)
    assert isinstance(refusal.value, MLError)


@pytest.mark.parametrize("hu", [-12.0, 100.0])
def test_a_skull_filled_with_something_else_is_refused(hu):
    with pytest.raises(PreprocessingError, match="No brain"):
        preprocess(scan_of(head(brain_hu=hu)))


def test_a_few_slices_are_too_little():
    with pytest.raises(PreprocessingError) as refusal:
        preprocess(scan_of(head(), Scan(start=0.0, gaps=(5.0,) * 4)))
    assert refusal.value.code == "too_little_brain"
    assert "whole head" in str(refusal.value)


def test_coronal_slices_are_refused():
    volume = scan_of(head(), Scan(pixels=64, pixel_mm=3.8))
    coronal = dataclasses.replace(
        volume,
        positions=np.outer(-np.arange(len(volume.hu)), [0.0, 5.0, 0.0]),
        column_direction=np.array([0.0, 0.0, -1.0]),
    )
    with pytest.raises(PreprocessingError) as refusal:
        preprocess(coronal)
    assert refusal.value.code == "not_axial"


def test_tiny_slices_are_refused():
    with pytest.raises(PreprocessingError) as refusal:
        preprocess(scan_of(head(), Scan(pixels=32, pixel_mm=7.6)))
    assert refusal.value.code == "small_matrix"
