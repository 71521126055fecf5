"""The annotator: the page on which a hematoma is outlined, and what it loads and saves."""

import zlib
from typing import Any

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import get_visible, person
from apps.accounts.policy import Permission
from apps.annotation import files, outlines, suggestions
from apps.annotation.canvas import canvas_data
from apps.annotation.double_reading.blinding import open_reading, refuse_others
from apps.annotation.models import Mask
from apps.annotation.selectors import masks_visible_to
from apps.annotation.uploads import series_for_mask
from apps.core.errors import Conflict, Refusal
from apps.imaging.models import Series
from apps.patients.models import Patient
from apps.patients.selectors import access_patient


@require_GET
def outline(request: HttpRequest, study_id: str) -> HttpResponse:
    """Show the CT to draw on, with what the person has drawn so far."""
    patient, series = _find(request, study_id)
    actor = person(request.user)
    reading = open_reading(series)
    refuse_others(actor, reading)
    drawn = outlines.outline_of(actor, series)
    submitted = drawn.submitted if drawn else None
    source = outlines.source_of(drawn) if drawn else None
    names = {"labels": "outline-labels", "save": "outline-save", "suggestion": "outline-suggestion"}
    urls = {key: reverse(f"annotation:{name}", args=[study_id]) for key, name in names.items()}
    context = {
        "patient": patient,
        "outline": drawn,
        "submitted": submitted,
        "remarks": submitted.remarks.select_related("author") if submitted else [],
        "versions": _versions(request, series).select_related("uploaded_by").order_by("-version"),
        "corrects_other": source is not None and outlines.is_third(actor, source),
        "reading": reading,
        "canvas": canvas_data(
            series, urls, revision=drawn.revision if drawn else 0, seriesRevision=series.revision,
            remarks=pinned_remarks(submitted),
        ),
    }  # fmt: skip
    return render(request, "annotation/outline.html", context)


def pinned_remarks(mask: Mask | None) -> list[dict[str, Any]]:
    """Return the remarks on a version that mean a place, for the canvas."""
    pinned = mask.remarks.exclude(slice_index=None) if mask else []
    return [{"slice": r.slice_index, "row": r.row, "column": r.column, "text": r.text} for r in pinned]


@require_GET
def labels(request: HttpRequest, study_id: str) -> HttpResponse:
    """Send what the person has drawn: zlib of uint8 (z, y, x), or nothing where he has not begun."""
    _patient, series = _find(request, study_id)
    drawn = outlines.outline_of(person(request.user), series)
    content = zlib.compress(outlines.outline_labels(drawn).tobytes(), 1) if drawn else b""
    response = HttpResponse(content, content_type="application/octet-stream")
    response["Cache-Control"] = "no-store"
    return response


@require_POST
def suggestion(request: HttpRequest, study_id: str) -> HttpResponse:
    """Send a first outline, zlib of uint8 (z, y, x); 202 while a worker makes it, to be asked for again."""
    _patient, series = _find(request, study_id)
    again = request.POST.get("again") == "1"
    found = suggestions.ask(actor=person(request.user), series=series, again=again)
    if not suggestions.is_ready(found):
        if failure := suggestions.failure_of(found):
            raise Conflict("no_suggestion", failure)
        return JsonResponse({}, status=202)
    outlines.note_suggestion(actor=person(request.user), series=series)
    labels = files.load(found.file, series.slice_count)
    return HttpResponse(zlib.compress(labels.tobytes(), 1), content_type="application/octet-stream")


@require_POST
def save(request: HttpRequest, study_id: str) -> HttpResponse:
    """Save the slices that were changed: files named by their index, each zlib of uint8 (y, x)."""
    _patient, series = _find(request, study_id)
    slices: dict[int, bytes] = {}
    for name, file in request.FILES.items():
        if not name.isdecimal() or len(name) > 6 or not isinstance(file, UploadedFile):
            raise Refusal("outline_slice", _("What was drawn did not arrive whole. Load the page again and go on."))
        slices[int(name)] = file.read()
    saved = outlines.save_slices(
        actor=person(request.user), series=series, series_revision=_number(request, "series_revision"),
        revision=_number(request, "revision"), slices=slices, window=request.POST.get("window", "")[:36],
    )  # fmt: skip
    return JsonResponse({"revision": saved.revision})


@require_POST
def submit(request: HttpRequest, study_id: str) -> HttpResponse:
    """Make a version of what is drawn."""
    _patient, series = _find(request, study_id)
    actor = person(request.user)
    drawn = outlines.outline_of(actor, series)
    if drawn is None:
        raise Refusal("mask_empty", _("Nothing is drawn yet. Outline the hematoma, then submit it."))
    mask = outlines.submit_outline(actor=actor, outline=drawn, revision=_number(request, "revision"))
    sentence = (
        _("Version %(version)d was stored and counts: %(ml)s mL.")
        if mask.state == Mask.State.APPROVED
        else _("Version %(version)d was submitted: %(ml)s mL. A reviewer looks at it next.")
    )
    messages.success(request, sentence % {"version": mask.version, "ml": mask.volume_ml})
    return redirect(reverse("annotation:version", args=[study_id, mask.version]))


@require_POST
def begin_again(request: HttpRequest, study_id: str) -> HttpResponse:
    """Throw away what is drawn, and begin with a version's labels or with nothing."""
    _patient, series = _find(request, study_id)
    version = request.POST.get("version", "")
    begin_from = get_visible(_versions(request, series), version=_number(request, "version")) if version else None
    outlines.begin_again(actor=person(request.user), series=series, begin_from=begin_from)
    return redirect(reverse("annotation:outline", args=[study_id]))


def _versions(request: HttpRequest, series: Series) -> QuerySet[Mask]:
    return masks_visible_to(request.user).filter(series=series)


def _find(request: HttpRequest, study_id: str) -> tuple[Patient, Series]:
    patient = access_patient(request.user, study_id, Permission.UPLOAD_MASK)
    return patient, series_for_mask(patient)


def _number(request: HttpRequest, name: str) -> int:
    text = request.POST.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 10 else -1
