"""What two people who outline the same CT may see of each other: nothing, until both have submitted."""

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from apps.accounts.access import Actor
from apps.accounts.models import User
from apps.annotation.models import DoubleReading
from apps.core.errors import Conflict
from apps.imaging.models import Series


def open_readings() -> QuerySet[DoubleReading]:
    """Return the double readings of which at least one outline lacks."""
    return DoubleReading.objects.filter(closed_at=None)


def open_reading(series: Series) -> DoubleReading | None:
    """Return the double reading of a series, while it is open."""
    return open_readings().filter(series=series).first()


def refuse_others(actor: User, reading: DoubleReading | None) -> None:
    """Refuse everybody but the two while a double reading is open."""
    if reading is not None and not reading.is_by(actor):
        raise Conflict(
            "double_reading_open",
            _("Two people outline this CT blind to each other. Wait until both have submitted."),
        )


def reads(actor: User) -> Q:
    """Return what the double readings fulfill of which the actor is one of the two."""
    return Q(first=actor) | Q(second=actor)


def is_one_of_two(actor: User, series: Series) -> bool:
    """Say whether the actor is one of the two of a double reading: what counts is settled by a third."""
    return DoubleReading.objects.filter(reads(actor), series=series).exists()


def unseen_by(actor: Actor) -> Q:
    """Return what the masks fulfill that the actor must not see yet: of the CTs that he outlines blind, the other's."""
    if not isinstance(actor, User):
        return Q(pk__in=())
    return Q(series__in=open_readings().filter(reads(actor)).values("series")) & ~Q(uploaded_by=actor)
