"""Accounts in the trail: who got an account, a role or a new password, who signed in, who took the trail away."""

from collections.abc import Mapping
from typing import Any

from allauth.account import signals
from allauth.mfa import signals as second_factor
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.accounts.signals import account_changed
from apps.audit.services import record
from apps.audit.words import Action, Kind, Shown, register


def register_words() -> None:
    """Register the words of accounts."""
    name = {"username": Shown(_("user name"))}
    role = name | {"role": Shown(_("role"), show=_role)}
    register(
        Kind("accounts.user", _("Account")),
        Kind("accounts.center", _("Center")),
        Action("create_center", _("Created a center"), {"code": Shown(_("code")), "name": Shown(_("name"))}),
        Action(
            "create_account",
            _("Created an account"),
            name | {"full_name": Shown(_("full name"))},
        ),
        Action("give_role", _("Gave an account a role"), role),
        Action("take_role", _("Took a role from an account"), role),
        Action("sign_in", _("Signed in")),
        Action("change_password", _("Changed the own password")),
        Action("add_second_factor", _("Added a second factor for signing in")),
        Action("remove_second_factor", _("Removed a second factor for signing in")),
        Action("download_trail", _("Downloaded the audit trail")),
    )


def connect() -> None:
    """Listen to what happens to accounts."""
    account_changed.connect(_write_change)
    signals.user_logged_in.connect(_write_sign_in)
    signals.password_changed.connect(_write_password)
    signals.password_reset.connect(_write_password)
    second_factor.authenticator_added.connect(_write_added)
    second_factor.authenticator_removed.connect(_write_removed)


@transaction.atomic
def record_download(actor: User) -> None:
    """Write down that somebody downloads the trail."""
    record(actor=actor, action="download_trail", target=actor)


def _write_change(
    sender: object, *, action: str, target: User | Center, center: Center | None, changes: Mapping[str, Any],
    **_more: object,
) -> None:  # fmt: skip
    # Accounts and roles are given at the command line of the server, where no person has signed in.
    record(actor=None, action=action, target=target, center=center, changes=changes)


@transaction.atomic
def _write_sign_in(sender: object, *, user: User, **_more: object) -> None:
    record(actor=user, action="sign_in", target=user)


@transaction.atomic
def _write_password(sender: object, *, user: User, **_more: object) -> None:
    record(actor=user, action="change_password", target=user)


@transaction.atomic
def _write_added(sender: object, *, user: User, authenticator: Authenticator, **_more: object) -> None:
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:  # they come and go with the factor
        record(actor=user, action="add_second_factor", target=user)


@transaction.atomic
def _write_removed(sender: object, *, user: User, authenticator: Authenticator, **_more: object) -> None:
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:
        record(actor=user, action="remove_second_factor", target=user)


def _role(value: str) -> str | Promise:
    return Role(value).label if value in Role.values else value
