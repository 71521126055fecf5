"""The gates: which centers a person may act in, and one-object look-ups that fail alike for absent and foreign."""

from typing import TypeVar, cast

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404

from apps.accounts.models import Center, Membership, User
from apps.accounts.policy import MATRIX, Permission, Role, roles_with

Actor = User | AnonymousUser


def person(actor: Actor) -> User:
    """Return the signed-in person behind a request; a view that needs one is never reached without."""
    if not isinstance(actor, User):
        raise PermissionDenied
    return actor


M = TypeVar("M", bound=Model)


def memberships_of(actor: Actor) -> list[Membership]:
    """Return the actor's memberships, read once per request."""
    if not isinstance(actor, User) or not actor.is_active:
        return []
    cached = cast("list[Membership] | None", getattr(actor, "_memberships", None))
    if cached is None:
        cached = list(actor.memberships.select_related("center"))
        actor._memberships = cached  # type: ignore[attr-defined]
    return cached


def roles_of(actor: Actor) -> list[Role]:
    """Return the actor's roles, each once, in the order of the matrix."""
    held = {membership.role for membership in memberships_of(actor)}
    return [role for role in MATRIX if role in held]


def has_permission(actor: Actor, permission: Permission, center: Center | None = None) -> bool:
    """Say whether the actor holds a permission in a center, or (no center given) in any."""
    granting = [m for m in memberships_of(actor) if permission in MATRIX[Role(m.role)]]
    if center is None:
        return bool(granting)
    return any(m.center_id is None or m.center_id == center.pk for m in granting)


def has_permission_everywhere(actor: Actor, permission: Permission) -> bool:
    """Say whether the actor holds a permission in all centers."""
    return any(m.center_id is None and permission in MATRIX[Role(m.role)] for m in memberships_of(actor))


def centers_with(actor: Actor, permission: Permission) -> QuerySet[Center]:
    """Return the centers in which the actor holds a permission."""
    if has_permission_everywhere(actor, permission):
        return Center.objects.all()
    roles = roles_with(permission)
    mine = [m.center_id for m in memberships_of(actor) if m.role in roles and m.center_id is not None]
    return Center.objects.filter(pk__in=mine)


def require(actor: Actor, permission: Permission, center: Center | None = None) -> None:
    """Raise Http404 unless the actor holds the permission: what may not be done can't be told from what isn't there."""
    if not has_permission(actor, permission, center):
        raise Http404


def get_visible(queryset: QuerySet[M], **lookup: object) -> M:
    """Return the one object of an already scoped queryset, or raise Http404."""
    # PostgreSQL refuses this character with an error; nothing can be stored under a name that has it.
    if any(isinstance(value, str) and "\x00" in value for value in lookup.values()):
        raise Http404
    found = queryset.filter(**lookup).first()
    if found is None:
        raise Http404
    return found
