"""Area under the ROC curve with DeLong's variance, and DeLong's test of two curves on the same patients.

DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837-845; computed from ranks in O(n log n) as shown by Sun and
Xu, IEEE Signal Processing Letters 2014;21:1389-1393. A score is never turned round: higher always means more likely
positive, and an AUC below 0.5 stays below 0.5. For a score of which higher is better, pass its negative.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ml.statistics.checks import CountArray, FloatArray, StatisticsError, split_by_class
from ml.statistics.intervals import Z_95, clopper_pearson


@dataclass(frozen=True)
class Auc:
    """An AUC with its uncertainty.

    Attributes
    ----------
    value
        P(score of a positive > score of a negative) + half of P(equal), 0 to 1.
    se
        DeLong's standard error; NaN with a single positive or a single negative patient. It is 0 where the groups are
        perfectly separated, which reflects the method and no certainty: read `ci_exact` there.
    ci_delong
        95 %, value -/+ 1.96 se, clipped to [0, 1].
    ci_exact
        95 %, binomial (Clopper-Pearson) with k = AUC n of n.
    n, n_pos, n_neg
        Patients: all, positive, negative.
    """

    value: float
    se: float
    ci_delong: tuple[float, float]
    ci_exact: tuple[float, float]
    n: int
    n_pos: int
    n_neg: int


@dataclass(frozen=True)
class DelongTest:
    """Comparison of two AUCs on the same patients; `difference` = `auc_a` - `auc_b`, `ci` its 95 % interval."""

    auc_a: float
    auc_b: float
    difference: float
    se: float
    z: float
    p: float
    ci: tuple[float, float]
    n: int
    n_pos: int
    n_neg: int


@dataclass(frozen=True, eq=False)
class _Components:
    """DeLong's structural components as whole numbers, which neither round nor cancel.

    `of_positives` is 2 n_neg V10 (one for each positive), `of_negatives` is 2 n_pos V01 (one for each negative).
    """

    of_positives: CountArray
    of_negatives: CountArray

    @property
    def area(self) -> float:
        return int(self.of_positives.sum()) / (2 * self.of_positives.size * self.of_negatives.size)

    @property
    def variance(self) -> float:
        n_pos, n_neg = self.of_positives.size, self.of_negatives.size
        return (
            _variance_of_mean(self.of_positives) / (2 * n_neg) ** 2
            + _variance_of_mean(self.of_negatives) / (2 * n_pos) ** 2
        )


def auc(y: ArrayLike, score: ArrayLike) -> Auc:
    """Return the area under the ROC curve.

    Parameters
    ----------
    y
        Outcomes, shape (n,), 0 or 1; 1 = positive.
    score
        Scores, shape (n,), any finite unit; higher = more likely positive. Ties count one half.

    Raises
    ------
    StatisticsError
        If the input is empty, of different lengths, not finite, not 0/1, or of one class only.
    """
    components = _components(*split_by_class(y, score))
    n_pos, n_neg = components.of_positives.size, components.of_negatives.size
    n = n_pos + n_neg
    value = components.area
    se = math.nan
    ci_delong = (math.nan, math.nan)
    if min(n_pos, n_neg) > 1:
        se = math.sqrt(components.variance)
        ci_delong = (max(0.0, value - Z_95 * se), min(1.0, value + Z_95 * se))
    return Auc(value, se, ci_delong, clopper_pearson(value * n, n), n, n_pos, n_neg)


def delong_test(y: ArrayLike, a: ArrayLike, b: ArrayLike) -> DelongTest:
    """Test whether two scores have the same AUC on the same patients (paired, two-sided).

    Where the difference has no variance at all, two cases remain: no difference (the same ranking, for instance) gives
    z = 0 and p = 1; a difference (one score separates perfectly, the other perfectly wrongly) gives an infinite z and
    p = 0.

    Parameters
    ----------
    y
        Outcomes, shape (n,), 0 or 1; 1 = positive.
    a, b
        Scores of the same patients in the same order, shape (n,); higher = more likely positive.

    Raises
    ------
    StatisticsError
        As for `auc`, and if an outcome has fewer than two patients.
    """
    of_a, of_b = _components(*split_by_class(y, a)), _components(*split_by_class(y, b))
    n_pos, n_neg = of_a.of_positives.size, of_a.of_negatives.size
    if min(n_pos, n_neg) < 2:
        raise StatisticsError(
            "too_few_patients", "Comparing two curves needs at least two patients with each outcome; there are fewer."
        )
    # The variance of the paired differences is var(a) + var(b) - 2 cov(a, b) without its cancellation, so that two
    # scores which rank the patients alike give exactly 0.
    paired = _Components(of_a.of_positives - of_b.of_positives, of_a.of_negatives - of_b.of_negatives)
    difference, se = paired.area, math.sqrt(paired.variance)
    z = _z(difference, se)
    return DelongTest(
        auc_a=of_a.area,
        auc_b=of_b.area,
        difference=difference,
        se=se,
        z=z,
        p=float(2 * stats.norm.sf(abs(z))),
        ci=(max(-1.0, difference - Z_95 * se), min(1.0, difference + Z_95 * se)),
        n=n_pos + n_neg,
        n_pos=n_pos,
        n_neg=n_neg,
    )


def _z(difference: float, se: float) -> float:
    if se > 0:
        return difference / se
    return 0.0 if difference == 0 else math.copysign(math.inf, difference)


def _components(positives: FloatArray, negatives: FloatArray) -> _Components:
    return _Components(
        _below_twice(positives, negatives),
        2 * positives.size - _below_twice(negatives, positives),
    )


def _below_twice(values: FloatArray, others: FloatArray) -> CountArray:
    """For each value twice the number of others below it, a tie counting one half."""
    others = np.sort(others)
    return np.searchsorted(others, values, side="left") + np.searchsorted(others, values, side="right")


def _variance_of_mean(counts: CountArray) -> float:
    return float(counts.var(ddof=1)) / counts.size
