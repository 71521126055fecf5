"""A cohort holds the patients of every center, so what is done with it needs the permission in all of them."""

from django.http import Http404

from apps.accounts.access import Actor, has_permission_everywhere
from apps.accounts.policy import Permission


def require_everywhere(actor: Actor, permission: Permission) -> None:
    """Raise Http404 unless the actor holds the permission in all centers."""
    if not has_permission_everywhere(actor, permission):
        raise Http404
