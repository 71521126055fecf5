"""The one file of a mask upload, in the browser and in the API alike."""

from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.core.errors import Refusal
from apps.core.uploads import uploaded_files
from apps.imaging.models import Series
from apps.imaging.selectors import current_series
from apps.patients.models import Patient


def mask_content(request: HttpRequest) -> bytes:
    """Return the bytes of the file in the field "file"; refuse none and more than one."""
    try:
        files = uploaded_files(request, "file")
    except Refusal as refusal:
        if refusal.code != "nothing_uploaded":
            raise
        raise Refusal("nothing_uploaded", _("No file was chosen. Choose the file of the mask.")) from None
    if len(files) > 1:
        raise Refusal("one_mask_only", _("More than one file was sent. Send one mask at a time."))
    content: bytes = files[0].read()
    return content


def series_for_mask(patient: Patient) -> Series:
    """Return the CT that a mask of this patient belongs to."""
    series = current_series(patient)
    if series is None:
        raise Refusal("no_ct", _("This patient has no CT yet. Upload the CT first, then its mask."), status=409)
    return series
