"""The ROC curve and Youden's point, against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from ml.statistics import RocCurve, StatisticsError, auc, roc_curve, youden

PATIENTS = st.lists(st.tuples(st.integers(0, 1), st.integers(-4, 4)), min_size=2, max_size=60)
Sample = list[tuple[int, int]]


def columns(sample: Sample) -> list[NDArray[np.float64]]:
    assume(len({row[0] for row in sample}) == 2)
    return [np.array(column, dtype=float) for column in zip(*sample, strict=True)]


@given(PATIENTS)
def test_all_points_equal_scikit_learn(sample: Sample) -> None:
    y, score = columns(sample)
    ours = roc_curve(y, score, drop_collinear=False)
    fpr, tpr, thresholds = metrics.roc_curve(y, score, drop_intermediate=False)
    np.testing.assert_allclose(ours.fpr, fpr, atol=1e-12)
    np.testing.assert_allclose(ours.tpr, tpr, atol=1e-12)
    np.testing.assert_array_equal(ours.thresholds, thresholds)


@given(PATIENTS)
def test_the_corners_draw_the_same_curve(sample: Sample) -> None:
    y, score = columns(sample)
    every, corners = roc_curve(y, score, drop_collinear=False), roc_curve(y, score)
    assert set(corners.thresholds) <= set(every.thresholds)
    assert (corners.fpr[0], corners.tpr[0], corners.fpr[-1], corners.tpr[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(corners.tpr, corners.fpr) == pytest.approx(auc(y, score).value, abs=1e-12)
    for x, height, threshold in zip(every.fpr, every.tpr, every.thresholds, strict=True):
        if threshold not in corners.thresholds:
            right = int(np.searchsorted(-corners.thresholds, -threshold))
            assert turn(corners, right - 1, right, x, height) == pytest.approx(0, abs=1e-12)
    for left in range(corners.fpr.size - 2):
        assert abs(turn(corners, left, left + 1, corners.fpr[left + 2], corners.tpr[left + 2])) > 1e-9


def turn(curve: RocCurve, left: int, right: int, x: float, y: float) -> float:
    """Cross product of the way from one point of the curve to another and to (x, y): 0 on a straight line."""
    step_x, step_y = curve.fpr[right] - curve.fpr[left], curve.tpr[right] - curve.tpr[left]
    return float(step_x * (y - curve.tpr[left]) - step_y * (x - curve.fpr[left]))


@given(PATIENTS)
def test_youden_is_the_best_of_all_thresholds(sample: Sample) -> None:
    y, score = columns(sample)
    best = youden(y, score)
    fpr, tpr, thresholds = metrics.roc_curve(y, score, drop_intermediate=False)
    assert best.j == pytest.approx(max((tpr - fpr)[1:]), abs=1e-12)
    called = score >= best.threshold
    assert (best.tp, best.fp) == ((called & (y == 1)).sum(), (called & (y == 0)).sum())
    assert (best.tn, best.fn) == ((~called & (y == 0)).sum(), (~called & (y == 1)).sum())
    equally_good = thresholds[1:][np.isclose((tpr - fpr)[1:], best.j, atol=1e-12)]
    assert best.threshold == equally_good.max()


def test_a_tie_across_the_classes_is_one_oblique_step() -> None:
    curve = roc_curve([1, 0, 1, 0], [3, 2, 2, 1])
    assert list(zip(curve.fpr, curve.tpr, curve.thresholds, strict=True)) == [
        (0, 0, np.inf),
        (0, 0.5, 3),
        (0.5, 1, 2),
        (1, 1, 1),
    ]


def test_points_on_a_straight_line_are_left_out_on_request_only() -> None:
    y, score = [0, 0, 0, 1, 1, 1], [1, 2, 3, 4, 5, 6]
    assert roc_curve(y, score).thresholds.tolist() == [np.inf, 4, 1]
    assert roc_curve(y, score, drop_collinear=False).thresholds.tolist() == [np.inf, 6, 5, 4, 3, 2, 1]


def test_oblique_steps_of_unequal_length_on_one_line_are_collinear_too() -> None:
    # Ties of 1+1, then of 2+2 patients: both steps go along the diagonal.
    assert roc_curve([1, 0, 1, 1, 0, 0], [2, 2, 1, 1, 1, 1]).thresholds.tolist() == [np.inf, 1]


def test_youden_of_a_small_table() -> None:
    # score >= 2: 3 of 4 poor and 1 of 4 favorable are called positive, J = 0.75 - 0.25
    point = youden([1, 1, 1, 1, 0, 0, 0, 0], [3, 2, 2, 0, 2, 1, 1, 0])
    assert (point.threshold, point.j) == (2, 0.5)
    assert (point.sensitivity, point.specificity) == (0.75, 0.75)


def test_of_equally_good_thresholds_the_most_specific_is_taken() -> None:
    # J = 0.5 at score >= 4 (half of the positives, no negative) and again at score >= 2 (all, and half of the others).
    assert youden([1, 0, 1, 0], [4, 3, 2, 1]).threshold == 4


@pytest.mark.parametrize("function", [roc_curve, youden])
def test_one_class_has_no_curve(function: object) -> None:
    with pytest.raises(StatisticsError, match="same outcome"):
        function([1, 1], [1, 2])  # type: ignore[operator]
