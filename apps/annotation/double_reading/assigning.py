"""Asking people to outline a CT: one, or two who are blind to each other."""

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from apps.accounts.access import centers_with, has_permission, require
from apps.accounts.models import User
from apps.accounts.policy import Permission, roles_with
from apps.annotation.double_reading.blinding import open_reading
from apps.annotation.models import DoubleReading, Outline
from apps.audit.services import record
from apps.core.errors import Refusal
from apps.imaging.models import Series
from apps.patients.models import Patient


def annotators_for(actor: User) -> QuerySet[User]:
    """Return whom the actor may ask to outline: who may do so in one of the centers where the actor assigns."""
    centers = centers_with(actor, Permission.ASSIGN_MASKS)
    there = Q(memberships__center=None) | Q(memberships__center__in=centers)
    roles = roles_with(Permission.UPLOAD_MASK)
    return User.objects.filter(there, memberships__role__in=roles, is_active=True).distinct().order_by("full_name")


class NotAssignedError(Exception):
    """What was refused, and for which CT."""

    def __init__(self, series: Series, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.series = series
        self.sentence = refusal.sentence


@transaction.atomic
def assign_all(*, actor: User, chosen: list[Series], annotators: list[User]) -> None:
    """Assign some CTs, all of them or none. Raises NotAssignedError."""
    for series in chosen:
        try:
            assign(actor=actor, series=series, annotators=annotators)
        except Refusal as refusal:
            raise NotAssignedError(series, refusal) from None


@transaction.atomic
def assign(*, actor: User, series: Series, annotators: list[User]) -> None:
    """Ask for the outline of a CT: of nobody (what was asked for is taken back), of one person, or of two.

    Takes the place of an earlier assignment that nobody has begun. Raises Refusal.
    """
    patient = Patient.objects.select_for_update().select_related("center").get(pk=series.patient_id)
    require(actor, Permission.ASSIGN_MASKS, patient.center)
    for annotator in annotators:
        if not has_permission(annotator, Permission.UPLOAD_MASK, patient.center):
            raise Refusal(
                "assign_elsewhere",
                _("%(who)s may not outline CTs of this center. Choose another person.") % {"who": annotator.full_name},
            )
    _take_back(actor, series, annotators)
    for annotator in annotators:
        outline, _made = Outline.objects.get_or_create(
            series=series, annotator=annotator, defaults={"patient": patient, "assigned_by": actor}
        )
        record(
            actor=actor, action="assign_outline", target=outline, center=patient.center,
            changes={"annotator": [None, annotator.full_name]},
        )  # fmt: skip
    if len(annotators) > 1:
        _ask_two(actor, series, patient, annotators)


def _take_back(actor: User, series: Series, kept: list[User]) -> None:
    """Remove the assignments that nobody has begun; refuse where two are at work."""
    begun = Outline.objects.filter(series=series).exclude(revision=0, submitted=None)
    reading = open_reading(series)
    if reading is not None:
        if begun.exists() or reading.first_mask_id or reading.second_mask_id:
            raise Refusal(
                "double_reading_begun",
                _("This CT is being outlined by two people already. Wait until both have submitted."),
            )
        reading.delete()
    free = Outline.objects.filter(series=series, revision=0, submitted=None).exclude(assigned_by=None)
    for outline in free.exclude(annotator__in=kept).select_related("annotator"):
        record(
            actor=actor, action="take_back_outline", target=outline, center=series.patient.center,
            changes={"annotator": [outline.annotator.full_name, None]},
        )  # fmt: skip
        outline.delete()


def _ask_two(actor: User, series: Series, patient: Patient, annotators: list[User]) -> None:
    first, second = annotators
    if first.pk == second.pk:
        raise Refusal("same_annotator", _("Two outlines need two people. Choose a second person, or none."))
    seen = Outline.objects.filter(series=series).exclude(revision=0).exists()
    if seen or series.masks.exists():
        raise Refusal(
            "outlined_already",
            _("This CT has been outlined already. Two blind outlines need a CT on which nobody has drawn."),
        )
    DoubleReading.objects.filter(series=series).delete()
    reading = DoubleReading.objects.create(series=series, patient=patient, first=first, second=second, asked_by=actor)
    record(
        actor=actor, action="ask_double_reading", target=reading, center=patient.center,
        changes={"annotators": [None, f"{first.full_name}, {second.full_name}"]},
    )  # fmt: skip
