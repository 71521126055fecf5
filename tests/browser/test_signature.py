"""Signing in a real browser: name, password and meaning; void after a change; a locked form can't be typed in."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.crf.services import save_form
from apps.patients.models import Patient
from tests.browser.axe import assert_accessible
from tests.browser.forms import enter
from tests.browser.opening import OpenAs
from tests.factories import PASSWORD

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.django_db(transaction=True),
]
ADDRESS = "/patients/C1-0001/crf/"


@pytest.fixture(autouse=True)
def entered(users: dict[Role, User], patient: Patient) -> None:
    save_form(actor=users[Role.COORDINATOR], patient=patient, read_version=0, values={"age": 60, "gos_discharge": 4})


def sign(page: Page, user: User, password: str) -> None:
    page.get_by_label("Approved").check()
    page.locator("input[name=username]").fill(user.username)
    page.locator("input[name=password]").fill(password)
    page.get_by_role("button", name="Sign", exact=True).click()


def test_a_signature_is_made_and_becomes_void(open_as: OpenAs, users: dict[Role, User]) -> None:
    investigator = open_as(Role.PI, ADDRESS, 390, color_scheme="dark")
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

    coordinator = open_as(Role.COORDINATOR, ADDRESS)
    enter(coordinator, "age", "61")
    coordinator.get_by_text("Typing error").click()
    coordinator.get_by_role("button", name="Save").click()
    expect(coordinator.locator(".crf-void-why")).to_contain_text("Age changed by")
    assert_accessible(coordinator)


def test_a_locked_form_cant_be_typed_in(open_as: OpenAs) -> None:
    manager = open_as(Role.DATA_MANAGER, ADDRESS)
    manager.get_by_role("button", name="Lock the form").click()
    expect(manager.locator(".crf-signatures")).to_contain_text("locked")
    coordinator = open_as(Role.COORDINATOR, ADDRESS)
    expect(coordinator.locator("[data-crf-form] input:not([type=hidden]), [data-crf-form] select")).to_have_count(0)
    assert_accessible(coordinator)
    manager.get_by_text("Unlock the form").first.click()
    manager.get_by_label("Reason").fill("new source data")
    assert_accessible(manager)
    manager.get_by_role("button", name="Unlock the form").click()
    expect(manager.locator("input[name=age]")).to_be_editable()
