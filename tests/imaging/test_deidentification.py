"""What identifies a patient goes in by every door and is found behind none."""

import logging
import warnings
from collections.abc import Callable, Sequence
from io import BytesIO, StringIO
from pathlib import Path

import pydicom
import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.imaging.ingest.person import person_key, remember_person
from apps.imaging.ingest.reading import silence_pydicom
from apps.imaging.models import Instance, Series
from apps.patients.models import Patient
from tests.factories import PatientFactory
from tests.imaging.factory import (
    ct_api_url,
    ct_url,
    dump_tables,
    make_scan,
    scan_files,
    stored_files,
    to_bytes,
    uploads,
    zip_of,
)
from tests.imaging.planted import MARK, marks_in, planted_series, strange_character_set
from tests.imaging.watch import written_paths

Door = Callable[[Sequence[bytes]], str]


@pytest.fixture
def by_browser(browser: Client, patient: Patient) -> Door:
    def send(files: Sequence[bytes]) -> str:
        answer = browser.post(ct_url(patient), {"files": uploads(files, name=f"{MARK}^FILE")}, follow=True)
        return f"{answer.status_code} {answer.redirect_chain} {answer.content.decode()}"

    return send


@pytest.fixture
def by_zip(browser: Client, patient: Patient) -> Door:
    def send(files: Sequence[bytes]) -> str:
        named = {f"{MARK}^DOE/{MARK} {number}.dcm": data for number, data in enumerate(files)}
        archive = zip_of(named, comment=f"{MARK} comment".encode())
        answer = browser.post(ct_url(patient), {"files": uploads([archive], name=f"{MARK}^ZIP")}, follow=True)
        return f"{answer.status_code} {answer.redirect_chain} {answer.content.decode()}"

    return send


@pytest.fixture
def by_api(api: APIClient, patient: Patient) -> Door:
    def send(files: Sequence[bytes]) -> str:
        answer = api.post(ct_api_url(patient), {"files": uploads(files, name=f"{MARK}^FILE")})
        return f"{answer.status_code} {answer.content.decode()}"

    return send


@pytest.fixture
def by_command(coordinator: User, patient: Patient, tmp_path: Path) -> Door:
    def send(files: Sequence[bytes]) -> str:
        folder = tmp_path / f"{MARK}^DOE"
        folder.mkdir()
        for number, data in enumerate(files):
            (folder / f"{MARK} {number}.dcm").write_bytes(data)
        said = StringIO()
        call_command("import_dicom", folder, patient=patient.study_id, user=coordinator.username, stdout=said)
        return said.getvalue()

    return send


@pytest.fixture
def by_stow(api: APIClient, patient: Patient) -> Door:
    """STOW-RS: the person is known by his hospital number, from an earlier scan."""
    number = str(pydicom.dcmread(BytesIO(planted_series()[0])).PatientID)
    remember_person(patient, person_key(patient.center, number))

    def send(files: Sequence[bytes]) -> str:
        head = b"--cut\r\nContent-Type: application/dicom\r\n\r\n"
        body = b"".join(head + data + b"\r\n" for data in files) + b"--cut--\r\n"
        kind = 'multipart/related; type="application/dicom"; boundary=cut'
        token, _ = Token.objects.get_or_create(user=api.handler._force_user)
        answer = Client(headers={"authorization": f"Token {token.key}"}).generic(
            "POST", "/dicomweb/studies", body, content_type=kind
        )
        # The answer names to the sender what he sent, by his own identifiers: that is STOW-RS.
        return f"{answer.status_code}"

    return send


