"""How well the probabilities of a run agree with what happened, out of fold."""

from dataclasses import dataclass

from apps.cohorts.selectors import load_included
from apps.experiments.models import Experiment, PatientResult
from ml.statistics import Calibration, StatisticsError, calibration


@dataclass(frozen=True)
class ArmCalibration:
    """The calibration of one arm; None where it is not defined."""

    arm: str
    n: int
    figures: Calibration | None
    # Of the line by which the networks' own word is recalibrated: below 1, they tell risks too extreme.
    line_slope: float | None


def calibrations_of(experiment: Experiment) -> list[ArmCalibration]:
    """Return the out-of-fold calibration of each arm."""
    results = PatientResult.objects.filter(experiment=experiment, split=PatientResult.Split.CROSS_VALIDATION)
    rows = list(results.values_list("arm", "patient__study_id", "probability"))
    if not rows:
        return []
    cohort = load_included(experiment.snapshot)
    outcome = dict(zip(cohort["study_id"], cohort["poor_outcome"], strict=True))
    found = []
    for arm in sorted({row[0] for row in rows}):
        own = [(outcome[study_id], probability) for of_arm, study_id, probability in rows if of_arm == arm]
        try:
            figures = calibration([poor for poor, _ in own], [probability for _, probability in own])
        except StatisticsError:
            figures = None
        lines = experiment.card.get("recalibration", {}).get(arm)
        found.append(ArmCalibration(arm, len(own), figures, lines["line"]["slope"] if lines else None))
    return found
