"""A coordinator takes a patient from enrollment to a prediction, and the PI sees the ROC curves of each center."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from ml.hematoma import abc2_ml, volume_ml
from ml.simulation import PhantomSpec, simulate_ct
from ml.volumes import read_geometry, read_series, write_mask
from tests.browser.forms import VALUES, enter, enter_all

# The first of these tests waits for the whole demonstration to be made, which takes a slow machine a while.
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser"), pytest.mark.timeout(2400)]

# The person of VALUES, on the day of his admission.
IDENTITY = {"PatientID": "", "PatientSex": "M", "PatientBirthDate": "19550101", "StudyDate": "20260302"}


def zip_of(files: list[Path]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, f"CD/DICOM/{file.name}")
    return buffer.getvalue()


def enroll(page: Page) -> str:
    page.goto("/patients/")
    page.get_by_role("link", name="Enroll patient").click()
    page.get_by_role("button", name="Enroll patient").click()
    expect(page.locator("h1")).to_have_text(page.url.rstrip("/").rsplit("/", 1)[-1])
    return page.locator("h1").inner_text()


def send(page: Page, section: str, name: str, content: bytes) -> None:
    """Choose a file in a section's upload form, send it, and wait for the page that answers."""
    form = page.locator(f"#{section} form[data-island=upload]")
    form.locator("input[data-part=files]").set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    )
    form.get_by_role("button").filter(has_text="Upload").click()


def send_ct(page: Page, name: str, content: bytes) -> None:
    """Choose a file in the form for CTs, send it, and wait until each file has its outcome."""
    form = page.locator("#ct form[data-island=ctupload]")
    form.locator("input[data-part=files]").set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    )
    form.locator("[data-part=send]").click()
    expect(form.locator("[data-part=summary]")).to_be_visible(timeout=60_000)
    if form.locator("[data-part=show]").is_visible():
        form.locator("[data-part=show]").click()


def wait_for_ct(page: Page) -> None:
    """The page shows the job's progress and loads itself anew when preprocessing is done."""
    expect(page.locator("#ct")).to_contain_text("Volume inside the skull", timeout=120_000)


def approve(page: Page, study_id: str) -> None:
    """Go from the worklist to the mask, and approve it."""
    page.goto("/masks/")
    page.get_by_role("row").filter(has_text=study_id).get_by_role("link", name="Review").click()
    expect(page.locator("[data-island=annotator][data-ready]")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("main")).to_contain_text("was approved and counts from now on")


def test_coordinator_goes_from_enrollment_to_prediction(sign_in: Callable[..., Page], tmp_path: Path) -> None:
    truth = simulate_ct(
        tmp_path / "ct", spec=PhantomSpec(volume_ml=38.0, rows=256, columns=256), seed=7, patient_tags=IDENTITY
    )
    files = sorted((tmp_path / "ct").iterdir())
    write_mask(tmp_path / "mask.nii.gz", truth.hematoma_mask, read_geometry(files))
    volume = read_series(files)

    page = sign_in("coordinator")
    study_id = enroll(page)
    page.goto(f"/patients/{study_id}/crf/")
    enter_all(page, VALUES)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("main")).to_contain_text("Saved")

    page.goto(f"/patients/{study_id}/")
    send_ct(page, "scan.zip", zip_of(files))
    wait_for_ct(page)
    page.get_by_text("Upload a mask drawn elsewhere").click()
    send(page, "mask", "mask.nii.gz", (tmp_path / "mask.nii.gz").read_bytes())
    expect(page.locator("#mask")).to_contain_text("does not count yet", timeout=60_000)
    approve(sign_in("reviewer"), study_id)
    page.reload()
    measured = f"{volume_ml(truth.hematoma_mask, volume):.2f}"
    expect(page.locator("#mask")).to_contain_text(measured, timeout=60_000)
    assert float(measured) == pytest.approx(truth.hematoma_ml, rel=0.01)
    expect(page.locator("#mask")).to_contain_text(f"{abc2_ml(truth.hematoma_mask, volume):.2f}")

    # GCS 10: 1, volume 38 mL: 1, no IVH, supratentorial, 71 years: 0 -> ICH 2. Age >= 65: 3, GCS 9-12: 2,
    # supratentorial: 1, volume < 40: 1, no IVH: 1 -> ICH-GS 8.
    rows = page.locator("#scores tbody tr")
    expect(rows.filter(has_text="Hemphill").locator("td").first).to_contain_text("2")
    expect(rows.filter(has_text="Ruiz-Sandoval").locator("td").first).to_contain_text("8")
    expect(page.locator("#prediction")).to_contain_text("fusion model", timeout=60_000)
    expect(page.locator("#prediction .figure-number")).to_contain_text("%")


