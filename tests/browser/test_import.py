"""An import in a real browser, by keyboard: a dirty sheet, its report, the mended sheet, and the values on the form."""

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
from tests.crf.imports.conftest import table

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.django_db(transaction=True),
]
ROW = {"study_id": "C1-0001", "age": "71", "sex": "Male", "systolic_bp": "300"}


def work() -> None:
    for key in Job.objects.filter(state=Job.State.QUEUED).values_list("pk", flat=True):
        run_job(job_id=key)


def send(page: Page, file: Path) -> None:
    """Choose a file (the dialog of the system is none of the page) and send it without a mouse."""
    page.get_by_label("File", exact=False).first.set_input_files(file)
    page.get_by_label("Characters of a CSV file").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Check the file")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".job-stage")).to_contain_text("Waiting for a worker")
    work()


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_from_the_dirty_sheet_to_the_values(
    open_as: OpenAs, patient: Patient, tmp_path: Path, width: int, scheme: str
) -> None:
    dirty, mended = tmp_path / "dirty.csv", tmp_path / "mended.csv"
    dirty.write_bytes(table([{**ROW, "age": "710"}]))
    mended.write_bytes(table([ROW]))
    page = open_as(Role.COORDINATOR, "/import/", width, color_scheme=scheme)
    assert_accessible(page)

    send(page, dirty)
    refused = page.get_by_role("region", name="Refused").locator("tbody tr")
    expect(refused).to_have_count(1, timeout=15_000)
    expect(refused).to_contain_text("from 0 to 120 years; 710 lies outside")
    assert_accessible(page)

    send(page, mended)
    button = page.get_by_role("button", name="Import", exact=True)
    expect(button).to_be_visible(timeout=15_000)
    expect(page.get_by_role("region", name="To check")).to_contain_text("300 is unusual")
    assert_accessible(page)
    assert not CrfForm.objects.exists()
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".job-stage")).to_contain_text("Waiting for a worker")
    work()
    expect(page.get_by_text("The file itself has been deleted")).to_be_visible(timeout=15_000)
    assert_accessible(page)

    page.goto("/patients/C1-0001/crf/")
    expect(page.locator("[name=age]")).to_have_value("71")
    expect(page.locator("[name=systolic_bp]")).to_have_value("300")
