"""A large pool of plausible patients, to be weighed until it follows the published tables (see ``cohort``)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq
from scipy.special import expit, ndtr

from ml.simulation import cohort_tables as tables
from ml.simulation.phantom_spec import MAX_VOLUME_ML, Site

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Correlation of the measured variables on the normal scale, within one outcome group (assumed): large bleeds lower the
# GCS, sicker patients reach the scanner sooner, pulse pressure widens with age.
_MEASURED = ("age", "gcs", "hematoma_volume_ml", "systolic_bp", "diastolic_bp", "onset_to_ct_hours")
_CORRELATION = np.array(
    [
        [1.00, 0.00, -0.05, -0.05, -0.35, 0.05],
        [0.00, 1.00, -0.30, -0.10, -0.05, 0.12],
        [-0.05, -0.30, 1.00, 0.08, 0.08, -0.10],
        [-0.05, -0.10, 0.08, 1.00, 0.62, -0.05],
        [-0.35, -0.05, 0.08, 0.62, 1.00, 0.00],
        [0.05, 0.12, -0.10, -0.05, 0.00, 1.00],
    ]
)
_LOGARITHMIC = {"hematoma_volume_ml", "onset_to_ct_hours"}
_SMALLEST_PULSE_PRESSURE = 15


def draw_pool(rng: np.random.Generator, size: int) -> pd.DataFrame:
    """Draw `size` patients, each outcome group near its published margins.

    Columns: the variables of the published tables under the names of the case report form, plus ``male`` and
    ``infratentorial`` (bool). Units: years, mL, mmHg, hours.
    """
    poor = round(size * tables.GROUP_SIZES[1] / sum(tables.GROUP_SIZES))
    groups = [_draw_group(rng, size - poor, poor=False), _draw_group(rng, poor, poor=True)]
    return pd.concat(groups, ignore_index=True)


def ich_scores(patients: pd.DataFrame) -> NDArray[np.int64]:
    """ICH score (Hemphill 2001) of every row; the same as ``ml.scores.ich_score``, all rows at once."""
    gcs, volume = patients["gcs"].to_numpy(), patients["hematoma_volume_ml"].to_numpy()
    points = np.where(gcs >= 13, 0, np.where(gcs >= 5, 1, 2)) + (volume >= 30) + (patients["age"].to_numpy() >= 80)
    scores: NDArray[np.int64] = points + patients["ivh"].to_numpy() + _infratentorial(patients)
    return scores


def ich_gs_scores(patients: pd.DataFrame) -> NDArray[np.int64]:
    """ICH-GS (Ruiz-Sandoval 2007) of every row; the same as ``ml.scores.ich_gs``, all rows at once."""
    gcs, volume, age = (patients[name].to_numpy() for name in ("gcs", "hematoma_volume_ml", "age"))
    infratentorial = _infratentorial(patients)
    middle, high = np.where(infratentorial, 10, 40), np.where(infratentorial, 20, 70)
    points = 5 + (age >= 45).astype(np.int64) + (age >= 65) + (gcs <= 12) + (gcs <= 8) + infratentorial
    scores: NDArray[np.int64] = points + (volume >= middle) + (volume > high) + patients["ivh"].to_numpy()
    return scores


def largest_volumes(site: NDArray[np.str_]) -> Floats:
    """Volume in mL that the anatomy holds at each of the sites; the same limits as the head phantom's."""
    return np.array([MAX_VOLUME_ML[Site(name)] for name in site], dtype=np.float64)


def _infratentorial(patients: pd.DataFrame) -> Bools:
    return (patients["location"] == "infratentorial").to_numpy(dtype=bool)


