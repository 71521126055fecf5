"""The worklist of masks: which CTs are to be outlined, corrected or reviewed, the oldest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import centers_with, has_permission
from apps.accounts.models import Center, User
from apps.accounts.policy import Permission
from apps.annotation.double_reading.blinding import open_readings, reads, unseen_by
from apps.annotation.models import DoubleReading, Mask, Outline
from apps.annotation.selectors import waiting_masks
from apps.imaging.models import Series
from apps.imaging.selectors import chosen_series
from apps.patients.selectors import patients_visible_to


class Stage(models.TextChoices):
    """How far the mask of a CT is."""

    TO_DRAW = "to_draw", _("to outline")
    DRAWING = "drawing", _("being outlined")
    RETURNED = "returned", _("returned")
    TO_REVIEW = "to_review", _("to review")
    APPROVED = "approved", _("approved")


class WorklistFilter(forms.Form):
    """What of the worklist is shown."""

    stage = forms.ChoiceField(label=_("Stage"), required=False, choices=[("", _("all but approved")), *Stage.choices])
    whose = forms.ChoiceField(
        label=_("Whose"), required=False,
        choices=[("", _("everybody’s")), ("mine", _("outlined by me")), ("others", _("not outlined by me"))],
    )  # fmt: skip
    center = forms.ModelChoiceField(Center.objects.none(), label=_("Center"), required=False, empty_label=_("all"))

    def __init__(self, actor: User, data: Any) -> None:
        super().__init__(data)
        field = self.fields["center"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = centers_with(actor, Permission.VIEW_MASK_WORK).order_by("code")


@dataclass(frozen=True)
class Row:
    """One CT of the worklist."""

    series: Series
    stage: Stage
    since: datetime
    mask: Mask | None
    annotators: list[str]
    is_mine: bool
    # What the actor may review of it, the longest waiting.
    to_review: Mask | None
    # Two have outlined it blind, and the actor is the third who settles what counts.
    to_settle: DoubleReading | None
    # Two outline it blind, and not both have submitted.
    is_blind: bool
    can_draw: bool
    can_assign: bool

    @property
    def age_days(self) -> int:
        return (timezone.now() - self.since).days


def worklist(actor: User) -> QuerySet[Series]:
    """Return the initial CTs of the actor's centers with the stage of their masks, the longest waiting first."""
    newest = Mask.objects.filter(series=OuterRef("pk")).order_by("-version")
    begun = Outline.objects.filter(series=OuterRef("pk"), revision__gt=0)
    blind = open_readings().filter(series=OuterRef("pk"))
    stage = Case(
        When(
            Exists(blind),
            then=Case(When(Exists(begun) | Exists(newest), then=Value(Stage.DRAWING)), default=Value(Stage.TO_DRAW)),
        ),
        When(Exists(waiting_masks().filter(series=OuterRef("pk"))), then=Value(Stage.TO_REVIEW)),
        When(newest_state=Mask.State.RETURNED, then=Value(Stage.RETURNED)),
        When(Exists(newest.filter(state=Mask.State.APPROVED)), then=Value(Stage.APPROVED)),
        When(Exists(begun), then=Value(Stage.DRAWING)),
        default=Value(Stage.TO_DRAW),
        output_field=models.CharField(),
    )
    found = chosen_series().filter(patient__in=patients_visible_to(actor, Permission.VIEW_MASK_WORK))
    return (
        found.select_related("patient__center")
        .annotate(newest_state=Subquery(newest.values("state")[:1]))
        .annotate(
            stage=stage, masked_at=Subquery(newest.values("uploaded_at")[:1]),
            reviewed=Subquery(newest.values("reviewed_at")[:1]),
        )
        .annotate(
            since=Case(
                When(stage=Stage.TO_REVIEW, then=F("masked_at")),
                When(stage__in=[Stage.RETURNED, Stage.APPROVED], reviewed__isnull=False, then=F("reviewed")),
                default=F("uploaded_at"),
            )
        )
        .order_by("since", "pk")
    )  # fmt: skip


