"""A coordinator's browser crashes, and his session ends, while he types: nothing of it is lost."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.crf.models import CrfDraft
from apps.crf.selectors import form_of
from apps.patients.models import Patient
from tests.browser.axe import assert_accessible

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def open_page(
    browser: Browser, live_server: LiveServer, client_as: Callable[[User], Client], users: dict[Role, User]
) -> Callable[[], Page]:
    def open_it() -> Page:
        context = browser.new_context(base_url=live_server.url, viewport={"width": 1400, "height": 900})
        sign_in(context)
        return context.new_page()

    def sign_in(context: BrowserContext) -> None:
        cookie = client_as(users[Role.COORDINATOR]).cookies["sessionid"]
        context.add_cookies([{"name": "sessionid", "value": cookie.value, "url": live_server.url}])

    open_it.sign_in = sign_in  # type: ignore[attr-defined]
    return open_it


def test_a_crash_takes_nothing_away(open_page: Callable[[], Page], patient: Patient) -> None:
    page = open_page()
    page.goto(f"/patients/{patient.study_id}/crf/")
    page.locator("#input-age").fill("63")
    page.locator("#input-systolic_bp").fill("1x0")
    expect(page.locator(".crf-state")).to_contain_text("was kept at")
    page.context.close()  # as a crash does: no question, no save

    page = open_page()
    page.goto(f"/patients/{patient.study_id}/crf/")
    expect(page.locator("#draft")).to_contain_text("what you typed earlier")
    expect(page.locator("#input-age")).to_have_value("63")
    expect(page.locator("#input-systolic_bp")).to_have_value("1x0")
    assert_accessible(page)
    page.locator("#input-systolic_bp").fill("160")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("Saved 2 values")
    expect(page.locator("#draft")).to_have_count(0)
    assert form_of(patient).values == {"age": 63, "systolic_bp": 160} and not CrfDraft.objects.exists()


def test_a_draft_can_be_discarded(open_page: Callable[[], Page], patient: Patient) -> None:
    page = open_page()
    page.goto(f"/patients/{patient.study_id}/crf/")
    page.locator("#input-age").fill("63")
    expect(page.locator(".crf-state")).to_contain_text("was kept at")
    page.reload()
    page.get_by_role("button", name="Discard what I typed").click()
    expect(page.locator("#input-age")).to_have_value("")
    assert not CrfDraft.objects.exists()


def test_who_is_signed_out_while_typing_goes_on_after_signing_in_elsewhere(
    open_page: Callable[[], Page], patient: Patient
) -> None:
    page = open_page()
    page.goto(f"/patients/{patient.study_id}/crf/")
    page.context.clear_cookies(name="sessionid")
    page.locator("#input-age").fill("63")
    expect(page.locator(".crf-state")).to_contain_text("no longer signed in")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#input-age")).to_have_value("63")
    expect(page).to_have_url(re.compile("/crf/$"))

    # Signing in gives a new token against forged requests too.
    page.context.clear_cookies(name="csrftoken")
    open_page.sign_in(page.context)  # type: ignore[attr-defined]
    page.locator("#input-gcs").fill("9")
    expect(page.locator(".crf-state")).to_contain_text("was kept at", timeout=15_000)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("Saved 2 values")
    assert form_of(patient).values == {"age": 63, "gcs": 9}
