"""Simulated studies: a digital head phantom as CT, and a multi-center cohort."""

from ml.simulation.cohort import COHORT_COLUMNS, simulate_cohort
from ml.simulation.phantom import PhantomTruth, simulate_ct
from ml.simulation.phantom_spec import MAX_VOLUME_ML, PhantomSpec, Side, Site, SpacingPattern

__all__ = [
    "COHORT_COLUMNS",
    "MAX_VOLUME_ML",
    "PhantomSpec",
    "PhantomTruth",
    "Side",
    "Site",
    "SpacingPattern",
    "simulate_cohort",
    "simulate_ct",
]
