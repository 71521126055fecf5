"""What decides the simulated outcome: the form, and how severe the CT looks. Known exactly, so the best AUC is too.

The CT's severity z is drawn after the outcome: normal with SD 1 around +d/2 where it is poor and -d/2 where it is
favorable, whatever the form says. By Bayes' rule then

    logit P(poor | form, CT) = logit P(poor | form) + d z,

and no predictor of form and CT can have a larger AUC than this one (Neyman and Pearson's lemma). P(poor | form) comes
from the calibration, see ``cohort_calibration``; since z adds nothing to the forms, the published tables still hold.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr

from ml.simulation.cohort_calibration import calibrated_pool, form_probabilities

Floats = NDArray[np.float64]

TRUTH_COLUMNS = ("imaging_severity", "form_probability", "best_probability")

SEVERITY_SEPARATION = 1.6
"""d above, in SDs of z (assumed): severity alone has an AUC of ndtr(d / sqrt 2) = 0.871."""

_BINS = 2000


class BestAuc(NamedTuple):
    """Largest AUC that any predictor can have in the simulated population."""

    form: float
    """From the case report form alone."""
    severity: float
    """From the CT's severity alone; volume, site and ventricular blood, which a CT shows too, not counted."""
    everything: float
    """From form and CT."""


def add_truth(rng: np.random.Generator, form_probability: Floats, poor: NDArray[np.bool_]) -> pd.DataFrame:
    """Draw the CT's severity of each patient; return ``TRUTH_COLUMNS``.

    Parameters
    ----------
    form_probability
        P(poor | form), shape (n,).
    poor
        The outcomes, shape (n,).
    """
    severity = rng.standard_normal(poor.size) + SEVERITY_SEPARATION * (poor - 0.5)
    best = expit(logit(form_probability) + SEVERITY_SEPARATION * severity)
    return pd.DataFrame(dict(zip(TRUTH_COLUMNS, (severity, form_probability, best), strict=True)))


@cache
def best_auc() -> BestAuc:
    """Return the best possible AUCs of the population that ``simulate_cohort`` draws from."""
    pool = calibrated_pool()
    probability = form_probabilities(pool)
    poor = pool.patients["poor_outcome"].to_numpy(dtype=bool)
    # A patient whose outcome the form settles counts as certain enough: logit of 1e-12.
    scores = logit(probability.clip(1e-12, 1 - 1e-12))
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, _BINS)))
    center, shares = [], []
    for group in (False, True):
        own = poor == group
        which = np.searchsorted(edges, scores[own])
        weight = np.bincount(which, pool.probabilities[own], edges.size)
        total = np.bincount(which, pool.probabilities[own] * scores[own], edges.size)
        keep = weight > 0
        center.append(total[keep] / weight[keep])
        shares.append(weight[keep] / weight.sum())
    apart = center[1][:, None] - center[0][None, :]
    chance = shares[1][:, None] * shares[0][None, :]
    # P(l1 + d z1 > l0 + d z0): for a patient of each outcome the difference is normal, mean l1 - l0 + d^2, SD d sqrt 2.
    d = SEVERITY_SEPARATION
    return BestAuc(
        form=float((chance * (np.sign(apart) + 1) / 2).sum()),
        severity=float(ndtr(d / np.sqrt(2))),
        everything=float((chance * ndtr((apart + d**2) / (d * np.sqrt(2)))).sum()),
    )
