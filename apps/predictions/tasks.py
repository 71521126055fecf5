"""Prediction on a worker."""

import hashlib
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
from django.utils.translation import gettext as _

from apps.core import store
from apps.core.errors import Refusal
from apps.core.jobs import JobHandle, durable_task
from apps.crf.models import CrfForm
from apps.crf.selectors import values_at
from apps.experiments.services import model_folder
from apps.predictions import services
from apps.predictions.models import Prediction
from ml import inference


@lru_cache(maxsize=2)
def _load(folder: Path, digest: str) -> "inference.Model":
    model = inference.load_model(folder)
    if model.digest != digest:
        raise Refusal("model_changed", _("The model's files are not those that were trained. Tell the administrator."))
    return model


@durable_task(queue="imaging")
def predict(job: JobHandle, *, prediction_id: int) -> None:
    """Compute one prediction from the stored image and the form as it was when it was asked for."""
    prediction = Prediction.objects.select_related("experiment", "series", "patient__center").get(pk=prediction_id)
    if prediction.probability is not None:
        return
    job.report("Loading the model", 0.1)
    model = _load(model_folder(prediction.experiment), prediction.experiment.model_digest)
    if prediction.series.preprocessing_version != model.card.preprocessing_version:
        raise Refusal(
            "preprocessing_differs",
            _("The CT was preprocessed by another version than the model's images. Preprocess it again, then retry."),
        )
    tensor = store.get(prediction.series.tensor)
    form = CrfForm.objects.filter(patient=prediction.patient).first()
    clinical = values_at(form, prediction.form_version) if form else {}
    job.report("Predicting", 0.5)
    result = model.predict(np.load(BytesIO(tensor)), clinical)
    services.save_prediction(prediction=prediction, result=result, tensor_sha256=hashlib.sha256(tensor).hexdigest())
