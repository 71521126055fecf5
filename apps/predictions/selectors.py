"""Reading a patient's prognosis: scores, cross-validated results and predictions."""

from dataclasses import dataclass

from apps.annotation.selectors import current_mask
from apps.cohorts.scores import Score, score_patient
from apps.crf.models import CrfForm
from apps.experiments.models import ARM_ORDER, Experiment, PatientResult
from apps.experiments.selectors import asks_as_now, serving_experiment
from apps.patients.models import Patient
from apps.predictions.models import Explanation, Prediction


@dataclass(frozen=True)
class Prognosis:
    """What the serving model says of a patient: cross-validated results, or a prediction, or neither."""

    experiment: Experiment | None
    results: list[PatientResult]
    prediction: Prediction | None
    # The forms ask otherwise since the model was trained, so it says nothing new of anybody.
    is_outdated: bool = False

    @property
    def has_probability(self) -> bool:
        """A number is shown."""
        return bool(self.results) or (self.prediction is not None and self.prediction.probability is not None)


def scores_of(patient: Patient) -> list[Score]:
    """Return the patient's scores as of now."""
    form = CrfForm.objects.filter(main_of=patient).first()
    return score_patient(form.values if form else {}, current_mask(patient))


def prognosis_of(patient: Patient) -> Prognosis:
    """Return what the serving model says of a patient."""
    experiment = serving_experiment()
    if experiment is None:
        return Prognosis(None, [], None)
    found = PatientResult.objects.filter(experiment=experiment, patient=patient)
    results = sorted(found, key=lambda result: ARM_ORDER.index(result.arm))
    prediction = newest_prediction(patient, experiment) if not results else None
    return Prognosis(experiment, results, prediction, not asks_as_now(experiment))


def newest_prediction(patient: Patient, experiment: Experiment) -> Prediction | None:
    """Return the newest prediction of a patient by one experiment's model."""
    found = Prediction.objects.filter(patient=patient, experiment=experiment).select_related("job", "series")
    return found.order_by("-created_at", "-pk").first()


def explanation_of(patient: Patient, prognosis: Prognosis) -> Explanation | None:
    """Return the explanation of the very number that is shown; one of another model, CT or form is none."""
    if not prognosis.has_probability:
        return None
    found = Explanation.objects.filter(patient=patient, experiment=prognosis.experiment)
    if not prognosis.results and (made := prognosis.prediction) is not None:
        found = found.filter(tensor=made.tensor, form_version=made.form_version)
    return found.select_related("job", "series", "experiment").order_by("-created_at", "-pk").first()


def probabilities(patients: list[Patient]) -> dict[int, float]:
    """Return {patient pk: P(poor outcome)} of the fusion model (else the imaging model), for a page of the list."""
    experiment = serving_experiment()
    if experiment is None:
        return {}
    found: dict[int, float] = {}
    predictions = Prediction.objects.filter(patient__in=patients, experiment=experiment, probability__isnull=False)
    rows = predictions.order_by("created_at").values_list("patient_id", "probability")
    found.update((patient, value) for patient, value in rows if value is not None)
    results = PatientResult.objects.filter(patient__in=patients, experiment=experiment)
    for arm in reversed(ARM_ORDER):  # the first one is written last, and stays
        found.update(results.filter(arm=arm).values_list("patient_id", "probability"))
    return found
