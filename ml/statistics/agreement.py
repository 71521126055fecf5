"""Agreement of two readings of the same thing: kappa, intraclass correlation, and the limits of Bland and Altman."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ml.statistics.checks import FloatArray, StatisticsError, read_count, read_finite
from ml.statistics.intervals import ALPHA, Z_95, Proportion

WILSON = "Wilson"
Weights = Literal["none", "linear", "quadratic"]


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; NaN where the data do not define it."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Limits:
    """Mean of the differences (first minus second), their standard deviation, and the 95 % limits of agreement."""

    mean: Estimate
    sd: float
    lower: Estimate
    upper: Estimate


def wilson_ci(k: int, n: int) -> Proportion:
    """Return k / n with the score interval of Wilson (J Am Stat Assoc 1927;22:209-212); NaN where n = 0."""
    k, n = read_count(k, "successes"), read_count(n, "trials")
    if k > n:
        raise StatisticsError("count_too_large", f"{k} of {n} is no proportion; the part exceeds the whole.")
    if n == 0:
        return Proportion(math.nan, math.nan, math.nan, WILSON)
    p, z2 = k / n, Z_95**2
    center, half = p + z2 / (2 * n), Z_95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    low, high = (center - half) / (1 + z2 / n), (center + half) / (1 + z2 / n)
    return Proportion(p, 0.0 if k == 0 else low, 1.0 if k == n else high, WILSON)


def kappa(
    first: Sequence[Hashable], second: Sequence[Hashable], *, categories: Sequence[Hashable], weights: Weights = "none"
) -> Estimate:
    """Return Cohen's kappa, weighted by the distance of the categories in their order where they are grades.

    The interval is that of the large-sample variance of Fleiss, Cohen and Everitt (Psychol Bull 1969;72:323-327).
    NaN where both readings are the same one category throughout: chance then explains all agreement.

    Parameters
    ----------
    first, second
        The readings of each subject, all of them among the categories.
    categories
        Every category once, grades in their order.
    """
    if len(first) != len(second) or not first:
        raise StatisticsError("lengths_differ", "Give two readings of each subject, and of one subject at least.")
    place = {category: index for index, category in enumerate(categories)}
    size, n = len(place), len(first)
    table = np.zeros((size, size))
    for one, other in zip(first, second, strict=True):
        if one not in place or other not in place:
            raise StatisticsError("no_category", "A reading is none of the categories; name all of them.")
        table[place[one], place[other]] += 1
    return _kappa_of(table / n, n, _agreement_weights(size, weights))


def _agreement_weights(size: int, weights: Weights) -> FloatArray:
    if weights == "none" or size < 2:
        return np.eye(size)
    distance = np.abs(np.subtract.outer(np.arange(size), np.arange(size))) / (size - 1)
    return 1 - (distance if weights == "linear" else distance**2)


def _kappa_of(p: FloatArray, n: int, w: FloatArray) -> Estimate:
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    observed, chance = float((w * p).sum()), float(rows @ w @ columns)
    if math.isclose(chance, 1.0):
        return Estimate(math.nan, math.nan, math.nan, n)
    value = (observed - chance) / (1 - chance)
    margins = np.add.outer(w @ columns, rows @ w)
    spread = float((p * (w - margins * (1 - value)) ** 2).sum()) - (value - chance * (1 - value)) ** 2
    half = Z_95 * math.sqrt(max(spread, 0.0) / n) / (1 - chance)
    return Estimate(value, max(value - half, -1.0), min(value + half, 1.0), n)


def icc_2_1(readings: ArrayLike) -> Estimate:
    """Return the intraclass correlation ICC(2,1): absolute agreement of single readings by raters drawn at random.

    With the interval of Shrout and Fleiss (Psychol Bull 1979;86:420-428). NaN where all readings are the same; the
    interval alone is NaN where there is no disagreement to estimate it from.

    Parameters
    ----------
    readings
        One row for each subject (two at least), one column for each rater (two at least).
    """
    x = np.asarray(readings, dtype=np.float64)
    if x.ndim != 2 or min(x.shape) < 2 or not np.isfinite(x).all():
        raise StatisticsError(
            "not_a_table", "Give a table of numbers: two subjects and two raters at least, no blanks."
        )
    n, k = x.shape
    between = k * x.mean(axis=1).var(ddof=1)
    raters = n * x.mean(axis=0).var(ddof=1)
    rest = x - x.mean(axis=1, keepdims=True) - x.mean(axis=0, keepdims=True) + x.mean()
    error = float((rest**2).sum()) / ((n - 1) * (k - 1))
    total = between + (k - 1) * error + k * (raters - error) / n
    if total <= 0:
        return Estimate(math.nan, math.nan, math.nan, n)
    value = float((between - error) / total)
    return Estimate(value, *_icc_interval(n, k, float(between), float(raters), error, value), n)


def _icc_interval(n: int, k: int, between: float, raters: float, error: float, icc: float) -> tuple[float, float]:
    scale = between + raters
    if error <= 1e-12 * scale:
        return math.nan, math.nan
    f = raters / error
    base = n * (1 + (k - 1) * icc) - k * icc
    freedom = (k - 1) * (n - 1) * (k * icc * f + base) ** 2 / ((n - 1) * (k * icc * f) ** 2 + base**2)
    upper_f = float(stats.f.ppf(1 - ALPHA / 2, n - 1, freedom))
    lower_f = float(stats.f.ppf(1 - ALPHA / 2, freedom, n - 1))
    noise = k * raters + (k * n - k - n) * error
    low = n * (between - upper_f * error) / (upper_f * noise + n * between)
    high = n * (lower_f * between - error) / (noise + n * lower_f * between)
    return low, high


def limits_of_agreement(first: ArrayLike, second: ArrayLike) -> Limits:
    """Return mean difference and 95 % limits of agreement, each with its interval (Bland and Altman, Lancet 1986).

    The limits are the mean -/+ 1.96 standard deviations; their standard error is that of the paper, sqrt(3 s^2 / n).
    """
    one, other = read_finite(first, "first values"), read_finite(second, "second values")
    if one.size != other.size or one.size < 2:
        raise StatisticsError("lengths_differ", "Give two values of each subject, and of two subjects at least.")
    n, difference = one.size, one - other
    mean, sd = float(difference.mean()), float(difference.std(ddof=1))
    t = float(stats.t.ppf(1 - ALPHA / 2, n - 1))

    def about(value: float, error: float) -> Estimate:
        return Estimate(value, value - t * error, value + t * error, n)

    error = sd / math.sqrt(n)
    limit_error = math.sqrt(3) * error
    return Limits(about(mean, error), sd, about(mean - Z_95 * sd, limit_error), about(mean + Z_95 * sd, limit_error))
