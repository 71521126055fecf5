"""Recalibration: from what the networks say to how often it comes true."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

_EDGE = 1e-12  # a probability of exactly 0 or 1 has no finite logit
_FLATTEST = 0.05  # slopes below would turn the order of the patients round, or tie them


class Recalibration(BaseModel):
    """A straight line on the logit scale: logit P(poor) = intercept + slope * logit p. It keeps the order of patients.

    Platt, "Probabilistic outputs for support vector machines", 1999, applied to the logit; with an intercept of 0 it is
    temperature scaling (Guo et al., "On calibration of modern neural networks", 2017).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    slope: float = Field(default=1.0, gt=0)
    """Below 1: the networks tell risks too extreme."""
    intercept: float = 0.0

    @classmethod
    def fit(cls, labels: ArrayLike, probabilities: ArrayLike) -> Self:
        """Fit to outcomes (n,) of both kinds, 1 = poor, and the probabilities (n,) of models that never saw them.

        Outcomes are smoothed as Platt did, to (n_poor + 1) / (n_poor + 2) and 1 / (n_favorable + 2), so that patients
        whom the probabilities part without overlap give a finite line.
        """
        outcome, told = np.asarray(labels, dtype=bool), _logit(probabilities)
        poor = np.where(outcome, (outcome.sum() + 1) / (outcome.sum() + 2), 1 / ((~outcome).sum() + 2))
        slope, intercept = _logistic(told, poor)
        if slope < _FLATTEST:
            slope = _FLATTEST
            intercept = _logistic_intercept(slope * told, poor)
        return cls(slope=slope, intercept=intercept)

    def apply(self, probabilities: ArrayLike) -> NDArray[np.float64]:
        """Recalibrate probabilities, 0 to 1, of any shape."""
        return np.asarray(expit(self.intercept + self.slope * _logit(probabilities)), dtype=np.float64)


class ArmRecalibration(BaseModel):
    """The lines of one arm."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    line: Recalibration
    """For new patients: fitted to all patients of the cross-validation."""
    held_out: tuple[Recalibration, ...]
    """For the patients that each outer fold held out, in the order of the folds: fitted to those of the others."""

    @classmethod
    def fit(cls, labels: ArrayLike, probabilities: ArrayLike, folds: ArrayLike) -> Self:
        """Fit all lines.

        Parameters
        ----------
        labels, probabilities, folds
            (n,): outcome (1 = poor), what models say that never saw the patient, and the outer fold, from 1, that held
            him out. The patients outside each fold have both outcomes.
        """
        outcome, told, fold = np.asarray(labels), np.asarray(probabilities), np.asarray(folds)
        lines = (Recalibration.fit(outcome[fold != k], told[fold != k]) for k in range(1, fold.max() + 1))
        return cls(line=Recalibration.fit(outcome, told), held_out=tuple(lines))

    def apply_held_out(self, probabilities: ArrayLike, folds: ArrayLike) -> NDArray[np.float64]:
        """Recalibrate patients of the cross-validation, each by the line that does not know his outcome."""
        told, fold = np.asarray(probabilities, dtype=np.float64), np.asarray(folds)
        result = np.empty_like(told)
        for number, line in enumerate(self.held_out, start=1):
            result[fold == number] = line.apply(told[fold == number])
        return result


def _logit(probabilities: ArrayLike) -> NDArray[np.float64]:
    clipped = np.clip(np.asarray(probabilities, dtype=np.float64), _EDGE, 1 - _EDGE)
    return np.asarray(logit(clipped), dtype=np.float64)


def _logistic(x: NDArray[np.float64], poor: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and intercept of a logistic regression; an outcome between 0 and 1 counts as a share of both."""
    n = len(x)
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10, max_iter=1000)
    shares = np.concatenate([poor, 1 - poor])
    model.fit(np.concatenate([x, x])[:, None], np.repeat([1, 0], n), sample_weight=shares)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def _logistic_intercept(offset: NDArray[np.float64], poor: NDArray[np.float64]) -> float:
    """The intercept that makes the mean probability the mean outcome, which is where the likelihood is largest."""
    from scipy.optimize import brentq

    return float(brentq(lambda level: float(np.mean(expit(level + offset) - poor)), -40.0, 40.0))
