"""Reading masks, always through the actor's centers."""

import numpy as np
import numpy.typing as npt
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from apps.accounts.access import Actor
from apps.accounts.policy import Permission
from apps.annotation import files
from apps.annotation.double_reading.blinding import unseen_by
from apps.annotation.models import DoubleReading, Mask
from apps.imaging.models import Series
from apps.imaging.selectors import chosen_series
from apps.patients.models import Patient
from apps.patients.selectors import patients_visible_to
from ml.hematoma import Label

APPROVED = Mask.State.APPROVED


def masks_visible_to(actor: Actor) -> QuerySet[Mask]:
    """Return the masks of patients whose imaging the actor may see, but for those to which he is blind."""
    visible = Mask.objects.filter(patient__in=patients_visible_to(actor, Permission.VIEW_IMAGING))
    return visible.exclude(unseen_by(actor))


def approved_mask(series: Series | None) -> Mask | None:
    """Return the version that counts: the newest that was approved."""
    if series is None:
        return None
    return Mask.objects.filter(series=series, state=APPROVED).select_related("uploaded_by").order_by("-version").first()


def current_mask(patient: Patient) -> Mask | None:
    """Return the approved mask of the patient's current CT; a CT that preprocessing refused has none that counts."""
    return approved_mask(chosen_series().filter(patient=patient).first())


def current_masks(patients: list[Patient]) -> dict[int, Mask]:
    """Return {patient pk: `current_mask`}, in one query for many patients. A newer CT without a mask has no volume."""
    series = chosen_series().filter(patient=OuterRef("patient")).values("pk")[:1]
    version = Mask.objects.filter(series=OuterRef("series"), state=APPROVED).order_by("-version").values("pk")[:1]
    found = Mask.objects.filter(patient__in=patients, series=Subquery(series), pk=Subquery(version))
    return {mask.patient_id: mask for mask in found.defer("slice_areas_mm2")}


def waiting_masks() -> QuerySet[Mask]:
    """Return the versions that wait for review: submitted, and overtaken by no later one, approved or by the same.

    Of the two of a double reading none waits while it is open, and none once either, or a third, was approved.
    """
    later = Mask.objects.filter(series=OuterRef("series"), version__gt=OuterRef("version"))
    overtaking = Q(state=APPROVED) | Q(uploaded_by=OuterRef("uploaded_by"))
    waiting = Mask.objects.filter(~Exists(later.filter(overtaking)), state=Mask.State.SUBMITTED)
    of_two = DoubleReading.objects.filter(Q(first_mask=OuterRef("pk")) | Q(second_mask=OuterRef("pk")))
    settled = Q(closed_at=None) | Exists(Mask.objects.filter(series=OuterRef("series"), state=APPROVED))
    return waiting.exclude(Exists(of_two.filter(settled)))


class MaskOverlay:
    """The mask that counts, for the slice viewer."""

    def areas(self, series: Series) -> list[float]:
        """Return the mask's area on each slice in mm2; an empty list where there is no mask."""
        mask = approved_mask(series)
        return [] if mask is None else mask.slice_areas_mm2

    def region(self, series: Series, index: int) -> npt.NDArray[np.bool_] | None:
        """Return the mask on one slice; only that slice is unpacked, and none where the mask is not."""
        mask = approved_mask(series)
        if mask is None or not mask.slice_areas_mm2[index]:
            return None
        return load_slice_hematoma(mask, index)


def load_slice_hematoma(mask: Mask, index: int) -> npt.NDArray[np.bool_]:
    """Return the parenchymal hematoma (y, x) on one slice of the series, counted from the foot."""
    return _known(mask, files.load_slice(mask.file, index)) == Label.PARENCHYMAL


def load_hematoma(mask: Mask) -> npt.NDArray[np.bool_]:
    """Return the parenchymal hematoma (z, y, x) on the series' slices, foot to head."""
    return load_labels(mask) == Label.PARENCHYMAL


def load_labels(mask: Mask) -> npt.NDArray[np.uint8]:
    """Return the labels (z, y, x) on the series' slices, foot to head; see `ml.hematoma.Label`."""
    return _known(mask, files.load(mask.file, len(mask.slice_areas_mm2)))


def _known(mask: Mask, labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """In a mask from before there were labels, whatever is not 0 is hematoma."""
    return labels if mask.label_ml else (labels > 0).astype(np.uint8) * np.uint8(Label.PARENCHYMAL)
