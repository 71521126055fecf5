"""The pool of patients with the weights that make it follow the published tables."""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

from ml.simulation import cohort_tables as tables
from ml.simulation.cohort_pool import draw_pool, ich_gs_scores, ich_scores
from ml.simulation.margins import calibrate_weights

Floats = NDArray[np.float64]
Pair = tuple[int, int]
Counts = Mapping[bool, Pair] | Mapping[int, Pair] | Mapping[str, Pair]

_POOL_SIZE = 40_000
_POOL_SEED = 1990


class WeightedPool(NamedTuple):
    """Patients with an outcome (rows; the same index, the same patient) and their probabilities (sum 1)."""

    patients: pd.DataFrame
    probabilities: Floats


@cache
def calibrated_pool() -> WeightedPool:
    """Draw the pool and weigh it to Tables 1, 2, 4 and 5, once in a process. Always the same pool.

    Each patient stands in it with a poor and with a favorable outcome, if Tables 4 and 5 have seen both at his scores.
    The weights of the two say how likely either is given everything that the case report form holds, see
    :func:`form_probabilities`; before the calibration they are equal, so that a form means what the tables say it means
    and nothing else.
    """
    pool = _without_unseen_scores(_with_both_outcomes(draw_pool(np.random.default_rng(_POOL_SEED), _POOL_SIZE)))
    margins = _Margins(pool)
    margins.add_outcome()
    margins.add_counts(ich_scores(pool), tables.ICH_SCORE)
    margins.add_counts(ich_gs_scores(pool), tables.ICH_GS)
    margins.add_counts(pool["treatment"].to_numpy(), tables.TREATMENT)
    margins.add_gcs()
    for name, counts in tables.RATES.items():
        margins.add_counts(pool[name].to_numpy(), {True: counts})
    for name in tables.QUARTILES:
        margins.add_quartiles(name, pool[name].to_numpy(dtype=np.float64))
    margins.add_regression(_regressors(pool), np.log(list(tables.ODDS_RATIOS.values())))
    return WeightedPool(pool, margins.weigh())


def form_probabilities(pool: WeightedPool) -> Floats:
    """Return P(poor outcome | form) of every row, shape (rows,): exact, 0 or 1 where one outcome was never seen."""
    patient = pool.patients.index.to_numpy()
    weight = np.bincount(patient, pool.probabilities)
    poor = np.bincount(patient, pool.probabilities * pool.patients["poor_outcome"].to_numpy(dtype=np.float64))
    return np.asarray((poor[patient] / weight[patient]).clip(0, 1), dtype=np.float64)


def _with_both_outcomes(pool: pd.DataFrame) -> pd.DataFrame:
    """Return every patient twice, once with each outcome; the index tells which rows are the same patient."""
    return pd.concat([pool.assign(poor_outcome=poor) for poor in (False, True)])


def _regressors(pool: pd.DataFrame) -> Floats:
    """Columns of Table 2, in its order."""
    known = pool.assign(
        ich_score=ich_scores(pool),
        ich_gs=ich_gs_scores(pool),
        treatment_cmt=pool["treatment"] == "cmt",
        treatment_cc=pool["treatment"] == "cc",
    )
    return known[list(tables.ODDS_RATIOS)].to_numpy(dtype=np.float64)


def _without_unseen_scores(pool: pd.DataFrame) -> pd.DataFrame:
    """Leave out patients whose outcome Tables 4 and 5 never saw at their score: no positive weight gives a zero."""
    poor = pool["poor_outcome"].to_numpy(dtype=np.int64)
    seen = np.ones(poor.size, dtype=bool)
    for scores, counts in ((ich_scores(pool), tables.ICH_SCORE), (ich_gs_scores(pool), tables.ICH_GS)):
        by_score = np.zeros((14, 2), dtype=np.int64)
        for score, pair in counts.items():
            by_score[score] = pair
        seen &= by_score[scores, poor] > 0
    return pool[seen]


class _Margins:
    """Collects the features of the pool's rows and the mean that each of them must have."""

    def __init__(self, pool: pd.DataFrame) -> None:
        poor = pool["poor_outcome"].to_numpy(dtype=np.float64)
        self._gcs = pool["gcs"].to_numpy()
        self._groups = (1 - poor, poor)
        self._shares = tuple(size / sum(tables.GROUP_SIZES) for size in tables.GROUP_SIZES)
        self._features: list[Floats] = []
        self._targets: list[float] = []

    def weigh(self) -> Floats:
        return calibrate_weights(np.column_stack(self._features), np.array(self._targets))

    def add_outcome(self) -> None:
        self._add(self._groups[1], self._shares[1])

    def add_counts(self, values: NDArray[np.generic], counts: Counts) -> None:
        """Within each group every listed value is as frequent as published."""
        for value, pair in counts.items():
            for group, count in zip(self._groups, pair, strict=True):
                if count:
                    self._add((values == value) * group, count / sum(tables.GROUP_SIZES))

    def add_gcs(self) -> None:
        for points, percents in tables.GCS_PERCENT.items():
            for group, share, percent in zip(self._groups, self._shares, percents, strict=True):
                self._add((self._gcs == points) * group, share * percent / 100)

    def add_quartiles(self, name: str, values: Floats) -> None:
        """In each group a quarter, a half and three quarters of the patients lie below the published quartiles."""
        spread = tables.QUARTILES[name]
        rows = {"everyone": np.ones(values.size), "favorable": self._groups[0], "poor": self._groups[1]}
        shares = {"everyone": 1.0, "favorable": self._shares[0], "poor": self._shares[1]}
        for group, quartiles in spread._asdict().items():
            if quartiles is None:
                continue
            for level, (order, quartile) in zip((0.25, 0.50, 0.75), quartiles._asdict().items(), strict=True):
                ties = tables.TIES_BELOW.get((name, group, order), 0.5)
                below = (values < quartile) + ties * (values == quartile)
                self._add(below * rows[group], level * shares[group])

    def add_regression(self, regressors: Floats, log_odds: Floats) -> None:
        """A logistic regression of poor outcome on the regressors has these coefficients.

        Maximum likelihood is where the residuals are orthogonal to every regressor. With the coefficients given, that
        is one linear condition on the weights for each.
        """
        poor = self._groups[1]
        standard = (regressors - regressors.mean(axis=0)) / regressors.std(axis=0)
        predictor = standard @ (log_odds * regressors.std(axis=0))
        # Any intercept near the truth will do: the condition on the mean residual makes it the fitted one.
        intercept = brentq(lambda level: float(np.mean(expit(level + predictor))) - self._shares[1], -20.0, 20.0)
        residual = poor - expit(intercept + predictor)
        self._add(residual, 0.0)
        for column in standard.T:
            self._add(residual * column, 0.0)

    def _add(self, feature: Floats, target: float) -> None:
        self._features.append(feature)
        self._targets.append(target)
