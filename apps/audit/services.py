"""Writing the trail. Called inside the transaction of the change that it describes."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import connection, models
from django.utils import timezone

from apps.accounts.models import Center, User
from apps.audit.chain import append_link, digest_of, digests_of_rows, plain
from apps.audit.models import AuditEvent, AuditLink


def record(
    *,
    actor: User | None,
    action: str,
    target: models.Model,
    center: Center | None = None,
    changes: Mapping[str, Any] | None = None,
    reason: str = "",
    rows: Iterable[models.Model] = (),
    at: datetime | None = None,
) -> AuditEvent:
    """Add one row to the trail; the caller's transaction must be open, so that both are written or neither.

    `rows` are the rows of one model that the change added and that nobody may alter: their digests become part of the
    event. `at` is the moment that the change itself wrote down, where there is one.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("An audit event belongs into the transaction of its change.")
    values: dict[str, Any] = {
        "at": at or timezone.now(),
        "actor_id": actor.pk if actor else None,
        "action": action,
        "object_type": target._meta.label_lower,
        "object_id": str(target.pk),
        "center_id": center.pk if center else None,
        "changes": plain(dict(changes or {})),
        "reason": reason,
        "rows": digests_of_rows(rows),
    }
    event = AuditEvent.objects.create(**values, digest=digest_of(values))
    if connection.vendor == "sqlite":
        append_link(event, AuditLink)
    return event
