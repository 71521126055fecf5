"""Reading of outcomes, scores and counts; what cannot be used is refused with a sentence."""

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml.errors import MLError

BooleanArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
CountArray = NDArray[np.int64]


class StatisticsError(MLError):
    """Data on which a statistic is not defined."""


def read_finite(values: ArrayLike, what: str) -> FloatArray:
    """Return a one-dimensional float64 array that is neither empty nor holds a NaN or an infinity."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise StatisticsError("not_numbers", f"The {what} must be numbers; leave out blanks and texts.") from None
    if array.ndim != 1:
        raise StatisticsError("not_a_list", f"The {what} must be a plain list: one value for each patient.")
    if array.size == 0:
        raise StatisticsError("empty", f"The {what} are empty; choose a group with at least one patient.")
    if not np.isfinite(array).all():
        raise StatisticsError("not_finite", f"The {what} hold blanks or infinities; leave out those patients first.")
    return array


def read_outcome(y: ArrayLike) -> BooleanArray:
    """Return outcomes as booleans; 1 or true is the positive class."""
    array = read_finite(y, "outcomes")
    if not np.isin(array, (0.0, 1.0)).all():
        raise StatisticsError("not_binary", "The outcomes must be 0 or 1 (1 = positive, such as a poor outcome).")
    return array.astype(np.bool_)


def read_pair(y: ArrayLike, score: ArrayLike) -> tuple[BooleanArray, FloatArray]:
    """Return outcomes and scores of the same patients; both may hold one class only."""
    outcome = read_outcome(y)
    scores = read_finite(score, "scores")
    if outcome.size != scores.size:
        raise StatisticsError(
            "lengths_differ",
            f"There are {outcome.size} outcomes and {scores.size} scores; give one of each for every patient.",
        )
    return outcome, scores


def split_by_class(y: ArrayLike, score: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the scores of the positive and of the negative patients, neither of them empty."""
    outcome, scores = read_pair(y, score)
    if outcome.all() or not outcome.any():
        raise StatisticsError(
            "one_class",
            "All patients have the same outcome; a comparison needs at least one patient with each outcome.",
        )
    return scores[outcome], scores[~outcome]


def read_count(value: object, what: str) -> int:
    """Return a count of patients: a whole number that is not negative."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Integral) or value < 0:
        raise StatisticsError("not_a_count", f"The count of {what} must be a whole number, 0 or more.")
    return int(value)
