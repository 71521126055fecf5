"""The page of a center's archive for one patient: search, fetch, send."""

import re
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import get_visible, person
from apps.accounts.policy import Permission
from apps.core import jobs
from apps.core.errors import Refusal
from apps.core.fragments import job_fragment
from apps.core.seal import seal_text, unseal_text
from apps.imaging.exchange import services
from apps.imaging.exchange.client import search_studies
from apps.imaging.exchange.forms import SearchForm
from apps.imaging.models import Archive, ArchiveTransfer
from apps.patients.models import Patient
from apps.patients.selectors import access_patient

SHOWN_TRANSFERS = 20


# A search is posted: the patient's number in the hospital must not stand in an address, which servers log.
@require_http_methods(["GET", "POST"])
@never_cache
def archive(request: HttpRequest, study_id: str) -> HttpResponse:
    """Search the center's archive for a patient's studies."""
    patient = access_patient(request.user, study_id, Permission.UPLOAD_CT)
    archives = Archive.objects.filter(center=patient.center, is_active=True)
    form = SearchForm(request.POST or None, archives=archives)
    studies: list[dict[str, Any]] | None = None
    problem: Refusal | None = None
    if request.method == "POST" and form.is_valid():
        try:
            found = search_studies(form.cleaned_data["archive"], form.filters())
            studies = sorted(map(_study, found), key=lambda study: (study["day"], study["time"]), reverse=True)
        except Refusal as refusal:
            problem = refusal
    context = {
        "patient": patient,
        "form": form,
        "archives": archives,
        "studies": studies,
        "problem": problem,
        "chosen_archive": form.cleaned_data.get("archive") if form.is_bound and form.is_valid() else None,
        "series": patient.series.exclude(instance_count=0).select_related("study").order_by("modality", "pk"),
        "transfers": _transfers(patient),
    }
    return render(request, "imaging/archive.html", context, status=problem.status if problem else 200)


def _transfers(patient: Patient) -> list[ArchiveTransfer]:
    rows = patient.archive_transfers.select_related("archive", "job", "asked_by", "series")
    return list(Paginator(rows, SHOWN_TRANSFERS).page(1))


def _study(row: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of a study: nobody's name, and its identifier sealed."""
    return {
        "sealed_uid": seal_text(_value(row, "0020000D")),
        "day": _day(_value(row, "00080020")),
        "time": ":".join(re.findall(r"\d\d", _value(row, "00080030"))[:2]),
        "modalities": ", ".join(map(str, row.get("00080061", {}).get("Value", []))),
        "description": _value(row, "00081030"),
        "series": _value(row, "00201206"),
        "images": _value(row, "00201208"),
    }


def _day(text: str) -> str:
    """Write a DICOM date as the other pages write days; what is no date stays as it came."""
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if re.fullmatch(r"\d{8}", text) else text


def _value(row: dict[str, Any], tag: str) -> str:
    values = row.get(tag, {}).get("Value") or [""]
    return str(values[0])


@require_POST
def fetch(request: HttpRequest, study_id: str) -> HttpResponse:
    """Queue the fetching of the chosen studies."""
    patient = access_patient(request.user, study_id, Permission.UPLOAD_CT)
    archive = _archive(request, patient)
    sealed = request.POST.getlist("study")
    if not sealed:
        raise Refusal("nothing_chosen", _("No study was chosen. Choose at least one."))
    for uid in map(unseal_text, sealed):
        services.fetch_study(actor=person(request.user), archive=archive, patient=patient, study_uid=uid)
    messages.success(request, _("The fetching has begun; it goes on by itself."))
    return redirect("imaging:archive", study_id)


@require_POST
def send(request: HttpRequest, study_id: str) -> HttpResponse:
    """Queue the sending of a series to the archive."""
    patient = access_patient(request.user, study_id, Permission.UPLOAD_CT)
    series = get_visible(patient.series.select_related("patient__center"), pk=_number(request.POST.get("series")))
    services.send_series(actor=person(request.user), archive=_archive(request, patient), series=series)
    messages.success(request, _("The sending has begun; it goes on by itself."))
    return redirect("imaging:archive", study_id)


@require_GET
def transfer_status(request: HttpRequest, study_id: str, transfer_id: int) -> HttpResponse:
    """Send the fragment of a transfer's job."""
    transfer = _transfer(request, study_id, transfer_id)
    return job_fragment(request, {"job": transfer.job})


@require_POST
def retry_transfer(request: HttpRequest, study_id: str, transfer_id: int) -> HttpResponse:
    """Queue a failed transfer again; `confirmed` answers that the scan is this patient's."""
    transfer = _transfer(request, study_id, transfer_id)
    if transfer.job is None or transfer.job.state != transfer.job.State.FAILED:
        raise Refusal("not_failed", _("Only a failed job can be retried."), status=409)
    if request.POST.get("confirmed") == "1":
        services.note_outcome(transfer, {"confirmed": 1}, [])
    jobs.retry(transfer.job)
    return redirect("imaging:archive", study_id)


def _transfer(request: HttpRequest, study_id: str, transfer_id: int) -> ArchiveTransfer:
    patient = access_patient(request.user, study_id, Permission.UPLOAD_CT)
    return get_visible(patient.archive_transfers.select_related("job"), pk=transfer_id)


def _archive(request: HttpRequest, patient: Patient) -> Archive:
    found = Archive.objects.filter(center=patient.center, is_active=True)
    return get_visible(found, pk=_number(request.POST.get("archive")))


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 19 else 0
