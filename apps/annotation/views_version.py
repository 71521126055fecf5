"""One version of a mask beside its CT: looked at, approved, returned, taken away as a file."""

import tempfile
import zlib
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import get_visible, has_permission, person
from apps.accounts.policy import Permission
from apps.annotation import review
from apps.annotation.canvas import canvas_data
from apps.annotation.double_reading.blinding import is_one_of_two
from apps.annotation.meaning import meaning_of
from apps.annotation.models import Mask
from apps.annotation.selectors import approved_mask, load_labels, masks_visible_to, waiting_masks
from apps.annotation.uploads import series_for_mask
from apps.annotation.views_outline import pinned_remarks
from apps.core.errors import Refusal
from apps.imaging import geometry
from apps.patients.selectors import access_patient
from ml.volumes import write_mask

# The formats of a download by suffix.
FORMATS = {"nii.gz": "NIfTI", "nrrd": "NRRD", "mha": "MetaImage"}
OCTETS = "application/octet-stream"


@require_GET
def version(request: HttpRequest, study_id: str, version: int) -> HttpResponse:
    """Show one version; who may review it decides here."""
    return _page(request, _mask(request, study_id, version))


@require_GET
def labels(request: HttpRequest, study_id: str, version: int) -> HttpResponse:
    """Send the labels of a version: zlib of uint8 (z, y, x)."""
    mask = _mask(request, study_id, version)
    response = HttpResponse(zlib.compress(load_labels(mask).tobytes(), 1), content_type=OCTETS)
    response["Cache-Control"] = "private, max-age=86400"  # a version never changes
    return response


@require_GET
def download(request: HttpRequest, study_id: str, version: int, suffix: str) -> HttpResponse:
    """Send a version as a file on the grid that ITK gives the series, as ITK-SNAP and 3D Slicer expect it."""
    mask = _mask(request, study_id, version)
    if suffix not in FORMATS:
        raise Http404
    with tempfile.TemporaryDirectory(prefix="ichor-mask-") as folder:
        path = Path(folder) / f"mask.{suffix}"
        write_mask(path, load_labels(mask), geometry.from_json(mask.series.geometry))
        content = path.read_bytes()
    response = HttpResponse(content, content_type="application/gzip" if suffix.endswith("gz") else OCTETS)
    response["Content-Disposition"] = f'attachment; filename="mask-version-{mask.version}.{suffix}"'
    return response


@require_POST
def approve(request: HttpRequest, study_id: str, version: int) -> HttpResponse:
    """Have a version count."""
    mask = _mask(request, study_id, version)
    try:
        review.approve_mask(actor=person(request.user), mask=mask)
    except Refusal as problem:
        return _page(request, mask, problem)
    messages.success(request, _("Version %(version)d was approved and counts from now on.") % {"version": version})
    return redirect("masks:list")


@require_POST
def give_back(request: HttpRequest, study_id: str, version: int) -> HttpResponse:
    """Return a version to who drew it, with a remark."""
    mask = _mask(request, study_id, version)
    text = request.POST.get("text", "")
    try:
        review.return_mask(actor=person(request.user), mask=mask, text=text, place=_place(request))
    except Refusal as problem:
        return _page(request, mask, problem)
    messages.success(request, _("Version %(version)d was returned to who drew it.") % {"version": version})
    return redirect("masks:list")


def _place(request: HttpRequest) -> review.Place | None:
    given = [request.POST.get(name, "") for name in ("slice", "row", "column")]
    if not all(text.isdecimal() and len(text) < 6 for text in given):
        return None
    return review.Place(*map(int, given))


def _page(request: HttpRequest, mask: Mask, problem: Refusal | None = None) -> HttpResponse:
    actor, patient = person(request.user), mask.patient
    args = [patient.study_id, mask.version]
    decides = has_permission(actor, Permission.REVIEW_MASK, patient.center) and not is_one_of_two(actor, mask.series)
    counting = approved_mask(mask.series)
    context: dict[str, Any] = {
        "patient": patient,
        "mask": mask,
        "problem": problem,
        "typed": request.POST.get("text", ""),
        "meaning": meaning_of(mask),
        "counts": counting is not None and counting.pk == mask.pk,
        "remarks": mask.remarks.select_related("author"),
        "versions": masks_visible_to(actor)
        .filter(series=mask.series)
        .select_related("uploaded_by", "reviewed_by")
        .order_by("-version"),
        "may_review": decides and mask.uploaded_by_id != actor.pk and waiting_masks().filter(pk=mask.pk).exists(),
        "may_draw": has_permission(actor, Permission.UPLOAD_MASK, patient.center),
        "formats": FORMATS,
        "is_own": mask.uploaded_by_id == actor.pk,
        "canvas": canvas_data(
            mask.series, {"labels": reverse("annotation:version-labels", args=args)},
            remarks=pinned_remarks(mask), reading=True,
        ),
    }  # fmt: skip
    return render(request, "annotation/version.html", context, status=problem.status if problem else 200)


def _mask(request: HttpRequest, study_id: str, version: int) -> Mask:
    """Return one version of the patient's current CT, or raise Http404."""
    patient = access_patient(request.user, study_id, Permission.VIEW_IMAGING)
    found = masks_visible_to(request.user).select_related(
        "series__patient", "patient__center", "uploaded_by", "reviewed_by"
    )
    return get_visible(found, series=series_for_mask(patient), version=version)
