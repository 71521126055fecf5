"""A coordinator sends a CT from the browser: files, a ZIP, through a lost connection, and a wrong one."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import Client
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.core.models import Job
from apps.patients.services import enroll_patient
from ml.simulation import PhantomSpec, SpacingPattern, simulate_ct
from tests.browser.test_whole_flow import zip_of
from tests.imaging.store import empty_store as empty_store

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(
    browser: Browser, live_server: LiveServer, client_as: Callable[[User], Client], users: dict[Role, User]
) -> Iterator[Page]:
    """Return a page of the coordinator of C1; an error of its scripts fails the test."""
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1400, "height": 900})
    cookie = client_as(users[Role.COORDINATOR]).cookies["sessionid"]
    context.add_cookies([{"name": "sessionid", "value": cookie.value, "url": live_server.url}])
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    yield opened
    context.close()
    assert faults == []


@pytest.fixture
def patient(page: Page, users: dict[Role, User]) -> Page:
    center = Center.objects.get(code="C1")
    enrolled = enroll_patient(actor=users[Role.COORDINATOR], center=center)
    page.goto(f"/patients/{enrolled.study_id}/")
    return page


@pytest.fixture
def phantom(patient: Page, tmp_path: Path) -> list[Path]:
    """Give the patient a head of his own: the same scan under two patients is a conflict."""
    return scan(tmp_path / "CD", "H" + patient.locator("h1").inner_text())


def scan(folder: Path, hospital_id: str) -> list[Path]:
    spec = PhantomSpec(rows=128, columns=128, spacing=SpacingPattern.UNIFORM_2_5MM)
    seed = int(re.sub(r"\D", "", hospital_id))
    simulate_ct(folder, spec=spec, seed=seed, patient_tags={"PatientID": hospital_id})
    return sorted(folder.iterdir())


@pytest.fixture
def shaky(patient: Page, browser: Browser) -> Iterator[Page]:
    """Give the same page in a browser whose connection may be cut, which the other's console would call an error."""
    context = browser.new_context(storage_state=patient.context.storage_state())
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(patient.url)
    yield page
    context.close()
    assert faults == []


def uploader(page: Page) -> Locator:
    return page.locator("#ct form[data-island=ctupload]")


def choose(page: Page, files: list[Path], *, button: str = "files") -> Locator:
    form = uploader(page)
    if not form.is_visible():  # a patient with a CT has the form in a part that is folded
        page.locator("#ct summary").filter(has_text="Upload").click()
    if files:
        form.locator(f"input[data-part={button}]").set_input_files(files)
        expect(form.locator("[data-part=send]")).to_be_enabled()
    return form


def send(page: Page, files: list[Path]) -> Locator:
    form = choose(page, files)
    form.locator("[data-part=send]").click()
    return form


def drop(page: Page, files: list[Path]) -> Locator:
    """Drop files as if out of another window."""
    script = """files => {
        const transfer = new DataTransfer();
        const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
        for (const [name, text] of files) transfer.items.add(new File([bytes(text)], name));
        return transfer;
    }"""
    carried = page.evaluate_handle(script, [[file.name, b64encode(file.read_bytes()).decode()] for file in files])
    form = choose(page, [])
    form.locator("[data-part=drop]").dispatch_event("drop", {"dataTransfer": carried})
    form.locator("[data-part=send]").click()
    return form


def expect_counts(form: Locator, **counts: int) -> None:
    """Wait for the summary, and compare how many files it counts in each state."""
    expect(form.locator("[data-part=summary]")).to_be_visible(timeout=60_000)
    rows = form.locator("[data-part=counts] li")
    shown = {row.locator("span").get_attribute("data-state"): int(row.inner_text().split()[-1]) for row in rows.all()}
    assert shown == counts


def test_every_file_of_a_folder_arrives_and_comes_twice_as_known(patient: Page, phantom: list[Path]) -> None:
    form = choose(patient, [phantom[0].parent], button="folder")
    expect(form.locator("[data-part=chosen]")).to_contain_text(f"{len(phantom)} files")
    form.locator("[data-part=send]").click()
    expect_counts(form, stored=len(phantom))
    expect(form.locator("[data-part=summary-title]")).to_be_focused()
    expect(form.locator("[data-part=files-list] li")).to_have_count(len(phantom))
    form.get_by_role("button", name="Show the CT").click()
    expect(patient.locator("#ct")).not_to_contain_text("No CT yet")
    expect_counts(drop(patient, phantom[:20]), known=20)


