"""Upload of a hematoma mask."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.accounts.access import person
from apps.accounts.policy import Permission
from apps.annotation import services
from apps.annotation.uploads import mask_content, series_for_mask
from apps.patients.selectors import access_patient


@require_POST
def upload(request: HttpRequest, study_id: str) -> HttpResponse:
    """Take one mask file for the patient's current CT."""
    patient = access_patient(request.user, study_id, Permission.UPLOAD_MASK)
    content = mask_content(request)
    mask = services.receive_mask(actor=person(request.user), series=series_for_mask(patient), content=content)
    messages.success(
        request,
        _("Mask version %(version)s stored: %(ml)s mL. A reviewer looks at it next.")
        % {"version": mask.version, "ml": mask.volume_ml},
    )
    url = reverse("patients:detail", args=[study_id]) + "#mask"
    if not request.accepts("text/html"):
        return JsonResponse({"location": url}, status=201)
    return redirect(url)
