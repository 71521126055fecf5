"""Pages of the CT: upload, slices, and the state of its preprocessing."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import Actor, has_permission, person
from apps.accounts.policy import Permission
from apps.core.uploads import uploaded_files
from apps.imaging import services
from apps.imaging.archive import unpack
from apps.imaging.models import Series
from apps.imaging.selectors import access_series
from apps.imaging.slices import render_slice
from apps.patients.selectors import access_patient


@require_POST
def upload(request: HttpRequest, study_id: str) -> HttpResponse:
    """Take a ZIP or the files of one series."""
    patient = access_patient(request.user, study_id, Permission.UPLOAD_CT)
    files = unpack(uploaded_files(request, "files"))
    services.receive_series(actor=person(request.user), patient=patient, files=files)
    messages.success(request, _("The CT was received; identity was removed before it was stored."))
    url = reverse("patients:detail", args=[study_id]) + "#ct"
    if not request.accepts("text/html"):
        return JsonResponse({"location": url}, status=201)
    return redirect(url)


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
def status(request: HttpRequest, study_id: str, series_id: int) -> HttpResponse:
    """Send the job's fragment; once the job has ended the page is loaded anew, with what it brought."""
    series = access_series(request.user, study_id, series_id)
    response = render(request, "partials/job.html", job_context(series, request.user))
    if series.job is not None and not series.job.is_active:
        response["HX-Refresh"] = "true"
    return response


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
