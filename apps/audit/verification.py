"""Recomputing the whole trail: is every event as it was written, in its place, and is none missing or added?"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db import connection, models, transaction

from apps.audit.chain import FIELDS, START, digest_of, next_chain, sha256_of
from apps.audit.models import AuditEvent, AuditLink
from apps.audit.protection import unprotected

CHUNK = 2000


@dataclass(frozen=True)
class Fault:
    """Something that is not as it was written: where, and in a sentence what."""

    place: str
    sentence: str


# What later apps add: the labels of models whose every row must stand in the trail, and checks of their own.
vouched_models: list[str] = []
checks: list[Callable[[], Iterator[Fault]]] = []


@dataclass
class Verification:
    """One pass over the trail; `faults()` yields what is wrong, and fills in the rest on the way."""

    noted_head: str = ""
    count: int = 0
    first: datetime | None = None
    last: datetime | None = None
    head: str = START
    _rows: "_Rows" = field(default_factory=lambda: _Rows())

    def faults(self) -> Iterator[Fault]:
        """Yield every fault. All of it is read as it stood at one moment, while others may go on writing."""
        with _one_moment():
            yield from self._unprotected()
            found_head = not self.noted_head
            try:
                for link in _links():
                    yield from self._check(link)
                    found_head = found_head or link["chain"] == self.noted_head
            except (ValueError, TypeError):  # what no longer is a date or JSON, the driver refuses to read
                yield Fault(f"after place {self.count} in the chain", "an event can't be read; nothing after it was.")
                return
            if not found_head:
                yield Fault(
                    "the chain", "the head noted earlier is not part of it: events were removed or replaced since then."
                )
            yield from _loose_events()
            yield from self._rows.rest()
            for check in checks:
                yield from check()

    def _unprotected(self) -> Iterator[Fault]:
        guarded: list[type[models.Model]] = [AuditEvent, AuditLink, *map(apps.get_model, vouched_models)]
        for table in unprotected(connection, [model._meta.db_table for model in guarded]):
            yield Fault(f"table {table}", "the database does not refuse changes: its protecting triggers are absent.")

    def _check(self, link: dict[str, Any]) -> Iterator[Fault]:
        place = f"event {link['event_id']} (place {link['sequence']} in the chain)"
        yield from _gap(self.count, link["sequence"])
        content = {name: link[f"event__{name}"] for name in FIELDS}
        digest = link["event__digest"]
        if _or_none(digest_of, content) == digest:
            yield from self._rows.add(link["event_id"], content["rows"])
        else:
            # Nor is what it says of other rows believed.
            yield Fault(place, "its content is not what was written.")
        if next_chain(self.head, digest, link["event_id"]) != link["chain"]:
            yield Fault(place, "it does not continue the chain: it, its place or an event before it was changed.")
        self.count, self.head, self.last = link["sequence"], link["chain"], content["at"]
        self.first = self.first or content["at"]


def _or_none(function: Callable[[Any], str], value: Any) -> str | None:
    """Return a digest, or None for what never had one."""
    try:
        return function(value)
    except (TypeError, ValueError):
        return None


def _links() -> Iterator[dict[str, Any]]:
    names = ["sequence", "event_id", "chain", "event__digest", *(f"event__{name}" for name in FIELDS)]
    yield from AuditLink.objects.order_by("sequence").values(*names).iterator(chunk_size=CHUNK)


def _gap(before: int, sequence: int) -> Iterator[Fault]:
    if sequence == before + 1:
        return
    missing = f"place {before + 1} to {sequence - 1} in the chain" if sequence > before + 2 else f"place {before + 1}"
    yield Fault(missing, "there is no event here: it was deleted or moved.")


def _loose_events() -> Iterator[Fault]:
    for key in AuditEvent.objects.filter(link=None).order_by("pk").values_list("pk", flat=True).iterator():
        yield Fault(
            f"event {key}", "it has no place in the chain: it was added past the platform, or its place deleted."
        )
    linked = AuditLink.objects.filter(~models.Exists(AuditEvent.objects.filter(pk=models.OuterRef("event_id"))))
    for sequence, key in linked.values_list("sequence", "event_id").iterator():
        yield Fault(f"event {key} (place {sequence} in the chain)", "it was deleted.")


class _Rows:
    """Compares rows of other tables with the events that vouch for them, some hundred at a time."""

    def __init__(self) -> None:
        self.waiting: dict[tuple[str, tuple[str, ...]], dict[int, tuple[int, str]]] = {}
        self.seen: dict[str, _Keys] = {}

    def add(self, event_id: int, rows: dict[str, Any]) -> Iterator[Fault]:
        if not rows:
            return
        group = rows["model"], tuple(rows["fields"])
        waiting = self.waiting.setdefault(group, {})
        waiting.update({int(key): (event_id, digest) for key, digest in rows["digests"].items()})
        if len(waiting) >= CHUNK:
            yield from self._compare(group)

    def _compare(self, group: tuple[str, tuple[str, ...]]) -> Iterator[Fault]:
        label, fields = group
        waiting = self.waiting.pop(group)
        model = apps.get_model(label)
        found = {
            row[model._meta.pk.attname]: row for row in model._default_manager.filter(pk__in=waiting).values(*fields)
        }
        for key, (event_id, digest) in waiting.items():
            place = f"row {key} of {model._meta.db_table}, written with event {event_id}"
            if key not in found:
                yield Fault(place, "it was deleted.")
            elif _or_none(sha256_of, found[key]) != digest:
                yield Fault(place, "its content is not what was written.")
            self.seen.setdefault(label, _Keys()).add(key)

    def rest(self) -> Iterator[Fault]:
        """Yield what is wrong with the last rows, and the rows that no event vouches for."""
        for group in list(self.waiting):
            yield from self._compare(group)
        for label in vouched_models:
            model, seen = apps.get_model(label), self.seen.get(label, _Keys())
            for key in model._default_manager.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=CHUNK):
                if key not in seen:
                    yield Fault(
                        f"row {key} of {model._meta.db_table}", "no event tells of it: it was added past the platform."
                    )


class _Keys:
    """A set of row numbers in a bit each, so that millions of rows fit."""

    def __init__(self) -> None:
        self.pages: dict[int, bytearray] = {}

    def add(self, key: int) -> None:
        page, place = key >> 15, key & 0x7FFF
        self.pages.setdefault(page, bytearray(4096))[place >> 3] |= 1 << (place & 7)

    def __contains__(self, key: int) -> bool:
        page = self.pages.get(key >> 15)
        return page is not None and bool(page[(key & 0x7FFF) >> 3] & (1 << (key & 7)))


@contextmanager
def _one_moment() -> Iterator[None]:
    """Read everything as it stood at one moment; nobody who writes meanwhile waits."""
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    else:
        # Not atomic(): this database's transactions take the place of the writer at once.
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
