"""Reading exports."""

from django.db.models import QuerySet

from apps.accounts.access import Actor, centers_with
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.cohorts.models import Export


def exports_visible_to(actor: Actor) -> QuerySet[Export]:
    """Return the actor's own exports, as long as he may still export all the centers that are in them."""
    if not isinstance(actor, User):
        return Export.objects.none()
    codes = set(centers_with(actor, Permission.EXPORT_DATA).values_list("code", flat=True))
    mine = Export.objects.filter(requested_by=actor).select_related("job", "requested_by")
    return mine.exclude(
        pk__in=[pk for pk, centers in mine.values_list("pk", "centers") if not codes.issuperset(centers)]
    )
