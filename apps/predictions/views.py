"""The state of a prediction."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import get_visible, person
from apps.accounts.policy import Permission
from apps.core.fragments import job_fragment
from apps.patients.selectors import access_patient
from apps.predictions import services
from apps.predictions.models import Prediction
from apps.predictions.page import job_context


def access_prediction(request: HttpRequest, study_id: str, prediction_id: int) -> Prediction:
    """Return one prediction of a patient whose predictions the actor may see, or raise Http404."""
    patient = access_patient(request.user, study_id, Permission.VIEW_PREDICTIONS)
    return get_visible(
        Prediction.objects.filter(patient=patient).select_related("job", "patient__center"), pk=prediction_id
    )


@require_GET
def status(request: HttpRequest, study_id: str, prediction_id: int) -> HttpResponse:
    """Send the job's fragment; once it has ended the page is loaded anew."""
    prediction = access_prediction(request, study_id, prediction_id)
    return job_fragment(request, job_context(prediction.patient, prediction))


@require_POST
def retry(request: HttpRequest, study_id: str, prediction_id: int) -> HttpResponse:
    """Queue a failed prediction again."""
    prediction = access_prediction(request, study_id, prediction_id)
    services.retry_prediction(actor=person(request.user), prediction=prediction)
    return redirect(reverse("patients:detail", args=[study_id]) + "#prediction")
