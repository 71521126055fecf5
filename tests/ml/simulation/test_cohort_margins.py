"""Calibration of weights, against iterative proportional fitting done step by step."""

import numpy as np
import pytest

from ml.errors import MLError
from ml.simulation.margins import calibrate_weights

pytestmark = pytest.mark.slow


def proportional_fitting(table: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Deming and Stephan 1940: scale rows and columns in turn."""
    fitted = table.astype(float)
    for _ in range(500):
        fitted *= (rows / fitted.sum(axis=1))[:, None]
        fitted *= columns / fitted.sum(axis=0)
    return fitted


def test_equals_iterative_proportional_fitting() -> None:
    counts = np.array([[30, 10, 5], [8, 25, 22]])
    rows, columns = np.array([0.7, 0.3]), np.array([0.2, 0.35, 0.45])
    first, second = (np.repeat(index.ravel(), counts.ravel()) for index in np.indices(counts.shape))
    features = np.column_stack([*(first == i for i in range(2)), *(second == j for j in range(3))]).astype(float)
    weights = calibrate_weights(features, np.concatenate([rows, columns]))
    fitted = np.array([[weights[(first == i) & (second == j)].sum() for j in range(3)] for i in range(2)])
    np.testing.assert_allclose(fitted, proportional_fitting(counts, rows, columns), atol=1e-8)


def test_weights_of_a_mean_are_exponential_tilting() -> None:
    """One numeric margin on two points: the weights follow in closed form."""
    weights = calibrate_weights(np.array([[0.0], [1.0], [1.0]]), np.array([0.9]))
    np.testing.assert_allclose(weights, [0.1, 0.45, 0.45], atol=1e-8)


def test_margins_already_met_leave_equal_weights() -> None:
    features = np.random.default_rng(0).normal(size=(50, 3))
    np.testing.assert_allclose(calibrate_weights(features, features.mean(axis=0)), np.full(50, 0.02), atol=1e-12)


@pytest.mark.parametrize("targets", [[1.2, 0.5], [0.3, 0.4]])
def test_contradictory_margins_are_refused(targets: list[float]) -> None:
    """A rate above 1, and two different rates for one and the same feature."""
    feature = (np.arange(100) % 2).astype(float)
    with pytest.raises(MLError) as refused:
        calibrate_weights(np.column_stack([feature, feature]), np.array(targets))
    assert refused.value.code == "margins_unreachable"
