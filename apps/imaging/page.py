"""The CT on the patient page and in the patient list."""

from typing import Any
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import has_permission
from apps.accounts.policy import Permission
from apps.imaging.choice import Verdict, propose
from apps.imaging.models import HeldInstance, Series
from apps.imaging.selectors import waiting_held
from apps.imaging.slices import mask_areas
from apps.imaging.views import job_context
from apps.patients.models import Patient
from apps.patients.page import Column, Filter, Section


def context(request: HttpRequest, patient: Patient) -> dict[str, Any]:
    judged = propose(patient)
    # The one that counts first, then the others as they are proposed.
    judged.sort(key=lambda pair: not pair[0].is_chosen)
    series = judged[0][0] if judged else None
    can_upload = has_permission(request.user, Permission.UPLOAD_CT, patient.center)
    found: dict[str, Any] = {
        "patient": patient,
        "series": series,
        "can_upload": can_upload,
        "has_archive": can_upload and patient.center.archives.filter(is_active=True).exists(),
        "held_count": waiting_held(patient).count() if can_upload else 0,
        "choice": patient.series_choices.select_related("chosen_by").first(),
        "candidates": [_candidate(patient, *pair) for pair in judged],
    }
    if series is None:
        return found
    found |= job_context(series, request.user)
    kernel = series.acquisition.get("ConvolutionKernel", "")
    found["kernel"] = ", ".join(kernel) if isinstance(kernel, list) else kernel
    found["viewer_url"] = f"/viewer/?{urlencode({'StudyInstanceUIDs': series.study.study_instance_uid})}"
    return found | (_slices(patient, series) if series.slice_count else {})


def _candidate(patient: Patient, series: Series, verdict: Verdict) -> dict[str, Any]:
    middle = series.slice_count // 2
    return {
        "series": series,
        "verdict": verdict,
        "thumbnail": reverse("imaging:slice", args=[patient.study_id, series.pk, middle]) if series.slice_count else "",
    }


def _slices(patient: Patient, series: Series) -> dict[str, Any]:
    url = reverse("imaging:slice", args=[patient.study_id, series.pk, 0]).replace("/0.png", "/{index}.png")
    areas = mask_areas(series)
    return {
        "slice_url": url,
        "slice_info": slice_info(series, areas),
        "first_url": url.replace("{index}", str(series.slice_count // 2)),
        "has_mask": bool(areas),
    }


def summary(context: dict[str, Any]) -> Any:
    """Return the state of the CT, or that there is none."""
    series = context["series"]
    return gettext("no CT") if series is None else series.get_state_display()


def slice_info(series: Series, areas: list[float]) -> list[dict[str, Any]]:
    """Return what the viewer says of each slice, from foot to head."""
    shape = series.geometry
    info = [
        {"index": index, "offset_mm": offset, "extent_mm": extent}
        for index, (offset, extent) in enumerate(zip(shape["offsets"], shape["extents"], strict=True))
    ]
    for entry, area in zip(info, areas, strict=False):
        entry["mask_area_mm2"] = area
    return info


def load_state(patients: list[Patient]) -> dict[int, Any]:
    """Return the state of the series that stands for each patient's CT."""
    rows = Series.objects.filter(patient__in=patients, modality="CT")
    rows = rows.order_by("-is_chosen", "-uploaded_at", "-pk")
    states: dict[int, Any] = {}
    for patient, state in rows.values_list("patient_id", "state"):
        states.setdefault(patient, Series.State(state).label)
    return states


def filter_ct(patients: QuerySet[Patient], choice: str) -> QuerySet[Patient]:
    if choice == "held":
        return patients.filter(Exists(HeldInstance.objects.filter(patient=OuterRef("pk"), decision="")))
    ready = Exists(Series.objects.filter(patient=OuterRef("pk"), is_chosen=True, state=Series.State.READY))
    return patients.filter(ready if choice == "ready" else ~ready)


PARTS = (
    Section("ct", 20, _("Head CT"), Permission.VIEW_IMAGING, "imaging/section.html", context, summary),
    Column("ct", 60, _("CT"), Permission.VIEW_IMAGING, load_state),
    Filter(
        "ct",
        20,
        _("Head CT"),
        Permission.VIEW_IMAGING,
        lambda: [("ready", _("ready")), ("missing", _("not ready")), ("held", _("pictures kept apart"))],
        filter_ct,
    ),
)
