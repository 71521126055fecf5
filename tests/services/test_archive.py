"""A real Orthanc as a center's PACS: searched, fetched from, and sent to."""

from __future__ import annotations

import json
import logging
import urllib.request
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.annotation.services import store_mask
from apps.core.jobs import run_job
from apps.core.seal import unseal_text
from apps.imaging.exchange.services import add_archive
from apps.imaging.models import Archive, ArchiveTransfer, Series
from apps.imaging.selectors import slices_of
from apps.patients.models import Patient
from tests.imaging.factory import dump_tables, make_scan, receive_series, scan_files, stored_files, to_bytes
from tests.imaging.planted import MARK, marks_in, planted_series
from tests.imaging.store import empty_store as empty_store
from tests.services import servers

pytestmark = [pytest.mark.services, pytest.mark.slow]


@pytest.fixture(scope="module")
def orthanc() -> Iterator[str]:
    with servers.orthanc() as address:
        yield address


def call(address: str, path: str, body: bytes | None = None) -> Any:
    with urllib.request.urlopen(urllib.request.Request(f"{address}{path}", data=body), timeout=20) as answer:
        return json.load(answer)


@pytest.fixture
def archive(orthanc: str, patient: Patient) -> Archive:
    for known in call(orthanc, "/patients"):
        urllib.request.urlopen(urllib.request.Request(f"{orthanc}/patients/{known}", method="DELETE"), timeout=20)
    return add_archive(center=patient.center, name="PACS", url=f"{orthanc}/dicom-web")


@pytest.fixture
def coordinator(users: dict[Role, User]) -> User:
    return users[Role.COORDINATOR]


@pytest.fixture
def browser(client_as: Any, coordinator: User) -> Client:
    client: Client = client_as(coordinator)
    return client


def search(browser: Client, patient: Patient, archive: Archive, **fields: str) -> Any:
    form = {"archive": archive.pk, "modality": "CT", **fields}
    return browser.post(reverse("imaging:archive", args=[patient.study_id]), form)


