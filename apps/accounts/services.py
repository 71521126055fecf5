"""Creating centers and accounts, and giving roles."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.models import Center, Membership, User
from apps.accounts.policy import CENTER_ROLES, Role
from apps.accounts.signals import account_changed
from apps.core.errors import Conflict, Refusal


@transaction.atomic
def create_center(*, code: str, name: str) -> Center:
    """Create a center."""
    center = Center(code=code.strip(), name=name.strip())
    _check(center)
    center.save()
    _tell("create_center", center, center, code=[None, center.code], name=[None, center.name])
    return center


@transaction.atomic
def create_user(*, username: str, full_name: str, email: str, password: str) -> User:
    """Create an account without any role."""
    user = User(username=username, full_name=full_name.strip(), email=email)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Refusal("weak_password", " ".join(error.messages)) from error
    user.set_password(password)
    _check(user)
    user.save()
    _tell("create_account", user, None, username=[None, user.username], full_name=[None, user.full_name])
    return user


@transaction.atomic
def give_role(*, user: User, role: Role, center: Center | None) -> Membership:
    """Give a role in one center, or (center None) in all of them."""
    if center is None and role in CENTER_ROLES:
        raise Refusal(
            "role_needs_center", _("The role %(role)s belongs to one center. Name the center.") % {"role": role}
        )
    membership, created = Membership.objects.get_or_create(user=user, role=role, center=center)
    if not created:
        raise Conflict("role_known", _("The account has this role already."))
    _tell("give_role", user, center, username=[None, user.username], role=[None, str(role)])
    return membership


@transaction.atomic
def take_role(*, user: User, role: Role, center: Center | None) -> None:
    """Take a role away; what the person did with it stays his."""
    deleted, _rows = Membership.objects.filter(user=user, role=role, center=center).delete()
    if not deleted:
        raise Conflict("role_absent", _("The account does not have this role there."))
    _tell("take_role", user, center, username=[user.username, None], role=[str(role), None])


def _tell(action: str, target: User | Center, center: Center | None, **changes: list[str | None]) -> None:
    account_changed.send(type(target), action=action, target=target, center=center, changes=changes)


def _check(row: Center | User) -> None:
    try:
        row.full_clean()
    except ValidationError as error:
        raise Refusal(
            "not_valid", " ".join(f"{name}: {' '.join(m)}" for name, m in error.message_dict.items())
        ) from error