def _draw_group(rng: np.random.Generator, size: int, *, poor: bool) -> pd.DataFrame:
    measured = _draw_measured(rng, size, poor=poor)
    measured["poor_outcome"] = np.full(size, poor)
    infratentorial = rng.random(size) < tables.INFRATENTORIAL_SHARE[poor]
    # Posterior fossa bleeds are small: there is little room.
    measured["hematoma_volume_ml"] *= np.where(infratentorial, 0.45, 1.0)
    site = _draw_site(rng, measured["hematoma_volume_ml"], infratentorial)
    volume = measured["hematoma_volume_ml"]
    largest = largest_volumes(site)
    volume = np.where(volume > largest, largest * rng.uniform(0.3, 1.0, size), volume)
    measured["hematoma_volume_ml"] = np.round(np.maximum(volume, tables.RANGES["hematoma_volume_ml"][0]), 2)
    measured["location"] = np.where(infratentorial, "infratentorial", "supratentorial")
    measured["bleed_site"] = site
    _add_history(rng, measured, poor=poor)
    _add_ivh_and_treatment(rng, measured, poor=poor)
    return pd.DataFrame(measured)


def _draw_measured(rng: np.random.Generator, size: int, *, poor: bool) -> dict[str, NDArray[Any]]:
    """Draw age, GCS, volume, pressures and onset-to-CT by a Gaussian copula on their published quartiles."""
    # Cholesky by hand on purpose: multivariate_normal goes through an SVD, whose signs differ between machines.
    normal = rng.standard_normal((size, len(_MEASURED))) @ np.linalg.cholesky(_CORRELATION).T
    drawn: dict[str, NDArray[Any]] = {}
    for column, name in enumerate(_MEASURED):
        if name != "gcs":
            drawn[name] = _at_quantile(name, normal[:, column], poor=poor)
    shares = np.array([pair[poor] for pair in tables.GCS_PERCENT.values()])
    cumulative = np.cumsum(shares / shares.sum())[:-1]
    drawn["gcs"] = 3 + np.searchsorted(cumulative, ndtr(normal[:, 1]), side="right")
    drawn["age"] = np.round(drawn["age"]).astype(np.int64)
    drawn["systolic_bp"] = _as_read_off_a_cuff(rng, drawn["systolic_bp"])
    diastolic = _as_read_off_a_cuff(rng, drawn["diastolic_bp"])
    drawn["diastolic_bp"] = np.minimum(diastolic, drawn["systolic_bp"] - _SMALLEST_PULSE_PRESSURE)
    drawn["onset_to_ct_hours"] = _as_told_by_family(rng, drawn["onset_to_ct_hours"])
    return drawn


def _at_quantile(name: str, normal: Floats, *, poor: bool) -> Floats:
    """Quantile function through the group's published quartiles and the assumed ends, at normal scores."""
    spread = tables.QUARTILES[name]
    quartiles = (spread.poor or tables.POOR_ONSET_SHAPE) if poor else spread.favorable
    lowest, highest = tables.RANGES[name]
    knots = np.array([lowest, *quartiles, highest])
    if name in _LOGARITHMIC:
        knots = np.log(knots)
    scores = np.array([-3.5, -0.6744897501960817, 0.0, 0.6744897501960817, 3.5])
    values = PchipInterpolator(scores, knots)(np.clip(normal, -3.5, 3.5))
    return np.asarray(np.exp(values) if name in _LOGARITHMIC else values, dtype=np.float64)


def _as_read_off_a_cuff(rng: np.random.Generator, pressure: Floats) -> NDArray[np.int64]:
    """Whole mmHg; one reading in four rounded to a ten, as staff do."""
    tens = rng.random(pressure.size) < 0.25
    return np.where(tens, np.round(pressure / 10) * 10, np.round(pressure)).astype(np.int64)


def _as_told_by_family(rng: np.random.Generator, hours: Floats) -> Floats:
    """Onset times are mostly told in whole hours, some in half hours, few exactly."""
    habit = rng.random(hours.size)
    half = np.maximum(np.round(hours * 2) / 2, 0.5)
    told = np.where(habit < 0.55, np.maximum(np.round(hours), 1.0), np.where(habit < 0.8, half, np.round(hours, 1)))
    return np.asarray(told, dtype=np.float64)


