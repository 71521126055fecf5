"""A new version of the data dictionary in a real browser, by keyboard, while a coordinator has a form open."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from apps.accounts.policy import Role
from apps.core.jobs import run_job
from apps.core.models import Job
from apps.crf.models import CrfForm
from apps.patients.models import Patient
from tests.browser.axe import assert_accessible
from tests.browser.opening import OpenAs
from tests.crf.versions.conftest import shipped, text, variable

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.django_db(transaction=True),
]


def work() -> None:
    for key in Job.objects.filter(state=Job.State.QUEUED).values_list("pk", flat=True):
        run_job(job_id=key)


def enter(page: Page, **values: str) -> None:
    """Choose answers of yes or no, and save."""
    for name, value in values.items():
        page.locator(f"[name={name}][value={value}]").focus()
        page.keyboard.press("Space")
    page.get_by_role("button", name="Save").focus()
    page.keyboard.press("Enter")


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_from_the_draft_to_the_form_that_was_open(
    open_as: OpenAs, patient: Patient, tmp_path: Path, width: int, scheme: str
) -> None:
    coordinator = open_as(Role.COORDINATOR, "/patients/C1-0001/crf/", width, color_scheme=scheme)
    enter(coordinator, alcohol="true")
    expect(coordinator.locator("main")).to_contain_text("Saved")
    coordinator.locator("[name=smoking][value=true]").check()
    coordinator.locator("[name=nihss]").fill("12")

    data = shipped()
    variable(data, "alcohol")["name"] = "alcohol_use"
    (tmp_path / "next.yaml").write_bytes(text(data))
    page = open_as(Role.DATA_MANAGER, "/codebook/versions/", width, color_scheme=scheme)
    assert_accessible(page)
    page.get_by_label("File", exact=False).first.set_input_files(tmp_path / "next.yaml")
    page.get_by_role("button", name="Make a draft").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("alcohol is gone, but 1 value is stored")
    expect(page.get_by_role("button", name="Publish ich-2")).to_have_count(0)
    assert_accessible(page)

    page.get_by_label("Takes the values of").select_option("alcohol")
    page.get_by_role("button", name="Keep the rules and count again").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Why do the forms change?").fill("amendment 1")
    assert_accessible(page)
    page.keyboard.press("Enter")
    expect(page.locator(".job-stage")).to_contain_text("Waiting for a worker")
    work()
    expect(page.get_by_role("heading", name="What it did")).to_be_visible(timeout=15_000)
    assert_accessible(page)
    assert CrfForm.objects.get().values == {"alcohol_use": True}

    # What the coordinator typed meanwhile is there, to be checked against the questions as they are now.
    coordinator.get_by_role("button", name="Save").focus()
    coordinator.keyboard.press("Enter")
    expect(coordinator.locator("main")).to_contain_text("The questions of the forms have changed meanwhile")
    expect(coordinator.locator("[name=nihss]")).to_have_value("12")
    expect(coordinator.locator("[name=smoking][value=true]")).to_be_checked()
    expect(coordinator.locator("[name=alcohol_use][value=true]")).to_be_checked()
    assert_accessible(coordinator)
    coordinator.get_by_role("button", name="Save").focus()
    coordinator.keyboard.press("Enter")
    expect(coordinator.locator("main")).to_contain_text("Saved 2 values")
    assert CrfForm.objects.get().values == {"alcohol_use": True, "smoking": True, "nihss": 12}
