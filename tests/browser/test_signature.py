"""Signing in a real browser: name, password and meaning; void after a change; a locked form can't be typed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.crf.services import save_form
from apps.patients.models import Patient
from tests.browser.axe import assert_accessible
from tests.browser.forms import enter
from tests.factories import PASSWORD

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.django_db(transaction=True),
]
ADDRESS = "/patients/C1-0001/crf/"


@pytest.fixture
def open_as(
    browser: Browser, live_server: LiveServer, client_as: Callable[[User], Client], users: dict[Role, User],
    patient: Patient,
) -> Iterator[Callable[..., Page]]:  # fmt: skip
    save_form(actor=users[Role.COORDINATOR], patient=patient, read_version=0, values={"age": 60, "gos_discharge": 4})
    contexts = []

    def open_it(role: Role, width: int = 1400, **options: Any) -> Page:
        context = browser.new_context(base_url=live_server.url, viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        cookie = client_as(users[role]).cookies["sessionid"].value
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
        page = context.new_page()
        page.goto(ADDRESS)
        return page

    yield open_it
    for context in contexts:
        context.close()


def sign(page: Page, user: User, password: str) -> None:
    page.get_by_label("Approved").check()
    page.locator("input[name=username]").fill(user.username)
    page.locator("input[name=password]").fill(password)
    page.get_by_role("button", name="Sign", exact=True).click()


def test_a_signature_is_made_and_becomes_void(open_as: Callable[..., Page], users: dict[Role, User]) -> None:
    investigator = open_as(Role.PI, width=390, color_scheme="dark")
    investigator.get_by_role("link", name="Sign the form").click()
    assert_accessible(investigator)
    sign(investigator, users[Role.PI], "wrong")
    expect(investigator.get_by_role("alert")).to_contain_text("Enter both again")
    sign(investigator, users[Role.PI], PASSWORD)
    panel = investigator.locator(".crf-signatures")
    expect(panel).to_contain_text("Approved")
    expect(panel).to_contain_text(users[Role.PI].full_name)
    expect(panel.locator(".crf-void")).to_have_count(0)
    assert_accessible(investigator)

    coordinator = open_as(Role.COORDINATOR)
    enter(coordinator, "age", "61")
    coordinator.get_by_text("Typing error").click()
    coordinator.get_by_role("button", name="Save").click()
    expect(coordinator.locator(".crf-void-why")).to_contain_text("Age changed by")
    assert_accessible(coordinator)


def test_a_locked_form_cant_be_typed_in(open_as: Callable[..., Page]) -> None:
    manager = open_as(Role.DATA_MANAGER)
    manager.get_by_role("button", name="Lock the form").click()
    expect(manager.locator(".crf-signatures")).to_contain_text("locked")
    coordinator = open_as(Role.COORDINATOR)
    expect(coordinator.locator("[data-crf-form] input:not([type=hidden]), [data-crf-form] select")).to_have_count(0)
    assert_accessible(coordinator)
    manager.get_by_text("Unlock the form").first.click()
    manager.get_by_label("Reason").fill("new source data")
    assert_accessible(manager)
    manager.get_by_role("button", name="Unlock the form").click()
    expect(manager.locator("input[name=age]")).to_be_editable()
