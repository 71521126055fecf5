"""The hematoma on the patient page and in the patient list."""

from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import has_permission
from apps.accounts.policy import Permission
from apps.annotation.labels import amounts_of
from apps.annotation.meaning import meaning_of
from apps.annotation.models import Mask
from apps.annotation.selectors import approved_mask, current_masks, masks_visible_to
from apps.imaging.selectors import chosen_series, current_series
from apps.patients.models import Patient
from apps.patients.page import Column, Section


def context(request: HttpRequest, patient: Patient) -> dict[str, Any]:
    series = current_series(patient)
    mask = approved_mask(series)
    seen = masks_visible_to(request.user).filter(series=series).select_related("uploaded_by")
    newest = None if series is None else seen.order_by("-version").first()
    return {
        "patient": patient,
        "series": series,
        "mask": mask,
        "meaning": None if mask is None else meaning_of(mask),
        # A later version that does not count, or not yet.
        "pending": newest if newest != mask else None,
        "amounts": [] if mask is None else amounts_of(mask)[1:],
        "versions": 0 if newest is None else newest.version,
        "can_upload": has_permission(request.user, Permission.UPLOAD_MASK, patient.center),
    }


def summary(context: dict[str, Any]) -> str:
    """Return the volume, or that there is none."""
    mask = context["mask"]
    if mask is None and context["pending"]:
        return str(context["pending"].get_state_display())
    return gettext("no mask") if mask is None else f"{mask.volume_ml}\N{NARROW NO-BREAK SPACE}mL"


def load_volume(patients: list[Patient]) -> dict[int, Any]:
    """Return each patient's hematoma volume in mL."""
    return {pk: mask.volume_ml for pk, mask in current_masks(patients).items()}


def with_volume(patients: QuerySet[Patient]) -> QuerySet[Patient]:
    """Annotate each patient with the volume that `load_volume` shows, so that the list is sorted by what is seen."""
    series = chosen_series().filter(patient=OuterRef(OuterRef("pk"))).values("pk")[:1]
    approved = Mask.objects.filter(series=Subquery(series), state=Mask.State.APPROVED).order_by("-version")
    return patients.annotate(volume_ml=Subquery(approved.values("volume_ml")[:1]))


PARTS = (
    Section("mask", 30, _("Hematoma"), Permission.VIEW_IMAGING, "annotation/section.html", context, summary),
    Column(
        "volume",
        70,
        _("Hematoma"),
        Permission.VIEW_IMAGING,
        load_volume,
        unit="mL",
        sort="volume_ml",
        annotate=with_volume,
    ),
)