@pytest.mark.parametrize("door", ["by_browser", "by_zip", "by_api", "by_command", "by_stow"])
def test_no_planted_identity_is_kept_or_said(
    door: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    send: Door = request.getfixturevalue(door)
    files = planted_series()
    assert len(marks_in(files)) > 4  # the search finds what is there
    with warnings.catch_warnings(record=True) as warned, caplog.at_level(logging.DEBUG):
        warnings.resetwarnings()
        silence_pydicom()
        with CaptureQueriesContext(connection) as queries:
            answer = send(files)
    assert Series.objects.count() == 1, answer
    spoken = capfd.readouterr()
    said = [answer, caplog.text, spoken.out, spoken.err, *(str(warning.message) for warning in warned)]
    rows = [row for table in dump_tables().values() for row in table]
    kept = [*stored_files().values(), *(name.encode() for name in stored_files())]
    asked = [query["sql"] for query in queries.captured_queries]
    assert marks_in(kept) == []
    assert marks_in(text.encode() for text in said + rows + asked) == []


def test_reader_repeats_no_character_set(
    api: APIClient, patient: Patient, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    files = strange_character_set()
    with warnings.catch_warnings(record=True) as warned, caplog.at_level(logging.DEBUG):
        warnings.resetwarnings()
        silence_pydicom()
        answer = api.post(ct_api_url(patient), {"files": uploads(files)})
    assert answer.status_code == 201
    spoken = capfd.readouterr()
    said = [caplog.text, spoken.out, spoken.err, *(str(warning.message) for warning in warned)]
    assert marks_in(text.encode() for text in said) == []
    assert marks_in(stored_files().values()) == []


def test_refused_files_leave_no_identity(
    api: APIClient, browser: Client, patient: Patient, caplog: pytest.LogCaptureFixture
) -> None:
    """A refused upload is not stored, and the sentence and the logs repeat nothing of it."""
    mixed = [*planted_series()[:3], *scan_files(3, seed=5, PatientID=f"{MARK}-OTHER")]
    with caplog.at_level(logging.DEBUG):
        answers = [
            api.post(ct_api_url(patient), {"files": uploads(mixed, name=MARK)}),
            browser.post(ct_url(patient), {"files": uploads(mixed, name=MARK)}),
            browser.post(ct_url(patient), {"files": uploads([files[:900] for files in planted_series()], name=MARK)}),
        ]
    assert [answer.status_code for answer in answers] == [422, 422, 422]
    assert stored_files() == {}
    assert marks_in([caplog.text.encode(), *(answer.content for answer in answers)]) == []


@pytest.mark.parametrize("kind", ["browser", "api"])
def test_nothing_is_written_outside_the_store(
    kind: str, browser: Client, api: APIClient, patient: Patient, empty_store: Path, empty_tmp: Path
) -> None:
    client, url = (browser, ct_url(patient)) if kind == "browser" else (api, ct_api_url(patient))
    # The first upload loads modules, which may write their byte code.
    client.post(url, {"files": uploads(scan_files(seed=6))})
    with written_paths() as paths:
        client.post(url, {"files": uploads([zip_of(planted_series())])})
        client.post(url, {"files": uploads([b"no DICOM", *planted_series()])})
    assert Series.objects.count() == 2
    assert paths, "the watch sees the store's own files"
    assert [path for path in paths if not path.is_relative_to(empty_store)] == []
    assert list(empty_tmp.iterdir()) == []


def test_study_id_stands_for_the_patient(api: APIClient, patient: Patient) -> None:
    api.post(ct_api_url(patient), {"files": uploads(planted_series())})
    for dataset in _stored():
        assert dataset.PatientID == "C1-0001"
        assert dataset.PatientIdentityRemoved == "YES"
        assert dataset.preamble == bytes(128)
        assert str(dataset.PatientName) == "C1-0001"
        for keyword in ("PatientBirthDate", "AccessionNumber", "ReferringPhysicianName", "StudyID"):
            assert keyword in dataset
            assert not dataset[keyword].value


def test_uids_agree_within_a_patient_and_differ_between_patients(
    api: APIClient, patient: Patient, coordinator: User
) -> None:
    other = PatientFactory(center=patient.center, enrolled_by=coordinator)
    first, second = to_bytes(_study(1)), to_bytes(_study(2))
    for target, files in ((patient, first), (patient, second), (other, to_bytes(_study(3)))):
        assert api.post(ct_api_url(target), {"files": uploads(files)}).status_code == 201
    studies = {
        series.pk: series.study.study_instance_uid for series in Series.objects.order_by("pk").select_related("study")
    }
    mine, again, foreign = studies.values()
    assert mine == again
    assert mine != foreign
    uids = [str(dataset.StudyInstanceUID) for dataset in _stored()]
    assert set(uids) == {mine, foreign}
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in uids)
    for series in Series.objects.all():
        frames = {dataset.FrameOfReferenceUID for dataset in _stored(series)}
        assert len(frames) == 1
        assert {dataset.SeriesInstanceUID for dataset in _stored(series)} == {series.series_instance_uid}


def _study(seed: int) -> list[pydicom.Dataset]:
    """Return a series of one and the same study."""
    return make_scan(seed=seed, StudyInstanceUID="1.2.3.4.5")


def _stored(series: Series | None = None) -> list[pydicom.Dataset]:
    instances = Instance.objects.order_by("series", "index")
    chosen = instances if series is None else instances.filter(series=series)
    return [pydicom.dcmread(default_storage.path(instance.file)) for instance in chosen]
