"""What the published tables do not give: symptoms, scales at discharge and the like, drawn to fit each patient.

Every number in this module is an assumption of ordinary clinical size, not a finding; none of it touches a published
margin. The limits are those of a consistent case report form: coma only with GCS 3-8, death as GOS 1 and mRS 6, a
midline bleed only below the tentorium, care withdrawn only from patients with a poor outcome.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def add_details(rng: np.random.Generator, patients: pd.DataFrame) -> pd.DataFrame:
    """Return the patients with the remaining variables of the case report form."""
    deficit = 15.0 - patients["gcs"].to_numpy(dtype=np.float64)
    volume = patients["hematoma_volume_ml"].to_numpy(dtype=np.float64)
    site = patients["bleed_site"].to_numpy(dtype=str)
    patients = patients.assign(
        bleed_side=_side(rng, site),
        nihss=_nihss(rng, deficit, volume),
        cognitive_impairment=_happens(rng, -6.4 + 0.055 * patients["age"].to_numpy(dtype=np.float64)),
        **_symptoms(rng, patients, deficit, volume),
        **_other_compartments(rng, site, volume),
    )
    gos = _gos(rng, patients["poor_outcome"].to_numpy(dtype=bool), severity_of(patients))
    return patients.assign(
        gos_discharge=gos,
        mrs_discharge=_mrs(rng, gos),
        withdrawal_of_care=rng.random(gos.size) < np.array([0.0, 0.30, 0.12, 0.02, 0.0, 0.0])[gos],
    )


def severity_of(patients: pd.DataFrame) -> Floats:
    """How ill the patient arrives, about mean 0 and SD 1 over the cohort: GCS and volume alike."""
    gcs = (11.4 - patients["gcs"].to_numpy(dtype=np.float64)) / 3.6
    volume = np.log(patients["hematoma_volume_ml"].to_numpy(dtype=np.float64) / 21.0) / 0.95
    return np.asarray((gcs + volume) / 1.65, dtype=np.float64)


def _happens(rng: np.random.Generator, log_odds: Floats) -> Bools:
    return np.asarray(rng.random(log_odds.size) < expit(log_odds), dtype=bool)


def _side(rng: np.random.Generator, site: NDArray[np.str_]) -> NDArray[np.str_]:
    """Most brainstem bleeds and some cerebellar ones (vermis) cross the midline; none above the tentorium does."""
    crosses = np.where(site == "brainstem", 0.60, np.where(site == "cerebellum", 0.15, 0.0))
    side = np.where(rng.random(site.size) < 0.51, "left", "right")
    return np.where(rng.random(site.size) < crosses, "midline", side)


def _symptoms(
    rng: np.random.Generator, patients: pd.DataFrame, deficit: Floats, volume: Floats
) -> dict[str, NDArray[np.generic]]:
    """Coma is read from the GCS; who is comatose cannot complain of headache."""
    coma = (deficit >= 7) & (rng.random(deficit.size) < np.where(deficit >= 9, 0.98, 0.80))
    cerebellar = (patients["bleed_site"] == "cerebellum").to_numpy(dtype=np.float64)
    pressure = 0.015 * volume + 0.4 * patients["ivh"].to_numpy(dtype=np.float64) + 0.8 * cerebellar
    headache = _happens(rng, -0.3 + pressure) & (~coma | (rng.random(coma.size) < 0.3))
    return {"coma": coma, "headache": headache, "emesis": _happens(rng, -0.9 + pressure + 0.05 * deficit)}


def _other_compartments(rng: np.random.Generator, site: NDArray[np.str_], volume: Floats) -> dict[str, Bools]:
    """Blood that reached the subarachnoid or subdural space (lobar, large); extradural blood is a rarity."""
    lobar = np.char.startswith(site, "lobar")
    return {
        "subarachnoid": _happens(rng, -3.4 + 1.5 * lobar + 0.015 * volume),
        "subdural": _happens(rng, -5.0 + 1.6 * lobar + 0.012 * volume),
        "extradural": rng.random(volume.size) < 0.002,
    }


def _nihss(rng: np.random.Generator, deficit: Floats, volume: Floats) -> Integers:
    """NIHSS 0-42: rises with the GCS deficit and the volume; a comatose patient scores high."""
    points = 4.0 + 2.2 * deficit + 0.07 * volume + rng.normal(0.0, 1.0, deficit.size) * (2.5 + 0.2 * deficit)
    lowest = np.where(deficit >= 7, 14.0, np.where(deficit >= 3, 2.0, 0.0))
    highest = np.where(deficit == 0, 20.0, np.where(deficit < 7, 32.0, 42.0))
    return np.round(np.clip(points, lowest, highest)).astype(np.int64)


def _gos(rng: np.random.Generator, poor: Bools, severity: Floats) -> Integers:
    """GOS at discharge within the outcome group: an ordered logistic draw on severity."""
    chance = rng.random(poor.size)
    dead = expit(-2.6 + 0.9 * severity)
    vegetative_or_dead = expit(-1.5 + 0.9 * severity)
    poor_grade = np.where(chance < dead, 1, np.where(chance < vegetative_or_dead, 2, 3))
    favorable_grade = np.where(chance < expit(0.1 + 0.6 * severity), 4, 5)
    return np.where(poor, poor_grade, favorable_grade).astype(np.int64)


def _mrs(rng: np.random.Generator, gos: Integers) -> Integers:
    """mRS that fits the GOS: 1 is 6, 2 is 5, 3 is 4-5, 4 is 2-3, 5 is 0-1."""
    lower = np.array([0, 6, 5, 4, 2, 0])[gos]
    worse = np.array([0.0, 0.0, 0.0, 0.30, 0.50, 0.65])[gos]
    return (lower + (rng.random(gos.size) < worse)).astype(np.int64)
