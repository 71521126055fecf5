"""The CT on the patient page and in the patient list."""

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import has_permission
from apps.accounts.policy import Permission
from apps.imaging.models import Series
from apps.imaging.selectors import current_series
from apps.imaging.slices import overlays
from apps.imaging.views import job_context
from apps.patients.models import Patient
from apps.patients.page import Column, Filter, Section


def context(request: HttpRequest, patient: Patient) -> dict[str, Any]:
    series = current_series(patient)
    found: dict[str, Any] = {
        "patient": patient,
        "series": series,
        "can_upload": has_permission(request.user, Permission.UPLOAD_CT, patient.center),
    }
    if series is None:
        return found
    url = reverse("imaging:slice", args=[patient.study_id, series.pk, 0]).replace("/0.png", "/{index}.png")
    shape = series.geometry
    return (
        found
        | job_context(series)
        | {
            "slice_url": url,
            "slice_info": [
                {"index": index, "offset_mm": offset, "extent_mm": extent}
                for index, (offset, extent) in enumerate(zip(shape["offsets"], shape["extents"], strict=True))
            ],
            "first_url": url.replace("{index}", str(series.slice_count // 2)),
            "has_mask": any(provider(series) is not None for provider in overlays),
        }
    )


def load_state(patients: list[Patient]) -> dict[int, Any]:
    """Return each patient's newest series' state."""
    rows = Series.objects.filter(patient__in=patients).order_by("uploaded_at").values_list("patient_id", "state")
    return {patient: Series.State(state).label for patient, state in rows}


def filter_ct(patients: QuerySet[Patient], choice: str) -> QuerySet[Patient]:
    ready = Exists(Series.objects.filter(patient=OuterRef("pk"), state=Series.State.READY))
    return patients.filter(ready if choice == "ready" else ~ready)


PARTS = (
    Section("ct", 20, _("Head CT"), Permission.VIEW_IMAGING, "imaging/section.html", context),
    Column("ct", 60, _("CT"), Permission.VIEW_IMAGING, load_state),
    Filter(
        "ct",
        20,
        _("Head CT"),
        Permission.VIEW_IMAGING,
        lambda: [("ready", _("ready")), ("missing", _("not ready"))],
        filter_ct,
    ),
)
