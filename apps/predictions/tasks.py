"""Prediction and its explanation on a worker."""

from django.utils.translation import gettext as _

from apps.core.errors import Refusal
from apps.core.jobs import JobHandle, durable_task
from apps.predictions import compute, explanation, services
from apps.predictions.models import Explanation, Prediction


@durable_task(queue="imaging")
def predict(job: JobHandle, *, prediction_id: int) -> None:
    """Compute one prediction from the stored image and the form as it was when it was asked for."""
    prediction = Prediction.objects.select_related("experiment", "series", "patient__center").get(pk=prediction_id)
    if prediction.probability is not None:
        return
    job.report("Predicting", 0.2)
    tensor = prediction.series.tensor
    _check_version(prediction)
    result = compute.compute(prediction, tensor)
    services.save_prediction(prediction=prediction, result=result, tensor=tensor)


@durable_task(queue="imaging")
def explain(job: JobHandle, *, explanation_id: int) -> None:
    """Compute what the models looked at for a prognosis, and bring the map to the CT's slices."""
    rows = Explanation.objects.select_related("experiment", "series", "patient")
    row = rows.get(pk=explanation_id)
    if row.is_ready:
        return
    job.report("Asking the models", 0.1)
    _check_version(row)
    result = compute.explain(row)
    job.report("Bringing the map to the CT", 0.8)
    levels = None if result.map is None else compute.map_on_slices(row, result.map)
    explanation.save_explanation(explanation=row, result=result, levels=levels)


def _check_version(row: Prediction | Explanation) -> None:
    if row.series.preprocessing_version != row.experiment.card.get("preprocessing_version"):
        raise Refusal(
            "preprocessing_differs",
            _("The CT was preprocessed by another version than the model's images. Promote a model of this version."),
        )
