"""Two versions of a mask against one another: both over the CT, and how well they agree."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from apps.accounts.access import get_visible, person
from apps.accounts.policy import Permission
from apps.annotation.canvas import canvas_data
from apps.annotation.labels import LABELS
from apps.annotation.models import Mask
from apps.annotation.selectors import load_hematoma, masks_visible_to
from apps.annotation.uploads import series_for_mask
from apps.annotation.worklist.rows import waiting_for
from apps.imaging import geometry
from apps.patients.selectors import access_patient
from ml.hematoma import compare


@require_GET
def against(request: HttpRequest, study_id: str, version: int, other: int) -> HttpResponse:
    """Show a version with another one of the same CT."""
    if version == other:
        raise Http404
    patient = access_patient(request.user, study_id, Permission.VIEW_IMAGING)
    visible = masks_visible_to(request.user).select_related("series__patient", "uploaded_by")
    series = series_for_mask(patient)
    mask, second = (get_visible(visible, series=series, version=number) for number in (version, other))
    urls = {
        key: reverse("annotation:version-labels", args=[study_id, each.version])
        for key, each in (("labels", mask), ("second", second))
    }
    actor = person(request.user)
    to_settle = waiting_for(actor).filter(pk__in=[mask.pk, second.pk]).count() == 2
    context = {
        "patient": patient,
        "to_settle": [mask, second] if to_settle else [],
        "mask": mask,
        "second": second,
        "found": compare(load_hematoma(mask), load_hematoma(second), geometry.from_json(series.geometry)),
        "amounts": _amounts(mask, second),
        "canvas": canvas_data(series, urls, remarks=[], reading=True),
    }
    return render(request, "annotation/compare.html", context)


def _amounts(mask: Mask, second: Mask) -> list[tuple[Any, str, str]]:
    """Return (label, mL of the first, mL of the second) of what either outlines."""
    rows = []
    for label, words in LABELS.items():
        amounts = [each.label_ml.get(str(int(label)), "") for each in (mask, second)]
        if any(amounts):
            rows.append((words.name, amounts[0], amounts[1]))
    return rows
