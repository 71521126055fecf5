"""Agreement against the figures of the papers and textbooks that the methods come from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from ml.statistics import StatisticsError
from ml.statistics.agreement import Weights, icc_2_1, kappa, limits_of_agreement, wilson_ci

Pairs = tuple[list[int], list[int]]
Z = 1.959964


def pairs_of(table: list[list[int]]) -> Pairs:
    cells = [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    return [i for i, _ in cells], [j for _, j in cells]


# Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions, 3rd ed., table 18.1: kappa 0.68 (0.51 to 0.85).
DIAGNOSES = [[75, 1, 4], [5, 4, 1], [0, 0, 10]]
# Agresti, Categorical Data Analysis, table 2.10; figures of Kappa() in R's vcd: 0.1293 (SE 0.06860), linear weights
# 0.2374 (SE 0.07832).
COUPLES = [[7, 7, 2, 3], [2, 8, 3, 7], [1, 5, 4, 9], [2, 8, 9, 14]]


@pytest.mark.parametrize(
    ("table", "weights", "value", "error", "digits"),
    [
        (DIAGNOSES, "none", 0.6765, 0.0877, 3),
        (COUPLES, "none", 0.1293, 0.06860, 4),
        (COUPLES, "linear", 0.2374, 0.07832, 4),
    ],
)
def test_kappa_is_that_of_the_books(
    table: list[list[int]], weights: Weights, value: float, error: float, digits: int
) -> None:
    found = kappa(*pairs_of(table), categories=range(len(table)), weights=weights)
    assert found.value == pytest.approx(value, abs=0.6 * 10**-digits)
    assert (found.high - found.low) / (2 * Z) == pytest.approx(error, abs=0.6 * 10**-digits)


GRADES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=40)


@given(pairs=GRADES, weights=st.sampled_from(["none", "linear", "quadratic"]))
def test_kappa_is_that_of_scikit_learn(pairs: list[tuple[int, int]], weights: Weights) -> None:
    first, second = [one for one, _ in pairs], [other for _, other in pairs]
    found = kappa(first, second, categories=range(5), weights=weights)
    if len({*first, *second}) == 1:
        assert math.isnan(found.value)
        return
    known = cohen_kappa_score(first, second, labels=range(5), weights=None if weights == "none" else weights)
    assert found.value == pytest.approx(known) and found.low <= found.value <= found.high


def test_perfect_agreement_has_no_spread() -> None:
    found = kappa([0, 1, 1], [0, 1, 1], categories=[0, 1])
    assert (found.value, found.low, found.high, found.n) == (1.0, pytest.approx(1.0), 1.0, 3)


def test_icc_is_that_of_shrout_and_fleiss() -> None:
    """Psychol Bull 1979;86:420-428, table 2: ICC(2,1) = .29; its interval as R's psych prints it, 0.019 to 0.76."""
    found = icc_2_1([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])
    assert found.value == pytest.approx(0.29, abs=0.005)
    assert found.low == pytest.approx(0.019, abs=0.0005) and found.high == pytest.approx(0.761, abs=0.001)


def test_icc_without_disagreement_or_without_spread() -> None:
    same = icc_2_1([[1, 1], [2, 2], [4, 4]])
    assert same.value == pytest.approx(1) and math.isnan(same.low)
    assert math.isnan(icc_2_1([[3, 3], [3, 3]]).value)


# Bland and Altman, Lancet 1986;1:307-310, table 1: first readings by the large and the mini Wright meter, L/min.
LARGE = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def test_limits_are_those_of_bland_and_altman() -> None:
    found = limits_of_agreement(LARGE, MINI)
    assert (round(found.mean.value, 1), round(found.sd, 1)) == (-2.1, 38.8)
    assert (round(found.mean.low, 1), round(found.mean.high, 1)) == (-22.0, 17.8)
    # The paper rounds 1.96 up to 2 and gets -79.7 and 75.5; the widths of the intervals are its own.
    assert (round(found.lower.value, 1), round(found.upper.value, 1)) == (-78.1, 73.9)
    assert found.upper.high - found.upper.low == pytest.approx(110.1 - 40.9, abs=0.2)


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), min_size=2, max_size=30))
def test_limits_turn_with_the_order_of_the_two(pairs: list[tuple[int, int]]) -> None:
    first, second = np.array(pairs).T
    one, other = limits_of_agreement(first, second), limits_of_agreement(second, first)
    assert one.lower.value == pytest.approx(-other.upper.value) and one.sd == pytest.approx(other.sd)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_that_of_newcombe(k: int, n: int, low: float, high: float) -> None:
    """Newcombe, Stat Med 1998;17:857-872, table I, method 3."""
    found = wilson_ci(k, n)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_what_is_not_defined_is_refused() -> None:
    assert math.isnan(wilson_ci(0, 0).value)
    for wrong in (
        lambda: wilson_ci(3, 2), lambda: kappa([1], [], categories=[1]), lambda: kappa([1], [2], categories=[1]),
        lambda: icc_2_1([[1, 2]]), lambda: limits_of_agreement([1], [1]), lambda: limits_of_agreement([1, 2], [1]),
    ):  # fmt: skip
        with pytest.raises(StatisticsError):
            wrong()
