"""Exports: the person's own, with the form for a new one."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import get_visible, person, require
from apps.accounts.policy import Permission
from apps.cohorts.exports import services
from apps.cohorts.exports.selectors import exports_visible_to
from apps.cohorts.forms import ExportForm
from apps.cohorts.models import Export
from apps.cohorts.outdated import approved_since
from apps.core.fragments import job_fragment

MOST_SHOWN = 50


@require_http_methods(["GET", "POST"])
def listing(request: HttpRequest) -> HttpResponse:
    """List the person's exports, newest first; a POST asks for a new one."""
    require(request.user, Permission.EXPORT_DATA)
    form = ExportForm(request.POST or None, actor=request.user)
    if request.method == "POST" and form.is_valid():
        services.request_export(
            actor=person(request.user), purpose=form.cleaned_data["purpose"], centers=form.cleaned_data["centers"]
        )
        return redirect("exports:list")
    exports = list(exports_visible_to(request.user)[:MOST_SHOWN])
    newer = approved_since(exports)
    rows = [(export, _job(export), newer.get(export.pk, 0)) for export in exports]
    return render(request, "cohorts/exports.html", {"form": form, "rows": rows})


def _job(export: Export) -> dict[str, object]:
    """Return what partials/job.html needs."""
    return {
        "job": export.job,
        "job_url": reverse("exports:status", args=[export.pk]),
        "retry_url": reverse("exports:retry", args=[export.pk]),
    }


@require_GET
def status(request: HttpRequest, export_id: int) -> HttpResponse:
    """Send the job's fragment; once it has ended the page is loaded anew."""
    export = get_visible(exports_visible_to(request.user), pk=export_id)
    return job_fragment(request, _job(export))


@require_POST
def retry(request: HttpRequest, export_id: int) -> HttpResponse:
    """Queue a failed export again."""
    export = get_visible(exports_visible_to(request.user), pk=export_id)
    services.retry_export(actor=person(request.user), export=export)
    return redirect("exports:list")


@require_GET
def download(request: HttpRequest, export_id: int) -> HttpResponse:
    """Hand the ZIP out."""
    return archive_response(request, get_visible(exports_visible_to(request.user), pk=export_id))


def archive_response(request: HttpRequest, export: Export) -> HttpResponse:
    """Return the ZIP as a file to keep; no proxy and no browser keeps another copy."""
    content = services.download_export(actor=person(request.user), export=export)
    response = HttpResponse(content, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="ichor-export-{export.pk}.zip"'
    response["Cache-Control"] = "no-store"
    return response
