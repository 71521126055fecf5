"""The median absolute deviation and the modified z-score of Iglewicz and Hoaglin (1993)."""

from __future__ import annotations

import pytest
from scipy.stats import median_abs_deviation, norm

from ml.statistics.robust import median_and_mad, modified_z

# Sorted 2.1 2.1 2.3 2.3 2.4 2.5 2.6 2.6 8.2 8.3: the median is 2.45; the deviations are 0.05 twice, 0.15 four times,
# 0.35 twice, 5.75 and 5.85, so that their median is 0.15.
VALUES = [2.1, 2.6, 2.4, 2.5, 2.3, 2.1, 2.3, 2.6, 8.2, 8.3]


def test_by_hand() -> None:
    median, mad = median_and_mad(VALUES)
    assert (median, mad) == (pytest.approx(2.45), pytest.approx(0.15))
    scores = [modified_z(value, median, mad) for value in VALUES]
    assert scores[-2:] == [pytest.approx(0.6745 * 5.75 / 0.15), pytest.approx(0.6745 * 5.85 / 0.15)]
    assert [value for value, score in zip(VALUES, scores, strict=True) if abs(score) > 3.5] == [8.2, 8.3]


def test_as_scipy_has_it() -> None:
    median, mad = median_and_mad(VALUES)
    assert mad == pytest.approx(median_abs_deviation(VALUES))
    normal = (8.2 - median) / median_abs_deviation(VALUES, scale="normal")
    assert modified_z(8.2, median, mad) == pytest.approx(normal, rel=1e-4)
    assert norm.ppf(0.75) == pytest.approx(0.6745, abs=1e-4)
