"""Which version of the data dictionary the forms ask by: looked up once in each request and each job."""

from __future__ import annotations

import json
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.utils.translation import gettext as _

from apps.core.errors import Conflict

if TYPE_CHECKING:
    from apps.crf.dictionary import Dictionary

# The one that is shipped, by which a study begins.
SHIPPED = "ich-1"
# A number that no other lock of the database uses.
_LOCK = 4812070002

_current: ContextVar[Dictionary | None] = ContextVar("dictionary", default=None)
# What is published never changes.
_published: dict[str, Dictionary] = {}
# By the id of the newest: since when each version is in force, the newest first.
begun: dict[str, list[tuple[datetime, str]]] = {}


class DictionaryChanged(Conflict):
    """Another version was published since the request began; nothing was saved."""

    def __init__(self) -> None:
        super().__init__(
            "dictionary_changed",
            _("The questions of the forms have changed meanwhile, so nothing was saved. Check what you typed."),
        )


def current_dictionary() -> Dictionary:
    """Return the dictionary by which this request or job asks."""
    found = _current.get()
    if found is None:
        found = dictionary_of(published_id())
        _current.set(found)
    return found


def published_id() -> str:
    """Return the id of the newest published version, from the database."""
    from apps.crf.versions.models import DictionaryVersion

    rows = DictionaryVersion.objects.filter(state=DictionaryVersion.State.PUBLISHED).order_by("-number")
    found = rows.values_list("name", "number").first()
    return f"{found[0]}-{found[1]}" if found else SHIPPED


def dictionary_of(dictionary_id: str) -> Dictionary:
    """Return a published dictionary; KeyError where there is none of this id."""
    from apps.crf.dictionary import dictionary_from_json, shipped_dictionary
    from apps.crf.versions.models import DictionaryVersion

    if dictionary_id == SHIPPED:
        return shipped_dictionary()
    if dictionary_id not in _published:
        name, _dash, number = dictionary_id.rpartition("-")
        if not number.isdecimal():
            raise KeyError(dictionary_id)
        rows = DictionaryVersion.objects.filter(state=DictionaryVersion.State.PUBLISHED, name=name, number=number)
        content = rows.values_list("content", flat=True).first()
        if content is None:
            raise KeyError(dictionary_id)
        _published[dictionary_id] = dictionary_from_json(json.dumps(content))
    return _published[dictionary_id]


def ask_by(dictionary: Dictionary | None) -> None:
    """Have this request or job ask by a dictionary; None looks up again which one is published."""
    _current.set(dictionary)


def look_again(**_kwargs: Any) -> None:
    """Forget what an earlier request or job of this thread looked up."""
    _current.set(None)


def forget_published() -> None:
    """Read all versions again; for who replaces the database under a running process, as tests do."""
    _published.clear()
    begun.clear()
    _current.set(None)


def hold_dictionary() -> None:
    """Keep a publication away until the end of this transaction; DictionaryChanged if one came since it was read.

    SQLite has one writer at a time, which holds it by itself.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_LOCK])
    if published_id() != current_dictionary().id:
        look_again()
        raise DictionaryChanged


def hold_saves() -> None:
    """Keep every save of a form away until the end of this transaction, after those under way have ended."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
