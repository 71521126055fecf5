"""The gates: which centers a person may act in, and one-object look-ups that fail alike for absent and foreign."""

from typing import TypeVar, cast

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.http import Http404

from apps.accounts.models import Center, Membership, User
from apps.accounts.policy import BLINDED, MATRIX, Permission, Role

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
    granting = _granting(actor, permission)
    if center is None:
        return bool(granting)
    blinded = permission in BLINDED and is_assessor(actor, center)
    return not blinded and any(m.center_id is None or m.center_id == center.pk for m in granting)


def is_assessor(actor: Actor, center: Center | None = None) -> bool:
    """Say whether the actor assesses outcomes in a center, or (no center given) in any."""
    held = [m for m in memberships_of(actor) if m.role == Role.ASSESSOR]
    return any(center is None or m.center_id is None or m.center_id == center.pk for m in held)


def _granting(actor: Actor, permission: Permission) -> list[Membership]:
    """Return the memberships that give a permission, without those in a center where the actor is blinded to it."""
    granting = [m for m in memberships_of(actor) if permission in MATRIX[Role(m.role)]]
    if permission not in BLINDED:
        return granting
    blinded = _assessed_centers(actor)
    return [] if None in blinded else [m for m in granting if m.center_id not in blinded]


def _assessed_centers(actor: Actor) -> set[int | None]:
    return {m.center_id for m in memberships_of(actor) if m.role == Role.ASSESSOR}


def has_permission_everywhere(actor: Actor, permission: Permission) -> bool:
    """Say whether the actor holds a permission in all centers."""
    if permission in BLINDED and is_assessor(actor):
        return False
    return any(m.center_id is None for m in _granting(actor, permission))


def centers_with(actor: Actor, permission: Permission) -> QuerySet[Center]:
    """Return the centers in which the actor holds a permission."""
    return Center.objects.filter(in_centers(actor, permission, "pk"))


def in_centers(actor: Actor, permission: Permission, path: str = "patient__center") -> Q:
    """Return what the rows of the centers fulfill in which the actor holds a permission; `path` is never null.

    It names the centers themselves, where `centers_with` asks for them: half the work where a page counts rows.
    """
    if has_permission_everywhere(actor, permission):
        return ~Q(pk__in=())  # all rows; an empty Q would vanish from an OR
    given = {m.center_id for m in _granting(actor, permission)}
    if None in given:  # blinded in some of all centers
        return ~Q(**{f"{path}__in": [key for key in _assessed_centers(actor) if key is not None]})
    return Q(**{f"{path}__in": [key for key in given if key is not None]})


def require(actor: Actor, permission: Permission, center: Center | None = None) -> None:
    """Raise Http404 unless the actor holds the permission: what may not be done can't be told from what isn't there."""
    if not has_permission(actor, permission, center):
        raise Http404


def require_everywhere(actor: Actor, permission: Permission) -> None:
    """Raise Http404 unless the actor holds the permission in all centers: what is done to the study as a whole."""
    if not has_permission_everywhere(actor, permission):
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
