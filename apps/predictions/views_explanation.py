"""The page that shows what the models looked at for a patient's prognosis."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_GET, require_http_methods

from apps.accounts.access import person
from apps.accounts.policy import Permission
from apps.annotation.selectors import approved_mask
from apps.core.fragments import job_fragment
from apps.imaging import geometry
from apps.imaging.page import slice_info
from apps.imaging.selectors import current_series
from apps.imaging.slices import mask_areas
from apps.patients.models import Patient
from apps.patients.selectors import access_patient
from apps.predictions import heatmap
from apps.predictions.contributions import SHOWN_FIRST, bars_of, probability_of
from apps.predictions.explanation import request_explanation
from apps.predictions.models import Explanation
from apps.predictions.selectors import explanation_of, prognosis_of
from ml.volumes import write_mask


@require_http_methods(["GET", "POST"])
def page(request: HttpRequest, study_id: str) -> HttpResponse:
    """Show the explanation of the prognosis, or where it stands; a POST asks for it, or again after a failure."""
    patient = access_patient(request.user, study_id, Permission.VIEW_PREDICTIONS)
    if request.method == "POST":
        request_explanation(actor=person(request.user), patient=patient)
        return redirect("predictions:explanation", study_id)
    prognosis = prognosis_of(patient)
    explanation = explanation_of(patient, prognosis)
    found = {"patient": patient, "prognosis": prognosis, "explanation": explanation}
    if explanation is None:
        found |= _absent(patient)
    elif explanation.is_ready:
        found |= _numbers(explanation) | _slices(patient, explanation)
    else:
        found |= _job(patient, explanation)
    return render(request, "predictions/explanation.html", found)


def _absent(patient: Patient) -> dict[str, Any]:
    """Say why there is none, and whether there is one of an earlier model, CT or form."""
    return {
        "has_ct": current_series(patient) is not None,
        "is_stale": patient.explanations.filter(job__state="succeeded").exists(),
    }


def _job(patient: Patient, explanation: Explanation) -> dict[str, Any]:
    """Return what partials/job.html needs; to ask again is to try again."""
    return {
        "job": explanation.job,
        "job_url": reverse("predictions:explanation-status", args=[patient.study_id]),
        "retry_url": reverse("predictions:explanation", args=[patient.study_id]),
    }


def _numbers(explanation: Explanation) -> dict[str, Any]:
    bars = bars_of(explanation.contributions)
    baseline = explanation.baseline_logit
    return {
        "first_bars": bars[:SHOWN_FIRST],
        "further_bars": bars[SHOWN_FIRST:],
        "typical": None if baseline is None else probability_of(baseline),
    }


def _slices(patient: Patient, explanation: Explanation) -> dict[str, Any]:
    """Return what the viewer needs; nothing where there is no map that lies on the CT."""
    series = explanation.series
    if not explanation.has_map:
        return {}
    shares = explanation.slice_shares
    first = shares.index(max(shares)) if any(shares) else (len(shares) - 1) // 2
    ct = reverse("imaging:slice", args=[patient.study_id, series.pk, first])
    heat = reverse("predictions:explanation-slice", args=[patient.study_id, first])
    mask = approved_mask(series)
    # The pictures are kept by the browser, so the address changes with what is drawn.
    version = f"{explanation.map_sha256[:12]}-{mask.version if mask else 0}"
    areas = mask_areas(series)
    return {
        "slice_count": len(shares),
        "slice_url": ct.replace(f"/{first}.png", "/{index}.png"),
        "heat_url": heat.replace(f"/{first}.png", "/{index}.png") + f"?v={version}",
        "first_url": ct,
        "first_heat_url": f"{heat}?v={version}",
        "slice_info": slice_info(series, areas),
        "slice_shares": shares,
        "has_mask": bool(areas),
        "is_blank": not any(shares),
    }


@require_GET
def status(request: HttpRequest, study_id: str) -> HttpResponse:
    """Send the job's fragment; once it has ended the page is loaded anew."""
    patient, explanation = _access(request, study_id)
    return job_fragment(request, _job(patient, explanation))


@require_GET
def slice_png(request: HttpRequest, study_id: str, index: int) -> HttpResponseBase:
    """Send the map on one slice as a PNG to lay over the CT; with `overlay=1` it leaves the hematoma's outline free."""
    _, explanation = _access(request, study_id)
    if not explanation.has_map or index >= len(explanation.slice_shares):
        raise Http404
    mask = approved_mask(explanation.series) if request.GET.get("overlay") == "1" else None
    etag = f'"{explanation.map_sha256[:24]}-{index}-{mask.sha256[:12] if mask else 0}"'
    response = get_conditional_response(request, etag=etag)
    if response is None:
        levels = heatmap.load_slice(explanation.file, index)
        response = HttpResponse(heatmap.draw(levels, mask, index), content_type="image/png")
        response["ETag"] = etag
    response["Cache-Control"] = "private, max-age=86400"
    return response


@require_GET
def nifti(request: HttpRequest, study_id: str) -> HttpResponse:
    """Send the map on the CT's slices as NIfTI, 0 to 255."""
    _, explanation = _access(request, study_id)
    if not explanation.has_map:
        raise Http404
    with TemporaryDirectory() as folder:
        path = Path(folder) / "map.nii.gz"
        write_mask(path, heatmap.load_map(explanation.file), geometry.from_json(explanation.series.geometry))
        response = HttpResponse(path.read_bytes(), content_type="application/gzip")
    response["Content-Disposition"] = 'attachment; filename="explanation-map.nii.gz"'
    return response


def _access(request: HttpRequest, study_id: str) -> tuple[Patient, Explanation]:
    """Return the explanation of a patient whose predictions the actor may see, or raise Http404."""
    patient = access_patient(request.user, study_id, Permission.VIEW_PREDICTIONS)
    explanation = explanation_of(patient, prognosis_of(patient))
    if explanation is None:
        raise Http404
    return patient, explanation
