"""Summaries for tables and figures."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ml.statistics import StatisticsError, median_iqr, score_distribution


def test_distribution_lists_each_value_that_occurs_with_its_exact_interval() -> None:
    rows = score_distribution([2, 0, 2, 2, 5], [1, 0, 0, 1, 1])
    assert [(row.value, row.n, row.poor) for row in rows] == [(0, 1, 0), (2, 3, 2), (5, 1, 1)]
    assert all(isinstance(row.value, int) for row in rows)
    interval = stats.binomtest(2, 3).proportion_ci(method="exact")
    assert (rows[1].rate, rows[1].low, rows[1].high) == pytest.approx((2 / 3, interval.low, interval.high))


def test_distribution_keeps_fractions_and_allows_one_outcome() -> None:
    rows = score_distribution([0.5, 1.0], [0, 0])
    assert [(row.value, row.rate, row.low) for row in rows] == [(0.5, 0, 0), (1.0, 0, 0)]


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=80))
def test_distribution_equals_a_pandas_group_by(sample: list[tuple[int, bool]]) -> None:
    frame = pd.DataFrame(sample, columns=["score", "poor"])
    grouped = frame.groupby("score")["poor"].agg(["size", "sum"])
    rows = score_distribution(frame["score"], frame["poor"])
    assert [(row.value, row.n, row.poor) for row in rows] == list(grouped.itertuples(name=None))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_quartiles_equal_pandas(values: list[float]) -> None:
    result = median_iqr(values)
    expected = pd.Series(values).quantile([0.25, 0.5, 0.75]).tolist()
    assert [result.q1, result.median, result.q3] == pytest.approx(expected, abs=1e-6)


def test_blanks_are_left_out_and_counted() -> None:
    result = median_iqr([13, None, 15, math.nan, 8])
    assert (result.median, result.n, result.missing) == (13, 3, 2)


@pytest.mark.parametrize("values", [[], [None], np.array([np.nan, np.nan])])
def test_no_value_has_no_median(values: list[float]) -> None:
    with pytest.raises(StatisticsError, match="no value"):
        median_iqr(values)


@pytest.mark.parametrize("values", [["high"], [math.inf], [[1, 2]]])
def test_what_is_no_number_is_refused(values: list[float]) -> None:
    with pytest.raises(StatisticsError, match="numbers"):
        median_iqr(values)


@pytest.mark.parametrize(("score", "y"), [([], []), ([1], [1, 0]), ([math.nan], [1]), ([1], [2])])
def test_distribution_refuses_what_it_cannot_count(score: list[float], y: list[int]) -> None:
    with pytest.raises(StatisticsError):
        score_distribution(score, y)
