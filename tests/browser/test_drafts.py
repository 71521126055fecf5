"""A coordinator's browser crashes, and his session ends, while he types: nothing of it is lost."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from apps.accounts.policy import Role
from apps.crf.models import CrfDraft
from apps.crf.selectors import form_of
from apps.patients.models import Patient
from tests.browser.axe import assert_accessible
from tests.browser.opening import OpenAs

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_a_crash_takes_nothing_away(open_as: OpenAs, patient: Patient) -> None:
    page = open_as(Role.COORDINATOR, f"/patients/{patient.study_id}/crf/")
    page.locator("#input-age").fill("63")
    page.locator("#input-systolic_bp").fill("1x0")
    expect(page.locator(".crf-state")).to_contain_text("was kept at")
    page.context.close()  # as a crash does: no question, no save

    page = open_as(Role.COORDINATOR, f"/patients/{patient.study_id}/crf/")
    expect(page.locator("#draft")).to_contain_text("what you typed earlier")
    expect(page.locator("#input-age")).to_have_value("63")
    expect(page.locator("#input-systolic_bp")).to_have_value("1x0")
    assert_accessible(page)
    page.locator("#input-systolic_bp").fill("160")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("Saved 2 values")
    expect(page.locator("#draft")).to_have_count(0)
    assert form_of(patient).values == {"age": 63, "systolic_bp": 160} and not CrfDraft.objects.exists()


def test_a_draft_can_be_discarded(open_as: OpenAs, patient: Patient) -> None:
    page = open_as(Role.COORDINATOR, f"/patients/{patient.study_id}/crf/")
    page.locator("#input-age").fill("63")
    expect(page.locator(".crf-state")).to_contain_text("was kept at")
    page.reload()
    page.get_by_role("button", name="Discard what I typed").click()
    expect(page.locator("#input-age")).to_have_value("")
    assert not CrfDraft.objects.exists()


def test_who_is_signed_out_while_typing_goes_on_after_signing_in_elsewhere(
    open_as: OpenAs, sign_in_as: Callable[[BrowserContext, Role], None], patient: Patient
) -> None:
    page = open_as(Role.COORDINATOR, f"/patients/{patient.study_id}/crf/")
    page.context.clear_cookies(name="sessionid")
    page.locator("#input-age").fill("63")
    expect(page.locator(".crf-state")).to_contain_text("no longer signed in")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#input-age")).to_have_value("63")
    expect(page).to_have_url(re.compile("/crf/$"))

    # Signing in gives a new token against forged requests too.
    page.context.clear_cookies(name="csrftoken")
    sign_in_as(page.context, Role.COORDINATOR)
    page.locator("#input-gcs").fill("9")
    expect(page.locator(".crf-state")).to_contain_text("was kept at", timeout=15_000)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("Saved 2 values")
    assert form_of(patient).values == {"age": 63, "gcs": 9}
