"""Simulated studies: a digital head phantom as CT, and a multi-center cohort whose best possible AUC is known."""

from ml.simulation.cohort import COHORT_COLUMNS, SimulatedStudy, simulate_cohort, simulate_study
from ml.simulation.patient_phantom import phantom_of
from ml.simulation.phantom import PhantomTruth, simulate_ct
from ml.simulation.phantom_spec import MAX_VOLUME_ML, PhantomSpec, Side, Site, SpacingPattern
from ml.simulation.prognosis import TRUTH_COLUMNS, BestAuc, best_auc

__all__ = [
    "COHORT_COLUMNS",
    "MAX_VOLUME_ML",
    "TRUTH_COLUMNS",
    "BestAuc",
    "PhantomSpec",
    "PhantomTruth",
    "Side",
    "SimulatedStudy",
    "Site",
    "SpacingPattern",
    "best_auc",
    "phantom_of",
    "simulate_cohort",
    "simulate_ct",
    "simulate_study",
]
