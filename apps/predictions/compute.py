"""From a prediction's row to its number, by nothing but what the row names: so it can be computed again at any time."""

from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
from django.utils.translation import gettext as _

from apps.core import store
from apps.core.errors import Refusal
from apps.crf.models import CrfForm
from apps.crf.selectors import values_at
from apps.experiments.services import model_folder
from apps.predictions.models import Prediction
from ml import inference


@lru_cache(maxsize=2)
def _load(folder: Path, digest: str) -> "inference.Model":
    model = inference.load_model(folder)
    if model.digest != digest:
        raise Refusal("model_changed", _("The model's files are not those that were trained. Tell the administrator."))
    return model


def compute(prediction: Prediction, tensor: str) -> "inference.Prediction":
    """Predict from a stored image and the form as it was when the prediction was asked for."""
    model = _load(model_folder(prediction.experiment), prediction.experiment.model_digest)
    form = CrfForm.objects.filter(patient=prediction.patient).first()
    clinical = values_at(form, prediction.form_version) if form else {}
    return model.predict(np.load(BytesIO(store.get(tensor))), clinical)
