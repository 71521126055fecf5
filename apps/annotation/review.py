"""Review: a second person approves a version, or returns it with remarks."""

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.access import require
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.annotation.double_reading.blinding import is_one_of_two, open_reading
from apps.annotation.models import Mask, Remark
from apps.annotation.selectors import waiting_masks
from apps.audit.services import record
from apps.core.errors import Conflict, Refusal
from apps.patients.changes import announce
from apps.patients.models import Patient

LONGEST_REMARK = 2000


@dataclass(frozen=True)
class Place:
    """A pixel of a slice, counted from the foot, the top and the left."""

    slice_index: int
    row: int
    column: int


@transaction.atomic
def approve_mask(*, actor: User, mask: Mask) -> Mask:
    """Have a version count: scores, snapshots and models use it from now on."""
    mask = _open_to_review(actor, mask)
    return _decide(actor, mask, Mask.State.APPROVED, "approve_mask")


@transaction.atomic
def return_mask(*, actor: User, mask: Mask, text: str, place: Place | None = None) -> Mask:
    """Give a version back to who drew it, with what is to be changed."""
    text = text.strip()
    if not text or len(text) > LONGEST_REMARK or "\x00" in text:
        raise Refusal(
            "remark_missing", _("Say in at most 2,000 characters what is to be changed, then return the mask.")
        )
    mask = _open_to_review(actor, mask)
    where = _checked(mask, place)
    Remark.objects.create(mask=mask, author=actor, text=text, **where)
    return _decide(actor, mask, Mask.State.RETURNED, "return_mask", reason=text)


def approve_correction(*, actor: User, mask: Mask) -> Mask:
    """Have a reviewer's correction of another person's version count."""
    return _decide(actor, mask, Mask.State.APPROVED, "approve_mask")


def _open_to_review(actor: User, mask: Mask) -> Mask:
    """Return the version as it is now, locked; refuse its own author, and what waits no more."""
    require(actor, Permission.REVIEW_MASK, mask.patient.center)
    Patient.objects.select_for_update().get(pk=mask.patient_id)
    if mask.uploaded_by_id == actor.pk or is_one_of_two(actor, mask.series):
        raise Refusal("own_mask", _("Who has drawn a mask cannot review it. Leave it to another reviewer."))
    if open_reading(mask.series) is not None:
        raise Conflict(
            "double_reading_open",
            _("Two people outline this CT blind to each other. Wait until both have submitted."),
        )
    waiting = waiting_masks().filter(pk=mask.pk).select_related("series", "patient__center").first()
    if waiting is None:
        raise Conflict("mask_reviewed", _("This version waits for review no more. Load the page again."))
    return waiting


def _checked(mask: Mask, place: Place | None) -> dict[str, int]:
    if place is None:
        return {}
    grid = mask.series.geometry
    sizes = (grid["slices"], grid["rows"], grid["columns"])
    found = (place.slice_index, place.row, place.column)
    if not all(0 <= value < size for value, size in zip(found, sizes, strict=True)):
        raise Refusal("remark_place", _("The remark's place lies outside the CT. Set it on a slice, or leave it out."))
    return {"slice_index": found[0], "row": found[1], "column": found[2]}


def _decide(actor: User, mask: Mask, state: Mask.State, action: str, reason: str = "") -> Mask:
    before, mask.state = mask.state, state
    mask.reviewed_by, mask.reviewed_at = actor, timezone.now()
    mask.save(update_fields=["state", "reviewed_by", "reviewed_at"])
    record(
        actor=actor, action=action, target=mask, center=mask.patient.center, reason=reason,
        changes={"state": [before, str(state)]},
    )  # fmt: skip
    announce(mask.patient)
    return mask
