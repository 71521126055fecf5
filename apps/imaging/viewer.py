"""The page of OHIF, the viewer for whole studies; its files lie at the site's root, its images come by DICOMweb."""

import json
import re
from pathlib import Path

from csp.constants import UNSAFE_EVAL, UNSAFE_INLINE
from csp.decorators import csp_update
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from apps.accounts.access import Actor, require
from apps.accounts.policy import Permission
from apps.core.errors import Refusal
from apps.imaging.models import ImagingStudy
from apps.patients.selectors import patients_visible_to

_UID = re.compile(r"[0-9.]{1,64}")
_MANIFEST = "ohif.json"
# What OHIF needs beyond our own pages (docs/adr/0009): its SEG reader compiles code, its widgets write styles.
_POLICY = {"script-src": [UNSAFE_EVAL], "style-src": [UNSAFE_INLINE]}


@require_safe
@csp_update(_POLICY)
def viewer(request: HttpRequest, route: str = "") -> HttpResponse:
    """Show the studies named in the query; `route` is the viewer's own, which the browser reads."""
    require(request.user, Permission.VIEW_IMAGING)
    uids = set(",".join(request.GET.getlist("StudyInstanceUIDs")).split(","))
    if not _all_visible(request.user, uids):
        raise Http404
    return render(request, "imaging/viewer.html", {"ohif": _files()})


def _all_visible(actor: Actor, uids: set[str]) -> bool:
    if not all(_UID.fullmatch(uid) for uid in uids):
        return False
    mine = ImagingStudy.objects.filter(patient__in=patients_visible_to(actor, Permission.VIEW_IMAGING))
    return mine.filter(study_instance_uid__in=uids).count() == len(uids)


def _files() -> dict[str, str]:
    """Return the names of the viewer's script and style, which change with its version."""
    path = Path(settings.WHITENOISE_ROOT) / _MANIFEST
    try:
        names: dict[str, str] = json.loads(path.read_text())
    except FileNotFoundError:
        raise Refusal(
            "viewer_missing", _("The viewer is not installed. Ask the administrator to run make setup."), status=503
        ) from None
    return names
