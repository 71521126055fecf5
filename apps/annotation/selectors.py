"""Reading masks, always through the actor's centers."""

from io import BytesIO

import numpy as np
import numpy.typing as npt
from django.db.models import QuerySet

from apps.accounts.access import Actor
from apps.accounts.policy import Permission
from apps.annotation.models import Mask
from apps.core import store
from apps.imaging.models import Series
from apps.imaging.selectors import current_series
from apps.patients.models import Patient
from apps.patients.selectors import patients_visible_to


def masks_visible_to(actor: Actor) -> QuerySet[Mask]:
    """Return the masks of patients whose imaging the actor may see."""
    return Mask.objects.filter(patient__in=patients_visible_to(actor, Permission.VIEW_IMAGING))


def newest_mask(series: Series | None) -> Mask | None:
    """Return the version that counts: the newest."""
    if series is None:
        return None
    return Mask.objects.filter(series=series).select_related("uploaded_by").order_by("-version").first()


def current_mask(patient: Patient) -> Mask | None:
    """Return the newest mask of the patient's current CT."""
    return newest_mask(current_series(patient))


def current_masks(patients: list[Patient]) -> dict[int, Mask]:
    """Return {patient pk: newest mask of the newest usable CT}, in one query for many patients."""
    found: dict[int, Mask] = {}
    rows = Mask.objects.filter(patient__in=patients).exclude(series__state=Series.State.FAILED)
    # Later rows win: the newest series, and of it the newest version. A newer CT without a mask has no volume.
    newest = dict(
        Series.objects.filter(patient__in=patients)
        .exclude(state=Series.State.FAILED)
        .order_by("uploaded_at", "pk")
        .values_list("patient_id", "pk")
    )
    for mask in rows.order_by("version").only("patient_id", "series_id", "version", "volume_ml", "abc2_ml", "sha256"):
        if newest.get(mask.patient_id) == mask.series_id:
            found[mask.patient_id] = mask
    return found


def load_labels(mask: Mask) -> npt.NDArray[np.uint8]:
    """Return the labels (z, y, x) on the series' slices, foot to head."""
    with np.load(BytesIO(store.get(mask.file))) as archive:
        labels: npt.NDArray[np.uint8] = archive["mask"]
    return labels


def overlay(series: Series) -> npt.NDArray[np.bool_] | None:
    """Return the newest mask of a series for drawing."""
    mask = newest_mask(series)
    return None if mask is None else load_labels(mask) > 0
