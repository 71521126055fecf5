"""The audit trail in a real browser: a monitor finds and reads events; a change asks for its reason."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.crf.models import CrfValue
from apps.crf.services import save_form
from apps.patients.models import Patient
from apps.patients.services import enroll_patient
from tests.browser.axe import assert_accessible
from tests.browser.forms import enter
from tests.browser.opening import OpenAs

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def entered(users: dict[Role, User], patient: Patient) -> Patient:
    """A form that was entered and corrected, and enough enrollments for a second page of the trail."""
    for version, (values, reason) in enumerate(
        [({"age": 60, "gcs": 9, "sex": "male"}, ""), ({"age": 61}, "typing error")]
    ):
        save_form(actor=users[Role.COORDINATOR], patient=patient, read_version=version, values=values, reason=reason)
    patient.center.last_patient_number = 1
    patient.center.save()
    for _ in range(55):
        enroll_patient(actor=users[Role.COORDINATOR], center=patient.center)
    return patient


def test_a_monitor_finds_and_reads(open_as: OpenAs, entered: Patient) -> None:
    page = open_as(Role.MONITOR, "/patients/")
    page.get_by_role("link", name="Audit trail").click()
    rows = page.locator("#trail tbody tr")
    expect(rows).to_have_count(50)
    page.get_by_role("link", name="Older").click()
    expect(rows).to_have_count(7)
    page.get_by_role("link", name="Newest").click()
    expect(rows).to_have_count(50)
    page.get_by_label("Study id").fill(entered.study_id)
    expect(rows).to_have_count(2)
    expect(page).to_have_url(re.compile("patient=C1-0001"))
    expect(rows.first).to_contain_text("Age before: 60 years → now: 61 years")
    expect(rows.first).to_contain_text("Typing error")
    page.get_by_label("Action").select_option("enroll")
    expect(page.locator("#trail")).to_contain_text("No event fits.")
    page.get_by_label("Action").select_option("save_form")
    expect(rows).to_have_count(2)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    assert len(download.value.path().read_text("utf-8-sig").splitlines()) == 1 + 1 + 3


def test_the_history_of_a_field_by_the_keyboard(open_as: OpenAs, entered: Patient) -> None:
    page = open_as(Role.MONITOR, f"/patients/{entered}/crf/")
    field = page.locator("#field-age")
    summary = field.locator("summary")
    summary.focus()
    page.keyboard.press("Enter")
    values = field.locator(".crf-past-value")
    expect(values).to_have_text(["61 years", "60 years"])
    expect(field.locator(".crf-past-why")).to_have_text(["Typing error"])
    assert_accessible(page)
    page.keyboard.press("Enter")
    expect(values.first).to_be_hidden()
    expect(page.locator("#field-nihss summary")).to_have_count(0)


def test_a_change_asks_why(open_as: OpenAs, entered: Patient) -> None:
    page = open_as(Role.COORDINATOR, f"/patients/{entered}/crf/")
    reason = page.get_by_role("group", name="Reason for the change")
    expect(reason).to_be_hidden()
    enter(page, "nihss", "12")
    expect(reason).to_be_hidden()
    enter(page, "age", "62")
    expect(reason).to_be_visible()
    enter(page, "age", "61")
    expect(reason).to_be_hidden()
    enter(page, "sex", "female")
    expect(reason).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#error-reason")).to_contain_text("Say why")
    expect(page.locator("#input-reason")).to_be_focused()
    expect(page.locator("[name=nihss]")).to_have_value("12")
    assert_accessible(page)
    page.locator("label").filter(has_text="New source data").click()
    page.get_by_label("In your words").fill("identity card")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("Saved 2 values.")
    assert set(CrfValue.objects.filter(form_version=3).values_list("variable", "reason")) == {
        ("nihss", "new source data: identity card"),
        ("sex", "new source data: identity card"),
    }


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(open_as: OpenAs, entered: Patient, width: int, scheme: str) -> None:
    page = open_as(Role.MONITOR, "/audit/", width, color_scheme=scheme)
    expect(page.locator("#trail tbody tr")).to_have_count(50)
    assert_accessible(page)
    page.goto(f"/patients/{entered}/crf/history/age/")
    assert_accessible(page)
