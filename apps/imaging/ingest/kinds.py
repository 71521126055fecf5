"""What kind of object a file is: a CT slice that is taken, a picture that a person must look at, or neither."""

import re

from django.utils.translation import gettext as _
from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    MultiFrameSingleBitSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from apps.core.errors import Refusal
from apps.imaging.models import HeldInstance
from ml.volumes.headers import numbers, text

SINGLE = str(CTImageStorage)
MULTI_FRAME = frozenset(map(str, (EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)))
CAPTURES = frozenset(
    map(
        str,
        (
            SecondaryCaptureImageStorage,
            MultiFrameSingleBitSecondaryCaptureImageStorage,
            MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
            MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
            MultiFrameTrueColorSecondaryCaptureImageStorage,
        ),
    )
)
_UIDS = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_SCREEN = re.compile(r"SCREEN|DOSE|SECONDARY CAPTURE")


def reason_to_hold(dataset: Dataset) -> HeldInstance.Reason | None:
    """Return why a person must look at a picture first, or None for a plain CT slice.

    Raises Refusal for what is no picture of a CT at all, or cannot be told from others.
    """
    kind = text(dataset, "SOPClassUID")
    if kind not in {SINGLE, *MULTI_FRAME, *CAPTURES}:
        raise _not_ct(dataset)
    if not all(text(dataset, uid) for uid in _UIDS):
        raise Refusal("missing_identity", _("The file lacks its DICOM unique identifiers. Export it again."))
    if "PixelData" not in dataset:
        raise Refusal("no_pixels", _("The file holds no image. Export it again, with its image."))
    if kind in CAPTURES or _is_screen(dataset):
        return HeldInstance.Reason.SECONDARY_CAPTURE
    if text(dataset, "Modality") != "CT":
        raise _not_ct(dataset)
    if kind == SINGLE and frame_count(dataset) > 1:
        raise Refusal(
            "several_frames",
            _("The file holds several pictures where one belongs. Export the series as single images."),
        )
    if text(dataset, "BurnedInAnnotation").upper() == "YES":
        return HeldInstance.Reason.BURNED_IN
    return HeldInstance.Reason.OVERLAY if _has_embedded_overlay(dataset) else None


def _is_screen(dataset: Dataset) -> bool:
    """Say whether a CT object is a picture of a screen: in color, or called so."""
    gray = text(dataset, "PhotometricInterpretation") in {"MONOCHROME1", "MONOCHROME2"}
    return not gray or bool(_SCREEN.search(text(dataset, "ImageType").upper()))


def _has_embedded_overlay(dataset: Dataset) -> bool:
    """Say whether an overlay plane lies in bits of the pixels (retired, but old archives hold it)."""
    for group in range(0x6000, 0x6020, 2):
        element = dataset.get((group, 0x0102))
        try:
            if element is not None and element.value not in (None, "", 0):
                return True
        except Exception:  # a damaged element: what it says is not known
            return True
    return False


def _not_ct(dataset: Dataset) -> Refusal:
    modality = text(dataset, "Modality")
    # Only a well-formed code is repeated: the field of a damaged file could hold anything.
    if re.fullmatch(r"[A-Z]{2,8}", modality) and modality != "CT":
        sentence = _("The file is of modality %(modality)s, not a CT image. It was left out: send CT images alone.") % {
            "modality": modality
        }
    else:
        sentence = _("The file is no CT image (a report or another object). It was left out: send CT images alone.")
    return Refusal("not_ct", sentence)


def frame_count(dataset: Dataset) -> int:
    """Return how many frames a data set says it has."""
    stated = numbers(dataset, "NumberOfFrames")
    return max(int(stated[0]), 1) if stated else 1
