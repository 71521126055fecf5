"""Drawing: what an annotator outlines is saved slice by slice as he draws, and becomes a version when he submits it."""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.access import has_permission, require
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.annotation.double_reading.blinding import is_one_of_two, open_reading, refuse_others
from apps.annotation.labels import LABELS
from apps.annotation.models import Mask, Outline, OutlineSlice
from apps.annotation.review import approve_correction
from apps.annotation.selectors import load_labels
from apps.annotation.services import store_mask
from apps.audit.services import record
from apps.core.errors import Conflict, Refusal
from apps.imaging.models import Series
from apps.imaging.services import lock_series
from ml.hematoma import SUGGESTION_VERSION

Labels = npt.NDArray[np.uint8]


@transaction.atomic
def save_slices(
    *, actor: User, series: Series, series_revision: int, revision: int, slices: Mapping[int, bytes], window: str = ""
) -> Outline:  # fmt: skip
    """Save changed slices of the actor's outline, each as zlib of its labels (y, x); the first save begins it.

    `window` names the page that sends; what it has sent before it may send again, for the answer may have been lost.
    Raises Conflict where another window has saved since `revision`, or slices came to the series since
    `series_revision`; Refusal for what is no slice of the series.
    """
    require(actor, Permission.UPLOAD_MASK, series.patient.center)
    checked = {index: _checked(series, index, packed) for index, packed in slices.items()}
    outline = _taken(actor, series, series_revision)
    if outline.revision != revision and not (window and window == outline.window):
        raise Conflict(
            "outline_changed",
            _("This outline was changed in another window. Load the page again; what is saved there stays."),
        )
    for index, packed in checked.items():
        OutlineSlice.objects.update_or_create(outline=outline, index=index, defaults={"labels": packed})
    outline.window = window
    return _counted(outline)


@transaction.atomic
def note_suggestion(*, actor: User, series: Series) -> None:
    """Write down that the actor was shown the program's suggestion: what he submits is not by hand alone."""
    outline = _taken(actor, series, series.revision)
    Outline.objects.filter(pk=outline.pk).update(suggestion_version=SUGGESTION_VERSION)


@transaction.atomic
def begin_again(*, actor: User, series: Series, begin_from: Mask | None) -> Outline:
    """Throw away what the actor has drawn, and begin with the labels of a version, or with nothing."""
    require(actor, Permission.UPLOAD_MASK, series.patient.center)
    outline = _taken(actor, series, series.revision)
    labels = np.zeros(_shape(series), np.uint8) if begin_from is None else load_labels(begin_from)
    outline.slices.all().delete()
    OutlineSlice.objects.bulk_create(
        OutlineSlice(outline=outline, index=index, labels=zlib.compress(plane.tobytes(), 1))
        for index, plane in enumerate(labels)
        if plane.any()
    )
    outline.begun_from, outline.window = begin_from, ""
    outline.suggestion_version = begin_from.suggestion_version if begin_from else 0
    if outline.revision:
        record(actor=actor, action="begin_outline_again", target=outline, center=series.patient.center)
    return _counted(outline)


@transaction.atomic
def submit_outline(*, actor: User, outline: Outline, revision: int) -> Mask:
    """Make a version of the mask of what is drawn.

    It waits for review by another person. Where a reviewer has corrected what another has drawn, two have seen it, and
    it counts at once.
    """
    outline = Outline.objects.select_for_update().select_related("series", "patient__center").get(pk=outline.pk)
    require(actor, Permission.UPLOAD_MASK, outline.patient.center)
    if outline.revision != revision:
        raise Conflict("outline_changed", _("This outline was changed in another window. Load the page again."))
    if outline.series.state == Series.State.FAILED:
        raise _unusable()
    begun_from = source_of(outline)
    mask = store_mask(
        actor=actor, series=outline.series, mask=outline_labels(outline), corrects=begun_from,
        suggestion_version=outline.suggestion_version,
    )  # fmt: skip
    Outline.objects.filter(pk=outline.pk).update(submitted=mask)
    if begun_from is not None and is_third(actor, begun_from):
        approve_correction(actor=actor, mask=mask)
    return mask


def is_third(actor: User, corrected: Mask) -> bool:
    """Say whether the actor reviews what others have drawn, so that his correction needs no other person."""
    reviews = has_permission(actor, Permission.REVIEW_MASK, corrected.patient.center)
    return reviews and corrected.uploaded_by_id != actor.pk and not is_one_of_two(actor, corrected.series)


def source_of(outline: Outline) -> Mask | None:
    """Return the version of which an outline is a correction."""
    return max(filter(None, (outline.submitted, outline.begun_from)), key=lambda mask: mask.version, default=None)


def outline_of(actor: User, series: Series) -> Outline | None:
    """Return what the actor has drawn on a series."""
    mine = Outline.objects.filter(annotator=actor, series=series)
    return mine.select_related("series", "patient__center", "submitted", "begun_from").first()


def outline_labels(outline: Outline) -> Labels:
    """Return what is drawn, labels (z, y, x)."""
    shape = _shape(outline.series)
    labels = np.zeros(shape, np.uint8)
    for row in outline.slices.all():
        labels[row.index] = np.frombuffer(zlib.decompress(bytes(row.labels)), np.uint8).reshape(shape[1:])
    return labels


def _shape(series: Series) -> tuple[int, int, int]:
    stored: dict[str, Any] = series.geometry
    return int(stored["slices"]), int(stored["rows"]), int(stored["columns"])


def _checked(series: Series, index: int, packed: bytes) -> bytes:
    """Return the slice packed anew; refuse what is none of the series, or holds labels that have no meaning."""
    count, rows, columns = _shape(series)
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(packed, rows * columns + 1)
    except zlib.error:
        plain = b""
    labels = np.frombuffer(plain, np.uint8)
    if not 0 <= index < count or len(plain) != rows * columns or not set(np.unique(labels)) <= {0, *LABELS}:
        raise Refusal("outline_slice", _("What was drawn did not arrive whole. Load the page again and go on."))
    return zlib.compress(plain, 1)


def _taken(actor: User, series: Series, series_revision: int) -> Outline:
    """Return the actor's outline of a series, locked; begun now where he has none.

    From here on no slice can come between those that are drawn on.
    """
    if not series.geometry or series.state == Series.State.FAILED:
        raise _unusable()
    refuse_others(actor, open_reading(series))
    kept = Series.objects.select_for_update().get(pk=series.pk)
    if kept.revision != series_revision:
        raise Conflict(
            "series_changed", _("Slices came to this CT meanwhile. Load the page again, and draw the mask on all.")
        )
    lock_series(series)
    outline, begun = Outline.objects.get_or_create(series=series, annotator=actor, defaults={"patient": series.patient})
    if begun:
        record(actor=actor, action="take_outline", target=outline, center=series.patient.center)
    return Outline.objects.select_for_update().get(pk=outline.pk)


def _counted(outline: Outline) -> Outline:
    outline.revision += 1
    outline.saved_at = timezone.now()
    outline.save(update_fields=["revision", "window", "saved_at", "begun_from", "suggestion_version"])
    return outline


def _unusable() -> Refusal:
    return Refusal("series_failed", _("This CT is not usable, so it takes no mask. Upload a usable CT first."))
