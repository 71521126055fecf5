"""AUC and the paired test: against scikit-learn, and where they degenerate."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import roc_auc_score

from ml.statistics import StatisticsError, auc, delong_test

# Few distinct values, so that ties are the rule.
PATIENTS = st.lists(st.tuples(st.integers(0, 1), st.integers(-3, 3), st.floats(-1e6, 1e6)), min_size=2, max_size=60)
Sample = list[tuple[int, int, float]]


def columns(sample: Sample) -> list[NDArray[np.float64]]:
    assume(len({row[0] for row in sample}) == 2)
    return [np.array(column, dtype=float) for column in zip(*sample, strict=True)]


@given(PATIENTS)
def test_auc_equals_scikit_learn(sample: Sample) -> None:
    y, tied, continuous = columns(sample)
    assert auc(y, tied).value == pytest.approx(roc_auc_score(y, tied), abs=1e-12)
    assert auc(y, continuous).value == pytest.approx(roc_auc_score(y, continuous), abs=1e-12)


@given(PATIENTS)
def test_the_direction_is_never_turned_round(sample: Sample) -> None:
    y, tied, _ = columns(sample)
    assert auc(y, -tied).value == pytest.approx(1 - auc(y, tied).value, abs=1e-12)
    assert auc(y, -tied).se == pytest.approx(auc(y, tied).se, abs=1e-12, nan_ok=True)


@given(PATIENTS)
def test_intervals_hold_the_value_and_stay_within_0_and_1(sample: Sample) -> None:
    y, tied, _ = columns(sample)
    result = auc(y, tied)
    assert 0 <= result.ci_exact[0] <= result.value <= result.ci_exact[1] <= 1
    if min(result.n_pos, result.n_neg) > 1:
        assert 0 <= result.ci_delong[0] <= result.value <= result.ci_delong[1] <= 1


@given(PATIENTS)
def test_exchanging_the_scores_exchanges_the_signs(sample: Sample) -> None:
    y, a, b = columns(sample)
    assume(min(y.sum(), (1 - y).sum()) >= 2)
    one, other = delong_test(y, a, b), delong_test(y, b, a)
    assert (one.difference, one.z, one.p) == (-other.difference, -other.z, other.p)
    assert one.ci == (-other.ci[1], -other.ci[0])
    assert one.difference == pytest.approx(auc(y, a).value - auc(y, b).value, abs=1e-12)


def test_exact_interval_with_a_whole_number_of_successes_is_the_binomial_one() -> None:
    # 3 of the 4 pairs are in order: AUC 0.75, so k = 3 of n = 4.
    result = auc([1, 1, 0, 0], [4, 2, 3, 1])
    interval = stats.binomtest(3, 4).proportion_ci(method="exact")
    assert result.value == 0.75
    assert result.ci_exact == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_perfect_separation_has_no_variance_but_an_exact_interval() -> None:
    result = auc([0, 0, 0, 1, 1], [1, 2, 3, 4, 5])
    assert (result.value, result.se, result.ci_delong) == (1.0, 0.0, (1.0, 1.0))
    # Clopper-Pearson with k = n: the lower bound is (alpha / 2) ** (1 / n)
    assert result.ci_exact == pytest.approx((0.025 ** (1 / 5), 1.0))
    assert auc([0, 0, 0, 1, 1], [5, 4, 3, 2, 1]).ci_exact == pytest.approx((0.0, 1 - 0.025 ** (1 / 5)))


def test_a_constant_score_is_worth_nothing() -> None:
    result = auc([0, 1, 0, 1], [7, 7, 7, 7])
    assert (result.value, result.se) == (0.5, 0.0)


def test_one_positive_patient_has_an_auc_without_standard_error() -> None:
    result = auc([0, 0, 0, 1], [1, 2, 4, 3])
    assert result.value == pytest.approx(2 / 3)
    assert math.isnan(result.se)
    assert all(math.isnan(bound) for bound in result.ci_delong)
    assert result.ci_exact[0] < 2 / 3 < result.ci_exact[1]
    with pytest.raises(StatisticsError, match="at least two patients"):
        delong_test([0, 0, 0, 1], [1, 2, 4, 3], [1, 2, 3, 4])


def test_scores_that_rank_alike_do_not_differ() -> None:
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 200)
    a = np.round(random.normal(size=200) + y, 1)
    for b in (a, np.exp(a), 3 * a - 7):
        result = delong_test(y, a, b)
        assert (result.difference, result.se, result.z, result.p, result.ci) == (0, 0, 0, 1, (0, 0))


def test_a_difference_without_variance_is_infinitely_many_errors_away() -> None:
    result = delong_test([0, 0, 0, 1, 1], [1, 2, 3, 4, 5], [5, 4, 3, 2, 1])
    assert (result.difference, result.z, result.p, result.ci) == (1, math.inf, 0, (1, 1))


def test_a_million_patients_do_not_overflow() -> None:
    # Score i of patient i, outcome i odd: of the m x m pairs m (m + 1) / 2 are in order.
    m = 500_000
    result = auc(np.arange(2 * m) % 2, np.arange(2 * m))
    assert result.value == pytest.approx((m + 1) / (2 * m), rel=1e-14)
    # V10 is uniform on 1/m .. 1 and V01 likewise, each with sample variance (m + 1) / (12 m).
    assert result.se == pytest.approx(math.sqrt(2 * (m + 1) / (12 * m) / m), rel=1e-9)


@pytest.mark.parametrize(
    ("y", "score", "code"),
    [
        ([], [], "empty"),
        ([1, 1], [1, 2], "one_class"),
        ([0, 0], [1, 2], "one_class"),
        ([0, 1], [1, 2, 3], "lengths_differ"),
        ([0, 1], [1, float("nan")], "not_finite"),
        ([0, 1], [1, float("inf")], "not_finite"),
        ([0, 1], [1, None], "not_finite"),
        ([0, float("nan")], [1, 2], "not_finite"),
        ([0, 2], [1, 2], "not_binary"),
        ([-1, 1], [1, 2], "not_binary"),
        (["poor", "good"], [1, 2], "not_numbers"),
        ([[0, 1]], [[1, 2]], "not_a_list"),
        ([0, 1], [[1], [2, 3]], "not_numbers"),
    ],
)
def test_unusable_data_are_refused_with_a_sentence(y: list[object], score: list[object], code: str) -> None:
    for call in (lambda: auc(y, score), lambda: delong_test(y, score, score)):
        with pytest.raises(StatisticsError) as refusal:
            call()
        assert refusal.value.code == code
        assert str(refusal.value).endswith(".")
