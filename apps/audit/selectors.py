"""Reading the trail: the events that an actor may see, and a page of them in words."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from functools import reduce
from operator import or_
from typing import Any

from django.apps import apps
from django.db.models import Q, QuerySet

from apps.accounts.access import Actor, centers_with, get_visible, has_permission_everywhere
from apps.accounts.policy import Permission
from apps.audit.models import AuditEvent
from apps.audit.words import Action, Change, action_of, kinds, shown_reason

PAGE_SIZE = 50
BATCH = 500


# Returns which events a person must not see at the moment, or None; what later apps know.
Hiding = Callable[[Actor], Q | None]
_hidings: list[Hiding] = []


@dataclass(frozen=True)
class ShownEvent:
    """One event in words; `study_id` is "" where it is about no patient."""

    event: AuditEvent
    action: Action
    kind: str
    study_id: str
    changes: list[Change]
    reason: str


@dataclass(frozen=True)
class TrailPage:
    """The newest events of a choice, and whether older ones follow."""

    events: list[ShownEvent]
    has_older: bool

    @property
    def last(self) -> int:
        """Number of the oldest event shown: what an older page begins behind."""
        return self.events[-1].event.pk if self.events else 0


def hide(hiding: Hiding) -> None:
    """Name who knows which events a person must not see at the moment."""
    if hiding not in _hidings:
        _hidings.append(hiding)


def hidden_from(actor: Actor) -> Q | None:
    """Return which events the actor must not see at the moment; None: he sees all that his role shows."""
    found = [hidden for hiding in _hidings if (hidden := hiding(actor)) is not None]
    return reduce(or_, found) if found else None


def events_visible_to(actor: Actor) -> QuerySet[AuditEvent]:
    """Return the events of the centers whose trail the actor may read; those of no center, where he may read all."""
    events = AuditEvent.objects.select_related("actor")
    if (hidden := hidden_from(actor)) is not None:
        events = events.exclude(hidden)
    if has_permission_everywhere(actor, Permission.VIEW_AUDIT):
        return events
    return events.filter(center__in=centers_with(actor, Permission.VIEW_AUDIT))


def chosen_events(actor: Actor, chosen: Mapping[str, Any]) -> QuerySet[AuditEvent]:
    """Return the visible events that the filters (`TrailFilter.cleaned_data`) leave, newest first.

    Raises Http404 for a page that begins behind an event that the actor does not see.
    """
    visible = events_visible_to(actor)
    events = visible.select_related("actor", "center")
    if study_id := chosen.get("patient"):
        events = events.filter(_of_patient(study_id))
    for name, column in (("person", "actor"), ("action", "action"), ("kind", "object_type"), ("center", "center")):
        if value := chosen.get(name):
            events = events.filter(**{column: value})
    if since := chosen.get("since"):
        events = events.filter(at__gte=datetime.combine(since, time.min, UTC))
    if until := chosen.get("until"):
        events = events.filter(at__lte=datetime.combine(until, time.max, UTC))
    if before := chosen.get("before"):
        events = _behind(events, get_visible(visible, pk=before))
    return events.order_by("-at", "-pk").defer("rows")


def _behind(events: QuerySet[AuditEvent], last: AuditEvent) -> QuerySet[AuditEvent]:
    # The first condition alone is what an index can begin at.
    return events.filter(at__lte=last.at).exclude(at=last.at, pk__gte=last.pk)


def _of_patient(study_id: str) -> Q:
    """Return what an event of one patient fulfills: its object is one of his."""
    found = Q(pk__in=[])
    for kind in kinds.values():
        if kind.study_id:
            model = apps.get_model(kind.object_type)
            keys = model._default_manager.filter(**{kind.study_id: study_id.upper()}).values_list("pk", flat=True)
            if keys := [str(key) for key in keys]:
                found |= Q(object_type=kind.object_type, object_id__in=keys)
    return found


def page_of(events: QuerySet[AuditEvent], size: int = PAGE_SIZE) -> TrailPage:
    """Return the first events of a choice in words."""
    found = list(events[: size + 1])
    return TrailPage(in_words(found[:size]), has_older=len(found) > size)


def all_in_words(events: QuerySet[AuditEvent]) -> Iterator[ShownEvent]:
    """Yield every event of a choice in words, some hundred at a time."""
    batch = list(events[:BATCH])
    while batch:
        yield from in_words(batch)
        batch = list(_behind(events, batch[-1])[:BATCH])


def in_words(events: list[AuditEvent]) -> list[ShownEvent]:
    """Return events in words, in one query for each kind of object among them."""
    study_ids = _study_ids(events)
    shown = []
    for event in events:
        action, kind = action_of(event.action), kinds.get(event.object_type)
        shown.append(
            ShownEvent(
                event,
                action,
                str(kind.name) if kind else event.object_type,
                study_ids.get((event.object_type, event.object_id), ""),
                action.changes(event.changes, event.at),
                shown_reason(event.reason),
            )
        )
    return shown


def _study_ids(events: list[AuditEvent]) -> dict[tuple[str, str], str]:
    keys: dict[str, set[str]] = defaultdict(set)
    for event in events:
        if event.object_type in kinds and kinds[event.object_type].study_id:
            keys[event.object_type].add(event.object_id)
    found = {}
    for object_type, wanted in keys.items():
        rows = apps.get_model(object_type)._default_manager.filter(pk__in=wanted)
        for key, study_id in rows.values_list("pk", kinds[object_type].study_id):
            found[object_type, str(key)] = study_id
    return found
