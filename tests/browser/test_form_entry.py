"""A coordinator fills a form by keyboard: blanks with a reason, the GCS by its responses, a number in another unit."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.crf.places import Place
from apps.crf.selectors import form_of
from apps.crf.services import save_form
from apps.patients.models import Patient
from tests.browser.axe import assert_accessible
from tests.browser.opening import OpenAs

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_blanks_totals_and_units_by_keyboard_alone(open_as: OpenAs, patient: Patient) -> None:
    page = open_as(Role.COORDINATOR, f"/patients/{patient.study_id}/crf/")
    keys = page.keyboard
    page.locator("#input-onset_to_ct_hours").focus()
    keys.type("90")
    keys.press("Tab")
    keys.type("min")  # the list of units
    onset = page.locator("#field-onset_to_ct_hours")
    expect(onset.locator(".crf-converted")).to_have_text("= 1.5 hours")
    # Who has entered a value is not asked why it is missing: the next stop is the next question.
    expect(onset.locator(".crf-missing")).to_be_hidden()
    keys.press("Tab")
    expect(page.locator("#input-gcs_eye")).to_be_focused()
    keys.type("3")
    keys.press("Tab")
    keys.type("4")
    keys.press("Tab")
    keys.type("5")
    total = page.locator("#input-gcs")
    expect(total).to_have_value("12")
    expect(total).to_have_attribute("readonly", "")
    page.locator("#input-nihss").focus()
    keys.press("Tab")
    keys.type("Not done")
    expect(page.locator("[name=missing-nihss]")).to_have_value("not_done")
    assert_accessible(page)
    page.locator("#input-systolic_bp").focus()
    keys.press("Enter")
    expect(page.locator("main")).to_contain_text("Saved 6 values")
    form = form_of(Patient.objects.get(pk=patient.pk))
    assert form.values == {"onset_to_ct_hours": 1.5, "gcs_eye": 3, "gcs_verbal": 4, "gcs_motor": 5, "gcs": 12}
    assert form.missing == {"nihss": "not_done"}


def test_a_value_takes_the_place_of_a_reason(open_as: OpenAs, patient: Patient) -> None:
    address = f"/patients/{patient.study_id}/crf/laboratory/stay/1/"
    page = open_as(Role.COORDINATOR, address)
    page.locator("[name=missing-lab_glucose]").select_option("unknown")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("Saved 1 value")
    page.locator("#input-lab_glucose").fill("126")
    expect(page.locator("[name=missing-lab_glucose]")).to_be_hidden()
    page.locator("[name=reason]").fill("found in the chart")
    page.locator("[name=reason]").press("Enter")
    # Out of the range of mmol/L, and the page asks whether it was another unit.
    expect(page.locator("#error-lab_glucose")).to_contain_text("measured in mg/dL")
    page.locator("[name=unit-lab_glucose]").select_option("mg/dL")
    expect(page.locator("#field-lab_glucose .crf-converted")).to_have_text("= 7 mmol/L")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("Saved 1 value")
    form = form_of(patient, Place("laboratory", "stay", 1))
    assert (form.values, form.missing) == ({"lab_glucose": 7.0}, {})


def test_two_people_in_one_form_merge_field_by_field(
    open_as: OpenAs, patient: Patient, users: dict[Role, User]
) -> None:
    page = open_as(Role.COORDINATOR, f"/patients/{patient.study_id}/crf/")
    page.locator("#input-age").fill("63")
    page.locator("[name=missing-gcs]").select_option("unknown")
    page.locator("#field-ivh").get_by_text("Yes").click()
    save_form(
        actor=users[Role.COORDINATOR], patient=Patient.objects.get(pk=patient.pk), read_version=0,
        values={"age": 65, "gcs": 9, "ivh": False, "nihss": 4},
    )  # fmt: skip
    page.get_by_role("button", name="Save").click()
    problems = page.locator("#form-problems")
    expect(problems).to_contain_text("Somebody else changed the same values")
    # What only the other one changed is kept, and said so.
    expect(problems).to_contain_text("Changed meanwhile by somebody else, and kept: NIH Stroke Scale (4)")
    for name in ("age", "gcs", "ivh"):
        expect(page.locator(f"#field-{name} .crf-merge")).to_be_visible()
    assert_accessible(page)
    page.locator("#field-age [data-take=theirs]").press("Enter")
    expect(page.locator("#input-age")).to_have_value("65")
    page.locator("#field-ivh [data-take=theirs]").press("Enter")
    expect(page.locator("#field-ivh input[value=false]")).to_be_checked()
    page.locator("#field-ivh [data-take=mine]").press("Enter")
    expect(page.locator("#field-ivh input[value=true]")).to_be_checked()
    page.locator("[name=reason]").fill("chart read again")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("Saved 2 values")
    form = form_of(Patient.objects.get(pk=patient.pk))
    assert form.values == {"age": 65, "ivh": True, "nihss": 4}
    assert form.missing == {"gcs": "unknown"}