def test_search_and_fetch(
    orthanc: str, archive: Archive, patient: Patient, browser: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Found by number, day and description; what comes is like an upload, and nothing on the way names the patient."""
    files = planted_series()
    number = str(pydicom.dcmread(BytesIO(files[0])).PatientID)
    for content in files:
        call(orthanc, "/instances", content)
    with caplog.at_level(logging.DEBUG):
        page = search(browser, patient, archive, hospital_id=number)
        assert [study["images"] for study in page.context["studies"]] == ["4"]
        assert search(browser, patient, archive, hospital_id="NOBODY").context["studies"] == []
        assert search(browser, patient, archive, first="1990-01-01", last="1990-01-02").context["studies"] == []
        sealed = page.context["studies"][0]["sealed_uid"]
        form = {"archive": archive.pk, "study": sealed}
        assert browser.post(reverse("imaging:fetch", args=[patient.study_id]), form).status_code == 302
        transfer = ArchiveTransfer.objects.get()
        assert transfer.job_id is not None
        run_job(job_id=transfer.job_id)
    transfer.refresh_from_db()
    assert transfer.job is not None and transfer.job.state == "succeeded", transfer.job and transfer.job.failure
    assert transfer.outcome["stored"] == 4
    assert Series.objects.get().slice_count == 4
    run_again(transfer)
    assert ArchiveTransfer.objects.get().outcome == {"known": 4, "sentences": []}
    rows = [row for table in dump_tables().values() for row in table]
    assert marks_in(text.encode() for text in [*rows, caplog.text]) == []
    assert marks_in(stored_files().values()) == []
    assert MARK not in browser.get(reverse("imaging:archive", args=[patient.study_id])).content.decode()


def run_again(transfer: ArchiveTransfer) -> None:
    assert transfer.job is not None
    transfer.job.state = "queued"
    transfer.job.save()
    run_job(job_id=transfer.job.pk)


def test_description_and_days(orthanc: str, archive: Archive, patient: Patient, browser: Client) -> None:
    for seed, (day, words) in enumerate((("20230105", "CT HEAD PLAIN"), ("20230207", "CT CHEST"))):
        for content in to_bytes(make_scan(seed=seed, StudyDate=day, StudyDescription=words, PatientID=f"P{seed}")):
            call(orthanc, "/instances", content)
    found = search(browser, patient, archive, description="head").context["studies"]
    assert [study["description"] for study in found] == ["CT HEAD PLAIN"]
    found = search(browser, patient, archive, first="2023-02-01", last="2023-02-28").context["studies"]
    assert [study["day"] for study in found] == ["2023-02-07"]
    assert search(browser, patient, archive).context["form"].non_field_errors()


def test_send(orthanc: str, archive: Archive, patient: Patient, coordinator: User, browser: Client) -> None:
    series = receive_series(actor=coordinator, patient=patient, files=scan_files(6))
    form = {"archive": archive.pk, "series": series.pk}
    assert browser.post(reverse("imaging:send", args=[patient.study_id]), form).status_code == 302
    transfer = ArchiveTransfer.objects.get()
    assert transfer.job_id is not None
    run_job(job_id=transfer.job_id)
    transfer.refresh_from_db()
    assert transfer.outcome == {"sent": 6, "sentences": []}, transfer.job and transfer.job.failure
    (there,) = call(orthanc, "/series?expand")
    assert there["MainDicomTags"]["SeriesInstanceUID"] == series.series_instance_uid
    assert len(there["Instances"]) == 6
    (person,) = call(orthanc, "/patients?expand")
    assert person["MainDicomTags"]["PatientID"] == "C1-0001"


def test_a_mask_is_sent_as_a_segmentation(
    orthanc: str, archive: Archive, patient: Patient, coordinator: User, browser: Client
) -> None:
    series = receive_series(actor=coordinator, patient=patient, files=scan_files(6))
    labels = np.zeros((6, 16, 16), dtype=np.uint8)
    labels[1:4, 2:9, 3:12] = 1
    store_mask(actor=coordinator, series=series, mask=labels)
    mask = Series.objects.get(modality="SEG")
    for row in (series, mask):
        form = {"archive": archive.pk, "series": row.pk}
        assert browser.post(reverse("imaging:send", args=[patient.study_id]), form).status_code == 302
        transfer = ArchiveTransfer.objects.get(series=row)
        assert transfer.job_id is not None
        run_job(job_id=transfer.job_id)
    there = {row["MainDicomTags"]["Modality"]: row for row in call(orthanc, "/series?expand")}
    assert set(there) == {"CT", "SEG"}
    assert there["CT"]["ParentStudy"] == there["SEG"]["ParentStudy"]
    (instance,) = there["SEG"]["Instances"]
    with urllib.request.urlopen(f"{orthanc}/instances/{instance}/file", timeout=20) as answer:
        sent = highdicom.seg.segread(BytesIO(answer.read()))
    found = sent.get_pixels_by_source_instance([row.sop_instance_uid for row in slices_of(series)])
    np.testing.assert_array_equal(found[..., 0], labels)


def test_an_archive_that_is_down_is_said(patient: Patient, coordinator: User, browser: Client) -> None:
    gone = add_archive(center=patient.center, name="gone", url=f"http://127.0.0.1:{servers.free_port()}/dicom-web")
    page = search(browser, patient, gone, hospital_id="1")
    assert page.status_code == 502
    assert "cannot be reached" in page.content.decode()


def test_an_address_that_is_no_dicomweb(orthanc: str, patient: Patient, browser: Client) -> None:
    wrong = add_archive(center=patient.center, name="wrong", url=f"{orthanc}/app")
    page = search(browser, patient, wrong, hospital_id="1")
    assert page.status_code == 502
    assert "archive" in page.content.decode()


def test_passwords_are_sealed(patient: Patient) -> None:
    archive = add_archive(center=patient.center, name="closed", url="https://pacs", username="me", secret="tell nobody")
    assert "tell nobody" not in archive.secret
    assert unseal_text(archive.secret) == "tell nobody"


def test_a_foreign_center_s_archive_is_not_there(
    archive: Archive, foreign_patient: Patient, foreign_coordinator: User, client_as: Any
) -> None:
    client = client_as(foreign_coordinator)
    form = {"archive": archive.pk, "study": "x"}
    assert client.post(reverse("imaging:fetch", args=[foreign_patient.study_id]), form).status_code == 404
    page = client.post(reverse("imaging:archive", args=[foreign_patient.study_id]), {"archive": archive.pk})
    assert "archive" in page.context["form"].errors