def test_pi_sees_the_roc_of_all_and_of_each_center(sign_in: Callable[..., Page]) -> None:
    page = sign_in("pi")
    for center in ("", "C1", "C5"):
        page.goto(f"/dashboard/?patients=all&center={center}")
        expect(page.locator("[data-island=figure] svg").first).to_be_visible()
        for name in ("Fusion model", "Imaging model", "ICH score", "ICH-GS"):
            row = page.locator("tbody tr").filter(has_text=name).filter(has_text="95").first
            expect(row).to_be_visible()
        expect(page.locator("main")).to_contain_text("n = 16" if center else "n = 80")


def test_bad_input_gets_its_sentence_and_leaves_nothing(sign_in: Callable[..., Page]) -> None:
    page = sign_in("coordinator")
    study_id = enroll(page)
    send_ct(page, "letter.txt", b"Dear colleague")
    expect(page.locator("#ct [data-part=reasons]")).to_contain_text("is not a DICOM file")
    page.goto(f"/patients/{study_id}/crf/")
    enter(page, "gcs", "16")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#error-gcs")).to_be_visible()
    page.goto(f"/patients/{study_id}/")
    expect(page.locator("#ct")).to_contain_text("No CT yet")


def test_the_real_tilted_scan(sign_in: Callable[..., Page], shared_data: Path) -> None:
    files = sorted((shared_data / "head-ct-tilted" / "dicom").iterdir())
    page = sign_in("coordinator")
    enroll(page)
    send_ct(page, "real.zip", zip_of(files))
    wait_for_ct(page)
    expect(page.locator("#ct")).to_contain_text("13 × 4.0 mm, 1 × 1.08 mm, 13 × 7.0 mm")
    expect(page.locator("#ct")).to_contain_text("18.5°")


def test_the_blinded_assessor_sees_no_score_and_no_prediction(sign_in: Callable[..., Page]) -> None:
    page = sign_in("assessor")
    page.goto("/patients/C1-0001/")
    expect(page.locator("#crf")).to_be_visible()
    assert page.locator("#scores, #prediction").count() == 0
    page.goto("/patients/")
    head = page.locator("thead").inner_text()
    assert "ICH" not in head
    assert "P(poor)" not in head
    assert page.goto("/dashboard/").status == 404


def test_a_foreign_patient_is_not_found(sign_in: Callable[..., Page]) -> None:
    page = sign_in("coordinator")
    assert page.goto("/patients/C2-0001/").status == 404
    assert page.goto("/patients/C2-9999/").status == 404


def test_from_the_patient_to_his_explanation(sign_in: Callable[..., Page]) -> None:
    page = sign_in("pi")
    page.goto("/patients/C1-0001/")
    page.get_by_role("link", name="What the model looked at").click()
    again = page.get_by_role("button", name="Explain this prognosis")
    if again.count():
        again.click()
    expect(page.locator("[data-island=explanation] [data-part=where]")).to_contain_text("Slice", timeout=180_000)
    expect(page.locator(".gate .figure-number")).to_contain_text("0.")
    assert page.locator("tbody th").count() > 8
