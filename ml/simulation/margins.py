"""Calibration of sampling weights: raking to published margins, all of them at once."""

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ml.errors import MLError

_TOLERANCE = 1e-9
_ROUNDS = 60


def calibrate_weights(features: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weigh rows so that the weighted mean of every feature equals its target.

    Of all such weights, the ones closest to uniform in Kullback-Leibler divergence: ``w_i`` proportional to
    ``exp(x_i . lambda)``. That is the limit of iterative proportional fitting, reached by Newton's method on the convex
    dual (Deville, Sarndal and Sautory, JASA 1993;88:1013-1020, generalized raking). A feature may be an indicator (a
    rate) or any other number (half an indicator for the ties at a median).

    Parameters
    ----------
    features
        Shape (rows, margins).
    targets
        Shape (margins,), in the units of the features.

    Returns
    -------
    Weights of shape (rows,), positive, of sum 1.

    Raises
    ------
    MLError
        Code ``margins_unreachable``: no weighting of these rows meets the targets.
    """
    centered = np.asarray(features, dtype=np.float64) - targets
    # One thread: the products are too small to share, and on a busy machine the threads of BLAS wait on each other for
    # seconds. It also keeps the order of summation, and with it the last digit, the same from run to run.
    with threadpool_limits(limits=1):
        return _descend(centered)


def _descend(centered: NDArray[np.float64]) -> NDArray[np.float64]:
    """Newton's method with backtracking on the dual."""
    multipliers = np.zeros(centered.shape[1])
    weights, height = _tilt(centered, multipliers)
    for _ in range(_ROUNDS):
        gradient = weights @ centered
        if np.abs(gradient).max() < _TOLERANCE:
            return weights
        step = _newton_step(centered, weights, gradient)
        scale = 1.0
        weights, trial = _tilt(centered, multipliers + step)
        while trial > height + 1e-4 * scale * float(gradient @ step) and scale > 1e-6:
            scale /= 2
            weights, trial = _tilt(centered, multipliers + scale * step)
        multipliers, height = multipliers + scale * step, trial
    raise MLError(
        "margins_unreachable",
        "The target margins cannot all be met by weighting these rows; check them for contradictions or add rows.",
    )


def _tilt(centered: NDArray[np.float64], multipliers: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Weights for the multipliers, and the value of the dual there (log-mean-exp)."""
    exponent = centered @ multipliers
    top = float(exponent.max())
    weights = np.exp(exponent - top)
    total = float(weights.sum())
    return weights / total, top + float(np.log(total))


def _newton_step(
    centered: NDArray[np.float64], weights: NDArray[np.float64], gradient: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Newton's step; the least-squares solution serves where some margins follow from others."""
    covariance = (centered * weights[:, None]).T @ centered - np.outer(gradient, gradient)
    step: NDArray[np.float64] = -np.linalg.lstsq(covariance, gradient, rcond=1e-12)[0].astype(np.float64)
    return step
