"""Robust location and spread, and how far a value lies from them."""

from collections.abc import Sequence

import numpy as np

# Makes the median absolute deviation of normal data estimate their standard deviation: the 0.75 quantile of N(0, 1).
_NORMAL = 0.6745


def median_and_mad(values: Sequence[float]) -> tuple[float, float]:
    """Return the median and the median absolute deviation from it (not scaled)."""
    numbers = np.asarray(values, dtype=float)
    median = float(np.median(numbers))
    return median, float(np.median(np.abs(numbers - median)))


def modified_z(value: float, median: float, mad: float) -> float:
    """Return the modified z-score of Iglewicz and Hoaglin (1993): 0.6745 (x - median) / MAD, for a MAD above 0."""
    return _NORMAL * (value - median) / mad
