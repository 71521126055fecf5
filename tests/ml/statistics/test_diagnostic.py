"""Accuracy of a 2 x 2 table."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ml.statistics import StatisticsError, diagnostic_accuracy, proportion_ci

COUNT = st.integers(0, 300)


@given(tp=st.integers(1, 300), fp=st.integers(1, 300), tn=st.integers(1, 300), fn=st.integers(1, 300))
def test_logit_intervals_follow_the_published_formula(tp: int, fp: int, tn: int, fn: int) -> None:
    result = diagnostic_accuracy(tp=tp, fp=fp, tn=tn, fn=fn)
    n1, n0 = tp + fn, tn + fp
    se, sp = tp / n1, tn / n0
    expected = {
        result.ppv: (tp / (tp + fp), (1 - se) / (se * n1) + sp / ((1 - sp) * n0)),
        result.npv: (tn / (tn + fn), se / ((1 - se) * n1) + (1 - sp) / (sp * n0)),
    }
    for ours, (value, variance) in expected.items():
        assert ours.value == pytest.approx(value)
        assert ours.method == "logit"
        half = 1.959963984540054 * math.sqrt(variance)
        for bound, sign in ((ours.low, -1), (ours.high, 1)):
            assert math.log(bound / (1 - bound)) == pytest.approx(math.log(value / (1 - value)) + sign * half, abs=1e-8)


@given(tp=COUNT, fp=COUNT, tn=COUNT, fn=COUNT)
def test_every_table_with_both_outcomes_has_ordered_figures(tp: int, fp: int, tn: int, fn: int) -> None:
    if tp + fn == 0 or tn + fp == 0:
        with pytest.raises(StatisticsError, match="each outcome"):
            diagnostic_accuracy(tp=tp, fp=fp, tn=tn, fn=fn)
        return
    result = diagnostic_accuracy(tp=tp, fp=fp, tn=tn, fn=fn)
    for name in ("sensitivity", "specificity", "ppv", "npv", "accuracy"):
        figure = getattr(result, name)
        if math.isnan(figure.value):
            assert (name, tp + fp) == ("ppv", 0) or (name, tn + fn) == ("npv", 0)
        else:
            assert 0 <= figure.low <= figure.value + 1e-12
            assert figure.value <= figure.high + 1e-12
            assert figure.high <= 1


@given(tp=COUNT, fp=COUNT, tn=COUNT, fn=COUNT)
def test_npv_is_the_ppv_of_the_opposite_question(tp: int, fp: int, tn: int, fn: int) -> None:
    if tp + fn and tn + fp and tn + fn:
        assert (
            diagnostic_accuracy(tp=tp, fp=fp, tn=tn, fn=fn).npv == diagnostic_accuracy(tp=tn, fp=fn, tn=tp, fn=fp).ppv
        )


def test_where_the_logit_does_not_exist_the_exact_interval_is_named() -> None:
    result = diagnostic_accuracy(tp=8, fp=0, tn=10, fn=2)
    interval = stats.binomtest(8, 8).proportion_ci(method="exact")
    assert (result.ppv.value, result.ppv.method) == (1.0, "Clopper-Pearson")
    assert (result.ppv.low, result.ppv.high) == pytest.approx((interval.low, interval.high))


def test_calling_everybody_positive_leaves_the_prevalence_with_its_exact_interval() -> None:
    result = diagnostic_accuracy(tp=6, fp=4, tn=0, fn=0)
    assert result.ppv == proportion_ci(6, 10)
    assert math.isnan(result.npv.value)


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 20), (3, 20), (20, 20), (193, 249), (1278, 1990)])
def test_proportion_equals_scipys_exact_interval(k: int, n: int) -> None:
    ours = proportion_ci(k, n)
    interval = stats.binomtest(k, n).proportion_ci(confidence_level=0.95, method="exact")
    assert ours.value == k / n
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_nobody_has_no_proportion() -> None:
    assert math.isnan(proportion_ci(0, 0).value)


@pytest.mark.parametrize("count", [-1, 2.5, True, None, "3", float("nan")])
def test_what_is_no_count_is_refused(count: object) -> None:
    with pytest.raises(StatisticsError, match="whole number"):
        diagnostic_accuracy(tp=count, fp=1, tn=1, fn=1)  # type: ignore[arg-type]


def test_a_part_larger_than_the_whole_is_refused() -> None:
    with pytest.raises(StatisticsError, match="exceeds"):
        proportion_ci(3, 2)
