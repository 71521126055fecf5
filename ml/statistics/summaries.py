"""Small summaries for tables and figures."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ml.statistics.checks import StatisticsError, read_pair
from ml.statistics.intervals import proportion_ci


@dataclass(frozen=True)
class ScoreRow:
    """Patients with one score value: their number, how many poor, and the rate with its Clopper-Pearson 95 % interval.

    Attributes
    ----------
    value
        An int if all scores are whole numbers.
    """

    value: float
    n: int
    poor: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True)
class MedianIqr:
    """Median and quartiles of the `n` values present; `missing` counts the blanks left out."""

    median: float
    q1: float
    q3: float
    n: int
    missing: int


def score_distribution(score: ArrayLike, y: ArrayLike) -> list[ScoreRow]:
    """Return for each score value that occurs, ascending, the patients and their rate of poor outcome.

    Parameters
    ----------
    score
        Scores, shape (n,).
    y
        Outcomes of the same patients, shape (n,), 0 or 1; 1 = poor. One class alone is allowed.

    Raises
    ------
    StatisticsError
        If the input is empty, of different lengths, not finite, or an outcome is neither 0 nor 1.
    """
    outcome, scores = read_pair(y, score)
    values, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    labels = values.astype(np.int64).tolist() if (values == np.rint(values)).all() else values.tolist()
    poor_counts = np.bincount(group[outcome], minlength=values.size)
    rows = []
    for value, n, poor in zip(labels, counts.tolist(), poor_counts.tolist(), strict=True):
        rate = proportion_ci(poor, n)
        rows.append(ScoreRow(value, n, poor, rate.value, rate.low, rate.high))
    return rows


def median_iqr(values: ArrayLike) -> MedianIqr:
    """Return median and quartiles by linear interpolation (type 7 of Hyndman and Fan, the default of R and numpy).

    Parameters
    ----------
    values
        Numbers, shape (n,); ``None`` and NaN are blanks, left out and counted.

    Raises
    ------
    StatisticsError
        If there is no value, or something is not a finite number.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise StatisticsError("not_numbers", "The values must be numbers or blank.") from None
    if array.ndim != 1 or np.isinf(array).any():
        raise StatisticsError("not_numbers", "The values must be a plain list of finite numbers or blanks.")
    present = array[~np.isnan(array)]
    if present.size == 0:
        raise StatisticsError("empty", "There is no value to summarize; choose a group in which at least one is known.")
    q1, median, q3 = np.quantile(present, (0.25, 0.5, 0.75)).tolist()
    return MedianIqr(median, q1, q3, present.size, array.size - present.size)
