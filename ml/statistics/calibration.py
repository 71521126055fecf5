"""Calibration: whether patients told 30 % do have the outcome in 30 of 100 cases."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from ml.statistics.checks import FloatArray, StatisticsError, read_pair, split_by_class

_Z = 1.959963984540054  # of a two-sided 95 % interval
_STEPS = 100
_EDGE = 1e-12  # a probability of exactly 0 or 1 has no finite logit


@dataclass(frozen=True)
class Calibration:
    """How probabilities agree with outcomes: Cox, Biometrika 1958; Van Calster et al., BMC Medicine 2019.

    Attributes
    ----------
    intercept, intercept_ci
        Calibration in the large: a of logit P(y = 1) = a + logit(p). 0 is ideal; below 0 the risks are told too high.
    slope, slope_ci
        b of logit P(y = 1) = a' + b logit(p). 1 is ideal; below 1 the risks are told too extreme.
    brier
        Mean squared difference between probability and outcome (Brier 1950); 0 is ideal.
    n, n_poor
        Patients, and those with the outcome.
    """

    intercept: float
    intercept_ci: tuple[float, float]
    slope: float
    slope_ci: tuple[float, float]
    brier: float
    n: int
    n_poor: int


def calibration(y: ArrayLike, probability: ArrayLike) -> Calibration:
    """Return intercept, slope (each with its 95 % Wald interval) and Brier score of probabilities in 0..1.

    Raises
    ------
    StatisticsError
        ``one_class``; ``not_a_probability``; ``no_estimate``: the outcomes are parted by the probabilities without
        overlap, or the probabilities are all alike, so that no slope can be estimated; and those of the other figures.
    """
    split_by_class(y, probability)
    outcome, p = read_pair(y, probability)
    if p.min() < 0 or p.max() > 1:
        raise StatisticsError("not_a_probability", "Probabilities must lie between 0 and 1; check the column chosen.")
    told = logit(np.clip(p, _EDGE, 1 - _EDGE))
    observed = outcome.astype(np.float64)
    ones = np.ones((len(told), 1))
    (intercept,), (intercept_se,) = _logistic(ones, observed, told)
    (_, slope), (_, slope_se) = _logistic(np.column_stack([ones, told]), observed, np.zeros_like(told))
    return Calibration(
        intercept=float(intercept),
        intercept_ci=_wald(intercept, intercept_se),
        slope=float(slope),
        slope_ci=_wald(slope, slope_se),
        brier=float(np.mean((p - observed) ** 2)),
        n=len(p),
        n_poor=int(outcome.sum()),
    )


def _wald(value: float, se: float) -> tuple[float, float]:
    return float(value - _Z * se), float(value + _Z * se)


def _logistic(x: FloatArray, y: FloatArray, offset: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the maximum-likelihood coefficients of a logistic regression and their standard errors, by Newton."""
    beta = np.zeros(x.shape[1])
    for _step in range(_STEPS):
        p = expit(x @ beta + offset)
        information = (x * (p * (1 - p))[:, None]).T @ x
        if not np.isfinite(information).all() or np.linalg.cond(information) > 1 / np.finfo(float).eps:
            break
        step = np.linalg.solve(information, x.T @ (y - p))
        beta = beta + np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-10:
            return beta, np.sqrt(np.diag(np.linalg.inv(information)))
    raise StatisticsError(
        "no_estimate",
        "The probabilities allow no estimate of calibration; it needs outcomes of both kinds that overlap.",
    )
