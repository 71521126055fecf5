"""A coordinator enters a follow-up by keyboard alone, and adds two samples of a form that repeats."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from apps.accounts.policy import Role
from apps.crf.places import Place
from apps.crf.selectors import form_of
from apps.patients.models import Patient
from tests.browser.axe import assert_accessible
from tests.browser.opening import OpenAs

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_a_follow_up_by_keyboard(open_as: OpenAs, patient: Patient) -> None:
    page = open_as(Role.COORDINATOR, f"/patients/{patient.study_id}/")
    assert_accessible(page)
    page.locator("#forms tbody").first.get_by_role("link", name="Enter").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Follow-up, 3 months")
    expect(page.locator("#field-fu_mrs")).to_be_hidden()
    page.locator("#input-fu_status-0").focus()
    page.keyboard.press("Space")
    expect(page.locator("#field-fu_mrs")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.type("06022026")
    for grade in ("3", "4", "5"):  # of mRS, GOS and GOS-E; a list opens at what its first letter is
        page.locator({"3": "#input-fu_mrs", "4": "#input-fu_gos", "5": "#input-fu_gose"}[grade]).focus()
        page.keyboard.type(grade)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Save")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("Saved 5 values")
    assert_accessible(page)
    stored = form_of(patient, Place("follow_up", "month_3"))
    assert stored.values == {"fu_status": "alive", "fu_date": "2026-06-02", "fu_mrs": 3, "fu_gos": 4, "fu_gose": 5}


def test_a_form_that_repeats_is_added_again(open_as: OpenAs, patient: Patient) -> None:
    page = open_as(Role.COORDINATOR, "/patients/")
    for number, value in ((1, "1.1"), (2, "1.4")):
        page.goto(f"/patients/{patient.study_id}/")
        page.locator("#forms tbody").last.get_by_role("link", name="Add").click()
        expect(page.locator("h1")).to_have_text(f"Laboratory values {number}")
        page.locator("#input-lab_inr").fill(value)
        page.get_by_role("button", name="Save").click()
        expect(page.locator("main")).to_contain_text("Saved 1 value")
    page.goto(f"/patients/{patient.study_id}/")
    expect(page.locator("#forms tbody").last.get_by_role("link", name="Edit")).to_have_count(2)