def _draw_site(rng: np.random.Generator, volume: Floats, infratentorial: Bools) -> NDArray[np.str_]:
    """Where the bleed lies: small ones deep (thalamus, brainstem), large ones more often in a lobe."""
    lobes = np.array(["lobar_frontal", "lobar_temporal", "lobar_parietal", "lobar_occipital"])
    lobe = rng.choice(lobes, size=volume.size, p=[0.30, 0.28, 0.27, 0.15])
    lobar = rng.random(volume.size) < expit(-1.6 + 0.012 * volume)
    thalamic = rng.random(volume.size) < expit(0.1 - 0.06 * volume)
    above = np.where(lobar, lobe, np.where(thalamic, "thalamus", "basal_ganglia"))
    below = np.where(rng.random(volume.size) < expit(1.6 - 0.16 * volume), "brainstem", "cerebellum")
    return np.where(infratentorial, below, above)


def _add_history(rng: np.random.Generator, drawn: dict[str, NDArray[Any]], *, poor: bool) -> None:
    """Add sex, history and habits: each at its published rate, leaning on what it goes with in practice."""
    age = (np.asarray(drawn["age"], dtype=np.float64) - 60) / 10
    systolic = (np.asarray(drawn["systolic_bp"], dtype=np.float64) - 171) / 25

    def add(name: str, leaning: Floats) -> Floats:
        drawn[name] = _bernoulli(rng, leaning, _rate(tables.RATES, name, poor=poor))
        return drawn[name].astype(np.float64)

    male = add("male", -0.25 * age)
    pressure = add("hypertension", 0.15 * age + 0.5 * systolic)
    diabetes = add("diabetes_mellitus", 0.2 * age + 0.8 * pressure)
    add("hyperlipidemia", 0.1 * age + 1.0 * diabetes)
    coronary = add("coronary_heart_disease", 0.5 * age + 0.5 * pressure + 0.5 * diabetes)
    rhythm = add("arrhythmia", 0.5 * age + 0.8 * coronary)
    add("heart_failure", 0.4 * age + 1.5 * coronary)
    add("history_hemorrhagic_stroke", 0.15 * age + 0.4 * pressure)
    ischemic = add("history_ischemic_stroke", 0.4 * age + 0.5 * pressure + 0.3 * diabetes)
    add("anticoagulant_therapy", 0.2 * age + 3.0 * rhythm)
    add("antiplatelet_therapy", 0.2 * age + 2.5 * ischemic + 1.8 * coronary)
    smoking = add("smoking", 3.0 * male - 0.1 * age)
    add("alcohol", 2.6 * male - 0.15 * age + 1.0 * smoking)


def _add_ivh_and_treatment(rng: np.random.Generator, drawn: dict[str, NDArray[Any]], *, poor: bool) -> None:
    """Add extension to the ventricles and treatment, both leaning on GCS, volume and site."""
    deficit = 13.0 - np.asarray(drawn["gcs"], dtype=np.float64)
    excess = np.asarray(drawn["hematoma_volume_ml"], dtype=np.float64) - 22.0
    site = drawn["bleed_site"]
    leaning = 0.10 * deficit + 0.006 * excess + 1.3 * (site == "thalamus") + 0.4 * (site == "cerebellum")
    drawn["ivh"] = _bernoulli(rng, leaning, _rate(tables.RATES, "ivh", poor=poor))
    operable = 0.05 * deficit + 0.012 * excess - 2.5 * (site == "brainstem")
    surgery = _bernoulli(rng, operable, 1 - _rate(tables.TREATMENT, "cmt", poor=poor))
    open_share = tables.TREATMENT["cc"][poor] / (tables.TREATMENT["cc"][poor] + tables.TREATMENT["mia"][poor])
    craniotomy = rng.random(surgery.size) < expit(np.log(open_share / (1 - open_share)) + 0.01 * excess)
    drawn["treatment"] = np.where(surgery, np.where(craniotomy, "cc", "mia"), "cmt")


def _rate(counts: Mapping[str, tuple[int, int]], name: str, *, poor: bool) -> float:
    return counts[name][poor] / tables.GROUP_SIZES[poor]


def _bernoulli(rng: np.random.Generator, leaning: Floats, rate: float) -> Bools:
    """Yes or no at the given mean rate, more often where `leaning` (log-odds) is high."""
    intercept = brentq(lambda level: float(np.mean(expit(level + leaning))) - rate, -30.0, 30.0)
    return np.asarray(rng.random(leaning.size) < expit(intercept + leaning), dtype=bool)
