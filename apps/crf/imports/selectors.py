"""Reading imports."""

from django.db.models import QuerySet

from apps.accounts.access import Actor, has_permission
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.crf.imports.models import Import


def imports_visible_to(actor: Actor) -> QuerySet[Import]:
    """Return the actor's own imports, without their files, as long as he may import."""
    if not isinstance(actor, User) or not has_permission(actor, Permission.IMPORT_CRF):
        return Import.objects.none()
    return Import.objects.filter(requested_by=actor).select_related("job", "requested_by").defer("content")
