"""The hash chain: what the digest of an event covers, and how an event is tied to all before it.

Both are computed from plain JSON in one canonical form, so that PostgreSQL's jsonb and SQLite's text give the same.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import models

# What the digest of an event covers: all of it but the number, which is part of the chain.
FIELDS = ("at", "actor_id", "action", "object_type", "object_id", "center_id", "changes", "reason", "rows")
# What stands before the first event.
START = "0" * 64
_AS_IT_IS = frozenset({type(None), bool, int, str})


def plain(value: Any) -> Any:
    """Return a value as JSON knows it, in the one form that both databases give back.

    A whole number has no decimal point, as jsonb may drop or add one; a moment is UTC to the microsecond.
    """
    if type(value) in _AS_IT_IS:
        return value
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int | float | str):
        return value
    raise TypeError(f"A value of type {type(value).__name__} has no place in the audit trail.")


def sha256_of(value: Any) -> str:
    """Return the SHA-256 (hex) of a value's canonical JSON: keys in order, no spaces, ASCII with escapes."""
    text = json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def digest_of(event: Mapping[str, Any]) -> str:
    """Return the digest of an event, given its FIELDS by name."""
    return sha256_of({name: event[name] for name in FIELDS})


def next_chain(before: str, digest: str, event_id: int) -> str:
    """Return the chain's value after an event. The trigger of PostgreSQL computes the same (protection.py)."""
    return hashlib.sha256(f"{before}{digest}{event_id}".encode("ascii")).hexdigest()


def digests_of_rows(rows: Iterable[models.Model]) -> dict[str, Any]:
    """Return what an event keeps of rows of one model that it wrote: each row's digest, and what that covers."""
    rows = list(rows)
    if not rows:
        return {}
    fields = fields_of(type(rows[0]))
    digests = {str(row.pk): sha256_of({name: getattr(row, name) for name in fields}) for row in rows}
    # The names are kept, so that a column added later does not make old digests wrong.
    return {"model": type(rows[0])._meta.label_lower, "fields": fields, "digests": digests}


def fields_of(model: type[models.Model]) -> list[str]:
    """Return the names of a model's columns."""
    return [field.attname for field in model._meta.concrete_fields]


def append_link(event: Any, link_model: Any) -> None:
    """Put an event at the end of the chain. For a database with one writer at a time; PostgreSQL does it at commit."""
    last = link_model.objects.order_by("-sequence").first()
    sequence, before = (last.sequence, last.chain) if last else (0, START)
    link_model.objects.create(
        sequence=sequence + 1, event_id=event.pk, chain=next_chain(before, event.digest, event.pk)
    )
