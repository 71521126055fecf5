"""Signing in through the real pages: by username or e-mail, closed sign-up, rate limits, second factor."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.conf import settings as site
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import translation

from apps.accounts.models import Membership, User
from apps.accounts.policy import Role
from tests.factories import PASSWORD, CenterFactory, UserFactory

pytestmark = pytest.mark.django_db
LOGIN = "/account/login/"


@pytest.fixture
def user() -> User:
    found: User = UserFactory(username="mwang", email="mwang@hospital.example", full_name="Min Wang")
    Membership.objects.create(user=found, role=Role.COORDINATOR, center=CenterFactory(code="C1"))
    return found


def sign_in(login: str, password: str = PASSWORD, client: Client | None = None) -> Any:
    return (client or Client()).post(LOGIN, {"login": login, "password": password})


@pytest.mark.parametrize("login", ["mwang", "mwang@hospital.example", "MWang@Hospital.example"])
def test_username_and_e_mail_both_sign_in(user: User, login: str) -> None:
    client = Client()
    answer = sign_in(login, client=client)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.get("/", follow=True).redirect_chain == [("/patients/", 302)]
    assert b"Min Wang" in client.get("/patients/").content


@pytest.mark.parametrize("login", ["mwang", "nobody", "nobody@hospital.example", "m\x00", "x" * 5000, "' or 1=1 --"])
def test_a_wrong_password_and_a_wrong_name_look_alike(user: User, login: str) -> None:
    answer = sign_in(login, "wrong horse battery")
    assert answer.status_code == 200
    assert "sessionid" not in answer.cookies


def test_absent_and_present_accounts_get_the_same_sentence(user: User) -> None:
    known, unknown = (list(sign_in(login, "wrong").context["form"].non_field_errors()) for login in ("mwang", "nobody"))
    assert known == unknown == ["The username and/or password you specified are not correct."]


def test_a_closed_account_does_not_sign_in(user: User) -> None:
    User.objects.update(is_active=False)
    client = Client()
    sign_in("mwang", client=client)
    assert client.get("/patients/").status_code == 302


def test_next_leads_to_pages_of_this_site_alone(user: User) -> None:
    answer = Client().post(LOGIN + "?next=/patients/enroll/", {"login": "mwang", "password": PASSWORD})
    assert answer["Location"] == "/patients/enroll/"
    for trap in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        answer = Client().post(LOGIN, {"login": "mwang", "password": PASSWORD, "next": trap})
        assert "evil" not in answer["Location"] and "javascript" not in answer["Location"]


def test_signing_out_needs_a_post(user: User) -> None:
    client = Client()
    sign_in("mwang", client=client)
    assert client.get("/account/logout/").status_code == 200
    assert client.get("/patients/").status_code == 200
    client.post("/account/logout/")
    assert client.get("/patients/").status_code == 302


def test_nobody_signs_up() -> None:
    form = {"username": "intruder", "email": "i@example.org", "password1": PASSWORD, "password2": PASSWORD}
    before = User.objects.count()
    for answer in (Client().get("/account/signup/"), Client().post("/account/signup/", form)):
        assert answer.status_code == 200
        assert b'name="password1"' not in answer.content
    assert User.objects.count() == before


def test_failed_sign_ins_are_limited(user: User, settings: Any) -> None:
    del settings.ACCOUNT_RATE_LIMITS  # as in every profile but the tests'
    cache.clear()
    client = Client()
    for _ in range(20):
        answer = sign_in("mwang", "wrong", client)
    assert b"Too many" in answer.content or answer.status_code == 429
    assert sign_in("mwang", PASSWORD, client).status_code != 302, "not even with the right password"
    cache.clear()


def test_sessions_and_cookies_are_guarded(user: User) -> None:
    answer = sign_in("mwang")
    session = answer.cookies["sessionid"]
    assert session["httponly"] and session["samesite"] == "Lax"
    assert not session["max-age"], "the session ends with the browser"
    assert site.SESSION_COOKIE_AGE <= 24 * 3600


def test_pages_say_what_a_browser_may_do(user: User) -> None:
    answer = Client().get(LOGIN)
    policy = answer["Content-Security-Policy"]
    assert "script-src 'self'" in policy and "unsafe-eval" not in policy and "object-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert b"<script>" not in answer.content


def test_the_second_factor_is_asked_for_once_it_is_set_up(user: User) -> None:
    client = Client()
    sign_in("mwang", client=client)
    assert client.get(reverse("mfa_index")).status_code == 200

    again = client.get(reverse("mfa_activate_totp"))["Location"]
    assert again.startswith(reverse("account_reauthenticate")), "who sets it up gives the password once more"
    assert client.post(again, {"password": PASSWORD})["Location"] == reverse("mfa_activate_totp")
    secret = client.get(reverse("mfa_activate_totp")).context["form"].secret
    code = format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))
    assert client.post(reverse("mfa_activate_totp"), {"code": code}).status_code == 302
    assert client.get(reverse("mfa_view_recovery_codes")).status_code == 200

    other = Client()
    answer = sign_in("mwang", client=other)
    assert answer["Location"] == reverse("mfa_authenticate")
    assert other.get("/patients/").status_code == 302, "the password alone opens nothing"
    assert other.post(reverse("mfa_authenticate"), {"code": "000000"}).status_code == 200
    assert other.get("/patients/").status_code == 302


def test_the_sign_in_page_can_be_read_in_chinese() -> None:
    client = Client()
    with translation.override("en"):  # puts back what the requests activate in this thread
        client.post("/language/setlang/", {"language": "zh-hans", "next": LOGIN})
        assert b'lang="zh-hans"' in client.get(LOGIN).content


def test_asking_for_a_new_password_does_not_tell_whether_the_account_exists(user: User, mailoutbox: list[Any]) -> None:
    answers = [
        Client().post("/account/password/reset/", {"email": email})
        for email in ("mwang@hospital.example", "nobody@hospital.example")
    ]
    assert [(a.status_code, a["Location"]) for a in answers] == [(302, reverse("account_reset_password_done"))] * 2
