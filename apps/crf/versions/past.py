"""Earlier versions: what was entered under one of them is read by that one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from apps.crf.dictionary import Dictionary, Variable, load_dictionary
from apps.crf.versions.current import SHIPPED, begun
from apps.crf.versions.models import DictionaryVersion


def dictionary_at(at: datetime) -> Dictionary:
    """Return the dictionary that was in force at a moment."""
    return next((load_dictionary(key) for since, key in _versions() if since <= at), load_dictionary(SHIPPED))


def dictionary_before(dictionary: Dictionary) -> Dictionary:
    """Return the version before; the first one is before itself."""
    keys = [*(key for _began, key in _versions()), SHIPPED]
    place = keys.index(dictionary.id)
    return load_dictionary(keys[min(place + 1, len(keys) - 1)])


def variable_named(name: str) -> Variable | None:
    """Return a variable as it is now, or as the last version that had it knew it."""
    return next((found for each in _all() if (found := each.all_variables.get(name))), None)


def earlier_names(name: str) -> list[str]:
    """Return the names under which a variable stood before, the newest first."""
    found: list[str] = []
    moves = DictionaryVersion.objects.filter(state=DictionaryVersion.State.PUBLISHED).order_by("-number")
    for rules in moves.values_list("moves", flat=True) if load_dictionary().id != SHIPPED else ():
        if source := rules.get(found[-1] if found else name, {}).get("source"):
            found.append(source)
    return found


def _all() -> Iterator[Dictionary]:
    yield load_dictionary()
    for _began, key in _versions():
        yield load_dictionary(key)
    yield load_dictionary(SHIPPED)


def _versions() -> list[tuple[datetime, str]]:
    current = load_dictionary().id
    if current == SHIPPED:
        return []
    if current not in begun:
        rows = DictionaryVersion.objects.filter(state=DictionaryVersion.State.PUBLISHED).order_by("-number")
        begun[current] = [(row.published_at, row.dictionary_id) for row in rows.defer("content") if row.published_at]
    return begun[current]
