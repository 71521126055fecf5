"""Reading people and centers."""

from django.db.models import QuerySet

from apps.accounts.access import Actor, has_permission
from apps.accounts.models import Center, User
from apps.accounts.policy import Permission


def accounts_visible_to(actor: Actor) -> QuerySet[User]:
    """Return all accounts for an administrator, none for anybody else."""
    if not has_permission(actor, Permission.MANAGE_ACCOUNTS):
        return User.objects.none()
    return User.objects.prefetch_related("memberships__center").order_by("username")


def all_centers() -> QuerySet[Center]:
    """Return every center; codes and names of centers are no secret inside a study."""
    return Center.objects.all()