def chosen_rows(actor: User, chosen: dict[str, Any]) -> QuerySet[Any]:
    """Return the part of the worklist that a filter asks for."""
    found: QuerySet[Any] = worklist(actor)
    found = found.filter(stage=chosen["stage"]) if chosen["stage"] else found.exclude(stage=Stage.APPROVED)
    if chosen["center"]:
        found = found.filter(patient__center=chosen["center"])
    if chosen["whose"]:
        mine = Q(pk__in=Outline.objects.filter(annotator=actor).values("series")) | Q(
            pk__in=Mask.objects.filter(uploaded_by=actor).values("series")
        )
        found = found.filter(mine if chosen["whose"] == "mine" else ~mine)
    return found


def rows_of(actor: User, page: list[Series]) -> list[Row]:
    """Return the lines of one page, with who has drawn and the newest version."""
    keys = [series.pk for series in page]
    readings = {reading.series_id: reading for reading in DoubleReading.objects.filter(series__in=keys)}
    outlines: dict[int, list[Outline]] = {}
    for outline in Outline.objects.filter(series__in=keys).select_related("annotator").order_by("pk"):
        outlines.setdefault(outline.series_id, []).append(outline)
    masks: dict[int, Mask] = {}
    seen = Mask.objects.filter(series__in=keys).exclude(unseen_by(actor)).select_related("uploaded_by")
    for mask in seen.order_by("version"):
        masks[mask.series_id] = mask
    waiting: dict[int, Mask] = {}
    for mask in waiting_for(actor).filter(series__in=keys).order_by("-version"):
        waiting[mask.series_id] = mask
    return [
        _row(
            actor,
            series,
            outlines.get(series.pk, []),
            masks.get(series.pk),
            waiting.get(series.pk),
            readings.get(series.pk),
        )
        for series in page
    ]


def _row(
    actor: User, series: Any, outlines: list[Outline], mask: Mask | None, waiting: Mask | None,
    reading: DoubleReading | None,
) -> Row:  # fmt: skip
    people = {outline.annotator_id: outline.annotator.full_name for outline in outlines}
    if mask is not None:
        people.setdefault(mask.uploaded_by_id, mask.uploaded_by.full_name)
    is_mine = actor.pk in people
    is_open = reading is not None and reading.is_open
    is_by_actor = reading is not None and reading.is_by(actor)
    if is_mine and is_open and is_by_actor:
        people = {actor.pk: people[actor.pk]}
    center = series.patient.center
    of_two = (
        reading is not None and waiting is not None and waiting.pk in (reading.first_mask_id, reading.second_mask_id)
    )
    return Row(
        series=series, stage=Stage(series.stage), since=series.since, mask=mask, annotators=list(people.values()),
        is_mine=is_mine, to_review=waiting, to_settle=reading if of_two else None, is_blind=is_open,
        can_draw=has_permission(actor, Permission.UPLOAD_MASK, center) and not (is_open and not is_by_actor),
        can_assign=has_permission(actor, Permission.ASSIGN_MASKS, center),
    )  # fmt: skip


def waiting_for(actor: User) -> QuerySet[Mask]:
    """Return the versions that wait for this person's review."""
    visible = patients_visible_to(actor, Permission.REVIEW_MASK)
    others = waiting_masks().filter(patient__in=visible).exclude(uploaded_by=actor)
    return others.exclude(series__in=DoubleReading.objects.filter(reads(actor)).values("series"))


def count_waiting(actor: User) -> int:
    """Count the CTs that wait for this person: to review, to outline as asked, or to correct as returned."""
    if not has_permission(actor, Permission.UPLOAD_MASK):
        return 0
    mine = Outline.objects.filter(annotator=actor)
    asked = Q(revision=0, submitted=None, assigned_by__isnull=False)
    count = mine.filter(asked | Q(submitted__state=Mask.State.RETURNED)).count()
    if not has_permission(actor, Permission.REVIEW_MASK):
        return count
    return count + waiting_for(actor).values("series").distinct().count()
