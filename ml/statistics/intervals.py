"""Confidence intervals of a proportion, all of them two-sided 95 %."""

import math
from dataclasses import dataclass

from scipy import stats

from ml.statistics.checks import StatisticsError, read_count

ALPHA = 0.05
Z_95 = float(stats.norm.ppf(1 - ALPHA / 2))

CLOPPER_PEARSON = "Clopper-Pearson"
LOGIT = "logit"


@dataclass(frozen=True)
class Proportion:
    """A proportion as a fraction with its 95 % interval; NaN throughout where nobody was counted.

    Attributes
    ----------
    method
        ``"Clopper-Pearson"`` or ``"logit"``.
    """

    value: float
    low: float
    high: float
    method: str


def clopper_pearson(k: float, n: int) -> tuple[float, float]:
    """Return the exact binomial 95 % interval of k of n.

    The beta quantiles of Clopper and Pearson (Biometrika 1934;26:404-413) are defined for a k that is no whole number
    too, as is needed for an AUC read as k = AUC n of n.

    Parameters
    ----------
    k
        Successes, 0 <= k <= n.
    n
        Patients, at least 1.
    """
    low = 0.0 if k <= 0 else float(stats.beta.ppf(ALPHA / 2, k, n - k + 1))
    high = 1.0 if k >= n else float(stats.beta.ppf(1 - ALPHA / 2, k + 1, n - k))
    return low, high


def proportion_ci(k: int, n: int) -> Proportion:
    """Return k / n with its exact (Clopper-Pearson) 95 % interval.

    Parameters
    ----------
    k, n
        Counts, 0 <= k <= n. With n = 0 all figures are NaN.

    Raises
    ------
    StatisticsError
        If k or n is no count, or k exceeds n.
    """
    k, n = read_count(k, "successes"), read_count(n, "patients")
    if k > n:
        raise StatisticsError("count_too_large", f"{k} of {n} is no proportion; the part exceeds the whole.")
    if n == 0:
        return Proportion(math.nan, math.nan, math.nan, CLOPPER_PEARSON)
    low, high = clopper_pearson(k, n)
    return Proportion(k / n, low, high, CLOPPER_PEARSON)


def logit_ci(value: float, variance: float) -> Proportion:
    """Return a proportion strictly between 0 and 1 with the Wald interval of its log-odds, whose variance is given."""
    center = math.log(value / (1 - value))
    half = Z_95 * math.sqrt(variance)
    return Proportion(value, 1 / (1 + math.exp(half - center)), 1 / (1 + math.exp(-half - center)), LOGIT)
