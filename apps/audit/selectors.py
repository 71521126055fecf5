"""Reading the trail."""

from django.db.models import QuerySet

from apps.accounts.access import Actor, centers_with
from apps.accounts.policy import Permission
from apps.audit.models import AuditEvent


def events_visible_to(actor: Actor) -> QuerySet[AuditEvent]:
    """Return the events of the centers whose trail the actor may read."""
    return AuditEvent.objects.filter(center__in=centers_with(actor, Permission.VIEW_AUDIT)).select_related("actor")
