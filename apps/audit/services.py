"""Writing the trail. Called inside the transaction of the change that it describes."""

from collections.abc import Mapping
from typing import Any

from django.db import connection, models

from apps.accounts.models import Center, User
from apps.audit.models import AuditEvent


def record(
    *,
    actor: User | None,
    action: str,
    target: models.Model,
    center: Center | None = None,
    changes: Mapping[str, Any] | None = None,
    reason: str = "",
) -> AuditEvent:
    """Add one row to the trail; the caller's transaction must be open, so that both are written or neither."""
    if not connection.in_atomic_block:
        raise RuntimeError("An audit event belongs into the transaction of its change.")
    return AuditEvent.objects.create(
        actor=actor,
        action=action,
        object_type=target._meta.label_lower,
        object_id=str(target.pk),
        center=center,
        changes=dict(changes or {}),
        reason=reason,
    )
