"""Prediction on a worker."""

from django.utils.translation import gettext as _

from apps.core.errors import Refusal
from apps.core.jobs import JobHandle, durable_task
from apps.predictions import services
from apps.predictions.compute import compute
from apps.predictions.models import Prediction


@durable_task(queue="imaging")
def predict(job: JobHandle, *, prediction_id: int) -> None:
    """Compute one prediction from the stored image and the form as it was when it was asked for."""
    prediction = Prediction.objects.select_related("experiment", "series", "patient__center").get(pk=prediction_id)
    if prediction.probability is not None:
        return
    job.report("Predicting", 0.2)
    tensor = prediction.series.tensor
    if prediction.series.preprocessing_version != prediction.experiment.card.get("preprocessing_version"):
        raise Refusal(
            "preprocessing_differs",
            _("The CT was preprocessed by another version than the model's images. Promote a model of this version."),
        )
    result = compute(prediction, tensor)
    services.save_prediction(prediction=prediction, result=result, tensor=tensor)
