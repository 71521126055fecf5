"""Keeping what is typed into a form, and throwing it away."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from apps.accounts.access import person
from apps.accounts.policy import Permission
from apps.crf import drafts
from apps.crf.places import MAIN, STAY, Place
from apps.crf.schedule import form_url
from apps.crf.selectors import questions_of
from apps.crf.views import read_version
from apps.patients.models import Patient
from apps.patients.selectors import access_patient


@require_POST
def keep(
    request: HttpRequest, study_id: str, form: str = MAIN, visit: str = STAY, instance: int = 1
) -> JsonResponse:  # fmt: skip
    """Keep what the form in the browser holds; answer when that was, or null where nothing differs."""
    patient, place = _find(request, study_id, Place(form, visit, instance))
    typed = {name: request.POST.get(name, "") for name in request.POST}
    draft = drafts.keep_draft(
        actor=person(request.user), patient=patient, place=place, read_version=read_version(request), typed=typed,
        asked_by=request.POST.get("dictionary", ""),
    )  # fmt: skip
    return JsonResponse({"kept_at": draft.kept_at.strftime("%H:%M") if draft else None})


@require_POST
def discard(
    request: HttpRequest, study_id: str, form: str = MAIN, visit: str = STAY, instance: int = 1
) -> HttpResponse:  # fmt: skip
    """Throw the draft away and show the form as it is stored."""
    patient, place = _find(request, study_id, Place(form, visit, instance))
    drafts.discard_draft(actor=person(request.user), patient=patient, place=place)
    return redirect(form_url(patient, place))


def _find(request: HttpRequest, study_id: str, place: Place) -> tuple[Patient, Place]:
    patient = access_patient(request.user, study_id, Permission.VIEW_CRF)
    questions_of(place)
    return patient, place
