"""Pages of the quarantine: look at what is kept apart, and decide."""

from io import BytesIO

import numpy as np
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array

from apps.accounts.access import get_visible, person
from apps.accounts.policy import Permission
from apps.core.errors import Refusal
from apps.imaging.ingest import held
from apps.imaging.models import HeldInstance
from apps.imaging.selectors import held_visible_to
from apps.patients.selectors import access_patient


@require_GET
def held_list(request: HttpRequest, study_id: str) -> HttpResponse:
    """Show what is kept apart for a patient, and what was decided before."""
    patient = access_patient(request.user, study_id, Permission.UPLOAD_CT)
    rows = patient.held_instances.select_related("received_by", "decided_by")
    waiting = [row for row in rows if not row.decision]
    decided = [row for row in rows if row.decision]
    groups: dict[tuple[str, str], list[HeldInstance]] = {}
    for row in waiting:
        groups.setdefault((row.series_instance_uid, row.reason), []).append(row)
    return render(
        request, "imaging/held.html", {"patient": patient, "groups": list(groups.values()), "decided": decided}
    )


@require_GET
@never_cache
def held_png(request: HttpRequest, study_id: str, held_id: int) -> HttpResponse:
    """Send the picture of one held object; it may name the patient, so nobody keeps a copy of it."""
    patient = access_patient(request.user, study_id, Permission.UPLOAD_CT)
    row = get_visible(held_visible_to(request.user), pk=held_id, patient=patient, decision="")
    return HttpResponse(_png(held.load_held(row)), content_type="image/png")


@require_POST
def decide(request: HttpRequest, study_id: str) -> HttpResponse:
    """Take held objects in, or throw them away, with a reason."""
    patient = access_patient(request.user, study_id, Permission.UPLOAD_CT)
    numbers = [int(text) for text in request.POST.getlist("held") if text.isdecimal() and len(text) < 19]
    rows = list(held_visible_to(request.user).filter(pk__in=numbers, patient=patient).select_related("patient__center"))
    if not rows or len(rows) != len(set(numbers)):
        raise Http404
    reason, decision = request.POST.get("reason", ""), request.POST.get("decision")
    if decision == HeldInstance.Decision.ACCEPTED:
        held.accept(actor=person(request.user), held=rows, reason=reason)
        messages.success(request, _("The pictures were taken in."))
    elif decision == HeldInstance.Decision.DISCARDED:
        held.discard(actor=person(request.user), held=rows, reason=reason)
        messages.success(request, _("The pictures were thrown away."))
    else:
        raise Refusal("no_decision", _("Say whether the pictures are taken in or thrown away."))
    return redirect("imaging:held", study_id)


def _png(dataset: Dataset) -> bytes:
    """Return a picture over its whole range of values, so that nothing written into it stays dark."""
    stored = pixel_array(dataset)
    while stored.ndim > 3 or (stored.ndim == 3 and stored.shape[-1] != 3):
        stored = stored[0]  # the first frame stands for the others
    low, high = float(stored.min()), float(stored.max())
    gray = ((stored.astype(np.float32) - low) / max(high - low, 1.0) * 255).astype(np.uint8)
    buffer = BytesIO()
    Image.fromarray(gray).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
