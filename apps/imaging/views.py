"""Pages of the CT: upload, slices, the choice of the series, and the state of its preprocessing."""

from typing import Any

import numpy as np
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import Actor, get_visible, has_permission, person
from apps.accounts.policy import Permission
from apps.core.fragments import job_fragment
from apps.core.uploads import uploaded_files
from apps.imaging import choice, services
from apps.imaging.archive import unpack
from apps.imaging.ingest.receive import Receipt, Status, receive
from apps.imaging.models import Series
from apps.imaging.selectors import access_series, load_volume, slices_of
from apps.imaging.slices import render_slice
from apps.patients.selectors import access_patient


@require_POST
def upload(request: HttpRequest, study_id: str) -> HttpResponse:
    """Take a ZIP or files; whole, or in parts (`more` says whether others follow)."""
    patient = access_patient(request.user, study_id, Permission.UPLOAD_CT)
    receipt = receive_request(request, patient)
    url = reverse("patients:detail", args=[study_id]) + "#ct"
    if not request.accepts("text/html"):
        status = 201 if receipt.series else 200
        return JsonResponse({"location": url, **receipt_json(receipt)}, status=status)
    for sentence in receipt_sentences(receipt):
        messages.success(request, sentence)
    return redirect(url)


def receive_request(request: Any, patient: Any) -> Receipt:
    """Take the files of a request. One that comes whole is refused where nothing of it could be taken."""
    in_parts = "more" in request.POST
    receipt = receive(
        actor=person(request.user),
        patient=patient,
        files=unpack(uploaded_files(request, "files")),
        confirmed=request.POST.get("confirmed") == "1",
        more=request.POST.get("more") == "1",
    )
    return receipt if in_parts else receipt.raise_if_nothing_came()


def receipt_json(receipt: Receipt) -> dict[str, Any]:
    """Return what became of an upload, for a program."""
    return {
        "counts": receipt.counts,
        "outcomes": [
            {"number": o.number, "status": o.status.value, "code": o.code, "sentence": o.sentence}
            for o in receipt.outcomes
        ],
        "series": [series.pk for series in receipt.series],
    }


def receipt_sentences(receipt: Receipt) -> list[str]:
    """Return what became of an upload, for a person: how many, and each reason once."""
    counts = receipt.counts
    stored, known = counts.get("stored", 0), counts.get("known", 0)
    sentences = []
    if stored:
        text = ngettext(
            "%(count)d image was received; identity was removed before it was stored.",
            "%(count)d images were received; identity was removed before they were stored.",
            stored,
        )
        sentences.append(text % {"count": stored})
    if known:
        text = ngettext("%(count)d image was here already.", "%(count)d images were here already.", known)
        sentences.append(text % {"count": known})
    reasons: dict[str, int] = {}
    for outcome in receipt.outcomes:
        if outcome.status not in (Status.STORED, Status.KNOWN):
            reasons[outcome.sentence] = reasons.get(outcome.sentence, 0) + 1
    return [*sentences, *(f"{count} ×: {sentence}" for sentence, count in reasons.items())]


@require_POST
def choose(request: HttpRequest, study_id: str) -> HttpResponse:
    """Have a series stand for the patient's initial CT, or go back to what is proposed."""
    patient = access_patient(request.user, study_id, Permission.UPLOAD_CT)
    chosen: Series | None = None
    if request.POST.get("series"):
        number = request.POST["series"]
        series = patient.series.filter(modality="CT")
        chosen = get_visible(series, pk=int(number) if number.isdecimal() and len(number) < 19 else 0)
    choice.override(person(request.user), patient, chosen, request.POST.get("reason", ""))
    messages.success(request, _("The choice of the CT series was noted."))
    return redirect(reverse("patients:detail", args=[study_id]) + "#ct")


@require_GET
def slice_png(request: HttpRequest, study_id: str, series_id: int, index: int) -> HttpResponse:
    """Send one slice as a PNG."""
    series = access_series(request.user, study_id, series_id)
    overlay = request.GET.get("overlay") == "1"
    png = render_slice(series, index, window=request.GET.get("window", "brain"), overlay=overlay)
    if png is None:
        raise Http404
    response = HttpResponse(png, content_type="image/png")
    # A slice never changes; its mask may, so a picture with outline is asked for again.
    response["Cache-Control"] = "private, no-cache" if overlay else "private, max-age=86400"
    return response


@require_GET
def hounsfield(request: HttpRequest, study_id: str, series_id: int) -> HttpResponse:
    """Send a series' Hounsfield units: int16, little endian, (z, y, x) from the foot."""
    series = access_series(request.user, study_id, series_id)
    if not series.geometry or not slices_of(series).exists():
        raise Http404
    hu = np.rint(load_volume(series).hu)
    response = HttpResponse(np.clip(hu, -32768, 32767).astype("<i2").tobytes(), content_type="application/octet-stream")
    # The address names the revision of the series, so what it sends never changes.
    response["Cache-Control"] = "private, max-age=86400"
    return response


@require_GET
def status(request: HttpRequest, study_id: str, series_id: int) -> HttpResponse:
    """Send the job's fragment; once the job has ended the page is loaded anew, with what it brought."""
    series = access_series(request.user, study_id, series_id)
    return job_fragment(request, job_context(series, request.user))


@require_POST
def retry(request: HttpRequest, study_id: str, series_id: int) -> HttpResponse:
    """Queue a failed preprocessing again."""
    series = access_series(request.user, study_id, series_id)
    services.retry_preparation(actor=person(request.user), series=series)
    return redirect(reverse("patients:detail", args=[study_id]) + "#ct")


def job_context(series: Series, actor: Actor) -> dict[str, Any]:
    """Return what partials/job.html needs; who may not upload a CT gets no button to try again."""
    arguments = [series.patient.study_id, series.pk]
    may_retry = has_permission(actor, Permission.UPLOAD_CT, series.patient.center)
    return {
        "job": series.job,
        "job_url": reverse("imaging:status", args=arguments),
        "retry_url": reverse("imaging:retry", args=arguments) if may_retry else "",
    }
