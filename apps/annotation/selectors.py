"""Reading masks, always through the actor's centers."""

from io import BytesIO

import numpy as np
import numpy.typing as npt
from django.db.models import OuterRef, QuerySet, Subquery

from apps.accounts.access import Actor
from apps.accounts.policy import Permission
from apps.annotation.models import Mask
from apps.core import store
from apps.imaging.models import Series
from apps.imaging.selectors import chosen_series
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
    """Return the newest mask of the patient's current CT; a CT that preprocessing refused has none that counts."""
    return newest_mask(chosen_series().filter(patient=patient).first())


def current_masks(patients: list[Patient]) -> dict[int, Mask]:
    """Return {patient pk: `current_mask`}, in one query for many patients. A newer CT without a mask has no volume."""
    series = chosen_series().filter(patient=OuterRef("patient")).values("pk")[:1]
    version = Mask.objects.filter(series=OuterRef("series")).order_by("-version").values("pk")[:1]
    found = Mask.objects.filter(patient__in=patients, series=Subquery(series), pk=Subquery(version))
    return {mask.patient_id: mask for mask in found.defer("slice_areas_mm2")}


class MaskOverlay:
    """The newest mask of a series for the slice viewer."""

    def areas(self, series: Series) -> list[float]:
        """Return the mask's area on each slice in mm2; an empty list where there is no mask."""
        mask = newest_mask(series)
        return [] if mask is None else mask.slice_areas_mm2

    def region(self, series: Series, index: int) -> npt.NDArray[np.bool_] | None:
        """Return the mask on one slice; only that slice is unpacked, and none where the mask is not."""
        mask = newest_mask(series)
        if mask is None or not mask.slice_areas_mm2[index]:
            return None
        return load_slice_labels(mask, index) > 0


def load_slice_labels(mask: Mask, index: int) -> npt.NDArray[np.uint8]:
    """Return the labels (y, x) on one slice of the series, counted from the foot."""
    with np.load(BytesIO(store.get(mask.file))) as archive:
        labels: npt.NDArray[np.uint8] = archive[slice_key(index)]
    return labels


def load_labels(mask: Mask) -> npt.NDArray[np.uint8]:
    """Return the labels (z, y, x) on the series' slices, foot to head."""
    with np.load(BytesIO(store.get(mask.file))) as archive:
        return np.stack([archive[slice_key(index)] for index in range(len(mask.slice_areas_mm2))])


def slice_key(index: int) -> str:
    """Return the name of a slice's array in the file of a mask."""
    return f"slice{index:04d}"
