"""The stored objects that an address means, found through the actor's centers in one query."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest

from apps.imaging.dicomweb.access import visible
from apps.imaging.models import Instance

_FIELDS = ("file", "size", "sha256", "transfer_syntax_uid", "sop_instance_uid", "series__series_instance_uid")


@dataclass(frozen=True)
class Stored:
    """One instance as far as sending its file needs it."""

    file: str
    size: int
    sha256: str
    syntax: str
    uid: str
    series_uid: str


def rows_at(
    request: HttpRequest, study: str, series: str | None = None, instance: str | None = None
) -> QuerySet[Instance]:
    """Return the visible instances below an address, in the order of their numbers."""
    rows = Instance.objects.filter(visible(request, "series__study__center"), series__study__study_instance_uid=study)
    if series is not None:
        rows = rows.filter(series__series_instance_uid=series)
    if instance is not None:
        return rows.filter(sop_instance_uid=instance)
    return rows.order_by("series__number", "series_id", "number", "pk")


def stored_at(request: HttpRequest, **address: Any) -> list[Stored]:
    """Return every instance below an address; Http404 where there is none."""
    found = [Stored(*values) for values in rows_at(request, **address).values_list(*_FIELDS)]
    if not found:
        raise Http404
    return found
