"""From the row of a prediction or an explanation to its numbers, by nothing but what the row names.

So they can be computed again at any time.
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _

from apps.core import store
from apps.core.errors import Refusal
from apps.crf.conditions import Value
from apps.crf.models import CrfForm
from apps.crf.selectors import values_at
from apps.experiments.services import model_folder
from apps.imaging import geometry
from apps.predictions.models import Explanation, Prediction
from ml import explanation, inference
from ml.arrays import from_npy

if TYPE_CHECKING:
    from ml.training.config import Arm


@lru_cache(maxsize=1)  # twenty-five networks of full size hold gigabytes
def _load(folder: Path, digest: str) -> "inference.Model":
    model = inference.load_model(folder)
    if model.digest != digest:
        raise Refusal("model_changed", _("The model's files are not those that were trained. Tell the administrator."))
    return model


def compute(prediction: Prediction, tensor: str) -> "inference.Prediction":
    """Predict from a stored image and the form as it was when the prediction was asked for."""
    model = _load(model_folder(prediction.experiment), prediction.experiment.model_digest)
    return model.predict(_image(tensor), _record(prediction))


def explain(row: Explanation) -> "explanation.Explanation":
    """Explain a prognosis from the stored image and the form as it was when the prognosis was computed."""
    model = _load(model_folder(row.experiment), row.experiment.model_digest)
    clinical = _record(row)
    # What the prognosis filled in, its explanation fills in.
    filled = model.missing(clinical) if row.arm != "imaging" else ()
    folds = None if row.fold is None else (row.fold,)
    arm = cast("Arm", row.arm)
    return explanation.explain(model, _image(row.tensor), clinical, arm=arm, may_impute=filled, folds=folds)


def map_on_slices(row: Explanation, found: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Bring a map from the network's box to the slices of the CT."""
    series = row.series
    return explanation.map_on_ct(found, series.preprocessing_report["affine"], geometry.from_json(series.geometry))


def _image(tensor: str) -> npt.NDArray[np.float16]:
    return from_npy(store.get(tensor))


def _record(row: Prediction | Explanation) -> dict[str, Value]:
    form = CrfForm.objects.filter(main_of=row.patient).first()
    return values_at(form, row.form_version) if form else {}
