"""Accounts in the trail: roles, sign-ins, passwords, second factors, and who took the trail away."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from apps.accounts import services
from apps.accounts.access import has_permission
from apps.accounts.models import Center, User
from apps.accounts.policy import Permission, Role
from apps.audit.models import AuditEvent
from apps.audit.selectors import in_words
from apps.core.errors import Conflict
from tests.audit.trails import faults
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db
DETAILS = {"username": "mwang", "full_name": "Min Wang", "email": "mwang@hospital.example", "password": PASSWORD}


@pytest.fixture(autouse=True)
def no_rate_limit() -> None:
    cache.clear()


@pytest.fixture
def user() -> User:
    found: User = UserFactory(username="mwang")
    return found


def told() -> list[tuple[str, str, list[str], str | None]]:
    """Return (action, kind, changes, center) of every event, the oldest first."""
    events = list(AuditEvent.objects.select_related("center").order_by("pk"))
    return [
        (
            str(shown.action.sentence),
            shown.kind,
            [f"{change.label}: {change.old} > {change.new}" for change in shown.changes],
            shown.event.center and shown.event.center.code,
        )
        for shown in in_words(events)
    ]


def sign_in(password: str = PASSWORD) -> Client:
    client = Client()
    client.post("/account/login/", {"login": "mwang", "password": password})
    return client


def actions() -> list[str]:
    return list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))


def test_what_the_command_line_gives_and_takes() -> None:
    center = services.create_center(code="C1", name="Riverside")
    user = services.create_user(**DETAILS)
    services.give_role(user=user, role=Role.COORDINATOR, center=center)
    services.give_role(user=user, role=Role.PI, center=None)
    services.take_role(user=user, role=Role.COORDINATOR, center=center)
    assert told() == [
        ("Created a center", "Center", ["code:  > C1", "name:  > Riverside"], "C1"),
        ("Created an account", "Account", ["user name:  > mwang", "full name:  > Min Wang"], None),
        ("Gave an account a role", "Account", ["user name:  > mwang", "role:  > Coordinator"], "C1"),
        ("Gave an account a role", "Account", ["user name:  > mwang", "role:  > Principal investigator"], None),
        ("Took a role from an account", "Account", ["user name: mwang > ", "role: Coordinator > "], "C1"),
    ]
    assert {event.actor for event in AuditEvent.objects.all()} == {None}
    assert faults() == []
    with override("zh-hans"):
        assert told()[2] == ("授予账户角色", "账户", ["用户名:  > mwang", "角色:  > 研究协调员"], "C1")


def test_what_was_refused_is_no_event(two_centers: tuple[Center, Center], user: User) -> None:
    services.give_role(user=user, role=Role.COORDINATOR, center=two_centers[0])
    for attempt in (
        lambda: services.give_role(user=user, role=Role.COORDINATOR, center=two_centers[0]),
        lambda: services.take_role(user=user, role=Role.COORDINATOR, center=two_centers[1]),
        lambda: services.take_role(user=user, role=Role.MONITOR, center=None),
    ):
        with pytest.raises(Conflict):
            attempt()
    assert actions() == ["give_role"]


def test_a_role_that_was_taken_opens_nothing(two_centers: tuple[Center, Center], user: User) -> None:
    own, other = two_centers
    for center in two_centers:
        services.give_role(user=user, role=Role.COORDINATOR, center=center)
    out = StringIO()
    call_command("remove_role", "mwang", "--role", "coordinator", "--center", own.code, stdout=out)
    assert out.getvalue().strip() == f"mwang is no longer coordinator in {own.code}."
    anew = User.objects.get(pk=user.pk)
    assert not has_permission(anew, Permission.VIEW_CRF, own)
    assert has_permission(anew, Permission.VIEW_CRF, other)
    assert actions()[-1] == "take_role"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nobody", "--role", "pi"], "There is no such account"),
        (["mwang", "--role", "pi", "--center", "C9"], "no center of that code"),
        (["mwang", "--role", "pi"], "does not have this role"),
    ],
)
def test_the_command_says_what_is_wrong(user: User, arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("remove_role", *arguments)
    assert actions() == []


def test_signing_in_is_an_event_and_a_wrong_password_is_none(user: User) -> None:
    sign_in("not the password")
    assert actions() == []
    sign_in()
    event = AuditEvent.objects.get()
    assert (event.action, event.actor, event.object_id) == ("sign_in", user, str(user.pk))
    assert event.changes == {}


def test_a_changed_password(user: User) -> None:
    client = sign_in()
    new = "another horse battery"
    fields = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    assert client.post("/account/password/change/", fields).status_code == 302
    assert User.objects.get(pk=user.pk).check_password(new)
    assert "change_password" in actions()
    assert new not in str(list(AuditEvent.objects.values()))


def test_a_second_factor(user: User, django_capture_on_commit_callbacks: Any) -> None:
    client = sign_in()
    page = reverse("mfa_activate_totp")
    client.post(client.get(page)["Location"], {"password": PASSWORD})
    secret = client.get(page).context["form"].secret
    code = format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post(page, {"code": code}).status_code == 302
    assert actions() == ["sign_in", "add_second_factor"]
    assert secret not in str(list(AuditEvent.objects.values()))
    assert client.post(reverse("mfa_deactivate_totp")).status_code == 302
    assert actions() == ["sign_in", "add_second_factor", "remove_second_factor"]


def test_a_download_of_the_trail(users: dict[Role, User], client_as: Callable[[User], Any]) -> None:
    person = users[Role.DATA_MANAGER]
    client_as(person).get("/audit/download/?action=nonsense")
    assert actions() == []
    text = client_as(person).get("/audit/download/").getvalue().decode()
    assert AuditEvent.objects.get().actor == person
    assert "Downloaded the audit trail" in text
