"""A simulated multi-center cohort: case report forms and outcomes that follow a published study."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml.errors import MLError
from ml.simulation import cohort_tables as tables
from ml.simulation.cohort_calibration import calibrated_pool, form_probabilities
from ml.simulation.cohort_details import add_details, severity_of
from ml.simulation.cohort_pool import largest_volumes
from ml.simulation.prognosis import add_truth

COHORT_COLUMNS = (
    "center", "age", "sex", "gcs", "nihss", "headache", "emesis", "coma", "ivh", "subarachnoid", "subdural",
    "extradural", "history_hemorrhagic_stroke", "history_ischemic_stroke", "hypertension", "diabetes_mellitus",
    "hyperlipidemia", "coronary_heart_disease", "heart_failure", "arrhythmia", "anticoagulant_therapy",
    "antiplatelet_therapy", "smoking", "alcohol", "cognitive_impairment", "systolic_bp", "diastolic_bp", "treatment",
    "location", "bleed_side", "bleed_site", "onset_to_ct_hours", "hematoma_volume_ml", "withdrawal_of_care",
    "gos_discharge", "mrs_discharge", "poor_outcome",
)  # fmt: skip

# Centers differ a little: the largest enrolls half as many again as the average, and neighbors in the list lean to
# more or less severe patients (log-odds per SD of severity) and to more or less surgery (log-odds).
_LARGEST, _SMALLEST = 1.5, 0.5
_SEVERITY_LEAN = (0.15, -0.15)
_SURGERY_LEAN = (0.25, 0.25, -0.25, -0.25)


class SimulatedStudy(NamedTuple):
    """Patients as a study sees them, and what only the simulation knows of them; the same rows in the same order."""

    forms: pd.DataFrame
    """Columns ``COHORT_COLUMNS``."""
    truth: pd.DataFrame
    """Columns ``ml.simulation.prognosis.TRUTH_COLUMNS``: severity of the CT, P(poor | form), P(poor | form, CT)."""


def simulate_cohort(
    n: int = 1990, *, seed: int, centers: Sequence[str] = ("C1", "C2", "C3", "C4", "C5")
) -> pd.DataFrame:
    """Return the forms of :func:`simulate_study`."""
    return simulate_study(n, seed=seed, centers=centers).forms


def simulate_study(
    n: int = 1990, *, seed: int, centers: Sequence[str] = ("C1", "C2", "C3", "C4", "C5")
) -> SimulatedStudy:
    """Simulate the case report forms and outcomes of `n` patients with spontaneous intracerebral hemorrhage.

    The patients are independent draws from one population whose baseline figures by outcome, multivariable odds ratios
    and poor-outcome rates at each ICH score and ICH-GS equal those of Chen 2023 (European Journal of Radiology, doi
    10.1016/j.ejrad.2023.111081; Tables 1, 2, 4 and 5): a sample differs from the tables by sampling error only. What
    they leave open is assumed, see ``cohort_tables`` (also for the paper's contradictions) and ``cohort_details``.
    Centers differ a little in size and case mix; the whole is the same whatever the centers are.

    Parameters
    ----------
    n
        Number of patients, at least 1.
    seed
        0 or more. The same arguments give the same cohort.
    centers
        Names of the centers, each once. The first is the largest.

    Returns
    -------
    One row per patient: years, mmHg, hours, mL; poor outcome is GOS 1-3 at discharge. Given the rest of the form, it
    was drawn with the probability that the truth names, and the severity of the CT with regard to it alone.

    Raises
    ------
    MLError
        Code ``bad_cohort_request``: no patients asked for, a negative seed, or centers missing or named twice.
    """
    _check_request(n, seed, centers)
    pool = calibrated_pool()
    rng = np.random.default_rng(seed)
    cumulative = np.cumsum(pool.probabilities)
    drawn = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
    patients = pool.patients.iloc[drawn].reset_index(drop=True)
    patients["hematoma_volume_ml"] = _nudge_volume(rng, patients)
    patients["sex"] = np.where(patients.pop("male"), "male", "female")
    patients = add_details(rng, patients)
    patients["center"] = _assign_centers(rng, patients, centers)
    truth = add_truth(rng, form_probabilities(pool)[drawn], patients["poor_outcome"].to_numpy(dtype=bool))
    return SimulatedStudy(patients[list(COHORT_COLUMNS)], truth)


def _check_request(n: int, seed: int, centers: Sequence[str]) -> None:
    if n < 1 or seed < 0:
        raise MLError("bad_cohort_request", "A simulated cohort needs at least 1 patient and a seed of 0 or more.")
    if not centers or len(set(centers)) != len(centers):
        raise MLError("bad_cohort_request", "A simulated cohort needs at least one center, and each name only once.")


def _nudge_volume(rng: np.random.Generator, patients: pd.DataFrame) -> NDArray[np.float64]:
    """Shift volumes by a few percent, so that a pool row drawn twice is not the same hematoma twice.

    A volume stays where it is if the shift would carry it over a cut of a score or a published quartile.
    """
    volume = patients["hematoma_volume_ml"].to_numpy(dtype=np.float64)
    largest = largest_volumes(patients["bleed_site"].to_numpy(dtype=str))
    cuts = [10.0, 20.0, 30.0, 40.0, 70.0]
    cuts += [value for quartiles in tables.QUARTILES["hematoma_volume_ml"] for value in quartiles or ()]
    cuts.sort()
    shifted = volume * np.exp(rng.normal(0.0, 0.03, volume.size))
    nudged = np.clip(shifted, tables.RANGES["hematoma_volume_ml"][0], largest).round(2)
    stays = np.ones(volume.size, dtype=bool)
    for side in ("left", "right"):
        stays &= np.searchsorted(cuts, volume, side=side) == np.searchsorted(cuts, nudged, side=side)
    return np.asarray(np.where(stays, nudged, volume), dtype=np.float64)


def _assign_centers(rng: np.random.Generator, patients: pd.DataFrame, centers: Sequence[str]) -> NDArray[np.object_]:
    """Send each patient to a center; who the patients are is settled before, so the whole cohort does not change."""
    order = np.arange(len(centers))
    sizes = np.linspace(_LARGEST, _SMALLEST, len(centers))
    severity_lean = np.array(_SEVERITY_LEAN)[order % len(_SEVERITY_LEAN)]
    surgery_lean = np.array(_SURGERY_LEAN)[order % len(_SURGERY_LEAN)]
    surgery = (patients["treatment"] != "cmt").to_numpy(dtype=np.float64)
    severity = severity_of(patients)
    pull = sizes * np.exp(np.outer(severity, severity_lean) + np.outer(surgery, surgery_lean))
    cumulative = np.cumsum(pull, axis=1)
    ticket = rng.random(len(patients)) * cumulative[:, -1]
    chosen = (ticket[:, None] >= cumulative).sum(axis=1)
    return np.array(centers, dtype=object)[chosen]
