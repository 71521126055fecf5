"""Double entry in a real browser: the second person by keyboard alone, and the reconciliation by its three keys."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.crf.models import CrfForm
from apps.patients.models import Patient
from tests.browser.axe import assert_accessible
from tests.browser.opening import OpenAs
from tests.crf.double_entry.steps import colleague, enter

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.django_db(transaction=True),
]
ADDRESS = "/patients/C1-0001/crf/"


@pytest.fixture(autouse=True)
def entered(users: dict[Role, User], patient: Patient, two_centers: tuple[Center, Center]) -> None:
    first = colleague(two_centers[0], name="first")
    enter(first, patient, age=60, sex="male", systolic_bp=182, headache=True)


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until a control has the focus."""
    for _ in range(200):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} can't be reached by keyboard")


def test_second_entry_and_reconciliation_by_keyboard(open_as: OpenAs, users: dict[Role, User]) -> None:
    second = open_as(Role.COORDINATOR, "/double-entry/")
    expect(second.get_by_role("row").filter(has_text="C1-0001")).to_be_visible()
    assert_accessible(second)
    tab_to(second, "form[action='/patients/C1-0001/crf/second-entry/'] button")
    second.keyboard.press("Enter")
    expect(second.get_by_role("heading", level=1)).to_contain_text("Second entry")
    assert_accessible(second)
    for name, typed in (("age", "61"), ("systolic_bp", "128")):
        tab_to(second, f"#input-{name}")
        second.keyboard.type(typed)
    expect(second.locator(".crf-state")).to_have_text("Unsaved changes")
    tab_to(second, "button[formaction]")
    second.keyboard.press("Enter")
    expect(second.get_by_text("Submit when all is entered")).to_be_visible()
    expect(second.locator("#input-age")).to_have_value("61")
    second.goto(ADDRESS)  # leads back
    tab_to(second, "[name=sex]")
    second.keyboard.press("ArrowRight")  # from blank, round to the first answer
    expect(second.locator("#input-sex-0")).to_be_checked()
    tab_to(second, ".crf-actions .btn-primary")
    second.keyboard.press("Enter")
    expect(second.locator(".double-stand")).to_contain_text("3 differences of")
    assert_accessible(second)

    manager = open_as(Role.DATA_MANAGER, "/double-entry/reconcile/", 390, color_scheme="dark")
    assert_accessible(manager)
    manager.get_by_role("link", name="C1-0001").click()
    expect(manager.locator("[data-pair]")).to_have_count(3)
    assert_accessible(manager)
    manager.keyboard.press("1")  # age
    manager.keyboard.press("3")  # systolic_bp
    manager.keyboard.type("182")
    tab_to(manager, "[name=choice-headache]")
    manager.keyboard.press("1")
    manager.keyboard.press("Enter")
    expect(manager.get_by_text("Both entries are reconciled.")).to_be_visible()
    form = CrfForm.objects.get()
    assert form.values == {"age": 60, "sex": "male", "systolic_bp": 182, "headache": True}
    manager.goto(ADDRESS)
    expect(manager.locator(".double-stand")).to_contain_text("reconciled")
    manager.goto("/double-entry/agreement/")
    expect(manager.get_by_role("row").filter(has_text="Age")).to_contain_text("too few")
    assert_accessible(manager)
