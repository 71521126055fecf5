"""Reading the trail."""

from django.db.models import QuerySet

from apps.accounts.access import Actor, centers_with, has_permission_everywhere
from apps.accounts.policy import Permission
from apps.audit.models import AuditEvent


def events_visible_to(actor: Actor) -> QuerySet[AuditEvent]:
    """Return the events of the centers whose trail the actor may read; those of no center, where he may read all."""
    events = AuditEvent.objects.select_related("actor")
    if has_permission_everywhere(actor, Permission.VIEW_AUDIT):
        return events
    return events.filter(center__in=centers_with(actor, Permission.VIEW_AUDIT))