def test_a_zip_is_unpacked_in_the_browser(patient: Page, phantom: list[Path], tmp_path: Path) -> None:
    (tmp_path / "CD.zip").write_bytes(zip_of(phantom))
    (tmp_path / "cut.zip").write_bytes(zip_of(phantom)[:-500])
    form = choose(patient, [tmp_path / "CD.zip", tmp_path / "cut.zip"])
    rows = form.locator("[data-part=files-list] li")
    expect(rows).to_have_count(len(phantom) + 1)
    expect(rows.first).to_contain_text("cut.zip")
    expect(rows.first).to_contain_text("The ZIP file is damaged")
    expect(rows.last).to_contain_text("CD/DICOM/IM")
    form.locator("[data-part=send]").click()
    expect_counts(form, stored=len(phantom), refused=1)


def test_a_wrong_file_among_good_ones_is_named(patient: Page, phantom: list[Path], tmp_path: Path) -> None:
    letter = tmp_path / "letter of discharge.txt"
    letter.write_text("Dear colleague")
    form = send(patient, [*phantom[:20], letter, *phantom[20:]])
    expect_counts(form, stored=len(phantom), refused=1)
    row = form.locator("[data-part=files-list] li").first
    expect(row).to_contain_text("letter of discharge.txt")
    expect(row).to_contain_text("is not a DICOM file")
    expect(form.locator("[data-part=reasons] li")).to_have_count(1)
    expect(form.locator("[data-part=reasons]")).to_contain_text("1 × The file is not a DICOM file")
    expect_counts(send(patient, [letter]), refused=1)
    expect(form.locator("[data-part=show]")).to_be_hidden()


def test_a_lost_connection_costs_nothing(shaky: Page, phantom: list[Path]) -> None:
    form = choose(shaky, phantom)
    with shaky.expect_response(lambda response: response.request.method == "POST"):
        form.locator("[data-part=send]").click()
    shaky.context.set_offline(True)
    expect(form.locator("[data-part=alarm]")).to_contain_text("Connection lost", timeout=60_000)
    expect(form.locator("[data-part=alarm]")).to_contain_text(f"of {len(phantom)} files are safe")
    expect(form.locator("[data-part=summary]")).to_be_hidden()
    shaky.context.set_offline(False)
    expect(form.locator("[data-part=summary]")).to_be_visible(timeout=60_000)
    expect(form.locator("[data-part=summary-title]")).to_contain_text(f"{len(phantom)} of {len(phantom)}")
    # What was stored when its answer was lost is known when it comes again.
    states = form.locator("[data-part=counts] li span")
    assert {state.get_attribute("data-state") for state in states.all()} <= {"stored", "known"}
    form.get_by_role("button", name="Show the CT").click()
    expect(shaky.locator("#ct")).not_to_contain_text("No CT yet")
    expect_counts(send(shaky, phantom), known=len(phantom))


def test_a_scan_that_may_be_another_persons_is_asked_about(patient: Page, phantom: list[Path], tmp_path: Path) -> None:
    expect_counts(send(patient, phantom[:3]), stored=3)
    other = scan(tmp_path / "other", "X9" + patient.locator("h1").inner_text())
    form = send(patient, other)
    question = form.locator("[data-part=question]")
    expect(question).to_contain_text("another hospital number")
    form.get_by_role("button", name="Stop").click()
    expect_counts(form, waiting=len(other))
    form = send(patient, other)
    question.get_by_role("button", name="go on").click()
    expect_counts(form, stored=len(other))


def test_leaving_while_files_are_on_their_way_asks(patient: Page, phantom: list[Path]) -> None:
    asked: list[str] = []
    patient.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    form = send(patient, phantom)
    patient.evaluate("setTimeout(() => location.reload(), 0)")
    expect_counts(form, stored=len(phantom))
    assert asked == ["beforeunload"]


def test_a_job_that_ends_takes_no_chosen_file_away(patient: Page, phantom: list[Path]) -> None:
    send(patient, phantom).get_by_role("button", name="Show the CT").click()
    expect(patient.locator("#ct .job")).to_contain_text("Waiting for a worker")
    form = choose(patient, phantom[:1])
    Job.objects.update(state=Job.State.FAILED, failure="The disk is full.")
    expect(patient.locator("#ct .job")).to_contain_text("The disk is full.")
    expect(form.locator("[data-part=chosen]")).to_contain_text("1 file")
    patient.get_by_role("link", name="Load this page anew").click()
    expect(patient.get_by_role("link", name="Load this page anew")).to_have_count(0)

    Job.objects.update(state=Job.State.QUEUED)
    patient.reload()
    expect(patient.locator("#ct .job")).to_contain_text("Waiting for a worker")
    with patient.expect_navigation():  # nobody is at work here, so the page shows what the job brought
        Job.objects.update(state=Job.State.FAILED)
    expect(patient.locator("#ct .job")).to_contain_text("The disk is full.")
