"""Imports: choose a file, read what the check says, import it."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import get_visible, person, require
from apps.accounts.policy import Permission
from apps.core.errors import Refusal
from apps.core.fragments import job_fragment
from apps.crf.imports import services
from apps.crf.imports.forms import ImportForm
from apps.crf.imports.models import Import
from apps.crf.imports.reports import report_csv
from apps.crf.imports.selectors import imports_visible_to

MOST_SHOWN = 50
# On the page; the download holds all that were kept.
MOST_FINDINGS = 200
BUSY = (Import.State.CHECKING, Import.State.RUNNING)


@require_http_methods(["GET", "POST"])
def listing(request: HttpRequest) -> HttpResponse:
    """Show the form for a file, and the person's imports; a POST has the file checked."""
    require(request.user, Permission.IMPORT_CRF)
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            return redirect("imports:detail", form.start(person(request.user)).pk)
        except Refusal as refusal:
            problem = refusal
    rows = imports_visible_to(request.user)[:MOST_SHOWN]
    context = {"form": form, "rows": rows, "problem": problem}
    return render(request, "crf/imports/list.html", context, status=problem.status if problem else 200)


@require_GET
def detail(request: HttpRequest, import_id: int) -> HttpResponse:
    """Show how far an import is, or its report with what to do next."""
    return _detail(request, get_visible(imports_visible_to(request.user), pk=import_id))


def _detail(request: HttpRequest, found: Import, problem: Refusal | None = None) -> HttpResponse:
    report = found.report
    context = {
        "found": found,
        "report": report,
        "busy": found.state in BUSY,
        "faults": report.get("faults", [])[:MOST_FINDINGS],
        "warnings": report.get("warnings", [])[:MOST_FINDINGS],
        "problem": problem,
        "reason": request.POST.get("reason", found.reason),
        "form": ImportForm(initial={"dates": found.dates, "encoding": found.encoding}),
        **_job(found),
    }
    return render(request, "crf/imports/detail.html", context, status=problem.status if problem else 200)


def _job(found: Import) -> dict[str, Any]:
    """Return what partials/job.html needs."""
    return {
        "job": found.job,
        "job_url": reverse("imports:status", args=[found.pk]),
        "retry_url": reverse("imports:retry", args=[found.pk]),
    }


@require_GET
def status(request: HttpRequest, import_id: int) -> HttpResponse:
    """Send the job's fragment; once it has ended the page is loaded anew."""
    return job_fragment(request, _job(get_visible(imports_visible_to(request.user), pk=import_id)))


@require_POST
def retry(request: HttpRequest, import_id: int) -> HttpResponse:
    """Queue again what failed."""
    found = get_visible(imports_visible_to(request.user), pk=import_id)
    services.retry_import(actor=person(request.user), found=found)
    return redirect("imports:detail", found.pk)


@require_POST
def run(request: HttpRequest, import_id: int) -> HttpResponse:
    """Import a file that was checked."""
    found = get_visible(imports_visible_to(request.user), pk=import_id)
    try:
        services.run_import(actor=person(request.user), found=found, reason=request.POST.get("reason", ""))
    except Refusal as problem:
        return _detail(request, found, problem)
    return redirect("imports:detail", found.pk)


@require_GET
def report(request: HttpRequest, import_id: int) -> HttpResponse:
    """Hand the report out as CSV."""
    return report_response(get_visible(imports_visible_to(request.user), pk=import_id))


def report_response(found: Import) -> HttpResponse:
    response = HttpResponse(report_csv(found.report), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="ichor-import-{found.pk}.csv"'
    response["Cache-Control"] = "no-store"
    return response
