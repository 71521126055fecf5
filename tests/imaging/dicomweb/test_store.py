"""STOW-RS: each instance gets its own answer, and nothing is lost, mixed up or told to others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from pydicom.dataset import Dataset

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.imaging.models import HeldInstance, Instance
from apps.patients.models import Patient
from tests.factories import PatientFactory
from tests.imaging.dicomweb.factory import file_of, parts_of
from tests.imaging.factory import everything, make_scan
from tests.imaging.watch import written_paths

STUDIES = "/dicomweb/studies"
TYPE = 'multipart/related; type="application/dicom"; boundary=edge'


def message(files: Sequence[bytes], part_type: str = "application/dicom") -> bytes:
    head = f"--edge\r\nContent-Type: {part_type}\r\n\r\n".encode()
    return b"".join(head + content + b"\r\n" for content in files) + b"--edge--\r\n"


def post(client: Client, files: Sequence[bytes], status: int, path: str = STUDIES) -> Any:
    answer = client.post(path, message(files), content_type=TYPE)
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/dicom+json"
    return answer.json()


def items(found: dict[str, Any], tag: str) -> list[dict[str, Any]]:
    return found.get(tag, {}).get("Value", [])


def referenced(found: dict[str, Any]) -> list[str]:
    return [item["00081155"]["Value"][0] for item in items(found, "00081199")]


def reasons(found: dict[str, Any]) -> list[int]:
    return [item["00081197"]["Value"][0] for item in items(found, "00081198")]


def scan_of(patient_id: str, slices: int = 4, **tags: Any) -> list[Dataset]:
    return make_scan(slices, PatientID=patient_id, PatientName="Wang^Xiao", **tags)


def files_of(datasets: Sequence[Dataset]) -> list[bytes]:
    return [file_of(dataset) for dataset in datasets]


def test_a_scan_is_stored_for_the_patient_of_its_id(patient: Patient, web: Client) -> None:
    scan = scan_of("C1-0001")
    found = post(web, files_of(scan), 200)
    assert referenced(found) == [dataset.SOPInstanceUID for dataset in scan]
    assert items(found, "00081198") == []
    assert set(Instance.objects.values_list("series__patient__study_id", flat=True)) == {"C1-0001"}
    assert Instance.objects.count() == 4
    for item, source in zip(items(found, "00081199"), scan, strict=True):
        assert item["00081150"]["Value"] == ["1.2.840.10008.5.1.4.1.1.2"]
        assert "00081196" not in item
        [address] = item["00081190"]["Value"]
        path = f"{address.removeprefix('http://testserver')}/frames/1"
        [(_type, pixels)] = parts_of(web.get(path))
        assert pixels == source.PixelData
    [whole] = found["00081190"]["Value"]
    assert web.get(whole.removeprefix("http://testserver")).status_code == 200


def test_the_same_scan_twice_is_a_success_that_changes_nothing(patient: Patient, web: Client) -> None:
    files = files_of(scan_of("C1-0001"))
    first = post(web, files, 200)
    before = everything()
    second = post(web, files, 200)
    assert second == first
    assert everything() == before


def test_a_hospitals_number_means_the_patient_it_came_with_before(
    patient: Patient, coordinator: User, web: Client
) -> None:
    from apps.imaging.ingest.receive import receive

    first, second = scan_of("HOSPITAL-4711"), scan_of("HOSPITAL-4711", seed=8)
    assert reasons(post(web, files_of(first), 409)) == [0x0124] * 4
    receive(actor=coordinator, patient=patient, files=files_of(first))
    post(web, files_of(second), 200)
    assert Instance.objects.filter(series__patient=patient).count() == 8


def test_instances_of_two_patients_in_one_message(patient: Patient, coordinator: User, web: Client) -> None:
    other = PatientFactory(study_id="C1-0002", center=patient.center, enrolled_by=coordinator)
    first, second = scan_of("C1-0001"), scan_of("C1-0002", seed=4)
    mixed = [dataset for pair in zip(first, second, strict=True) for dataset in pair]
    found = post(web, files_of(mixed), 200)
    assert referenced(found) == [dataset.SOPInstanceUID for dataset in mixed]
    assert found["00081190"] == {"vr": "UR"}
    counts = {row: Instance.objects.filter(series__patient=row).count() for row in (patient, other)}
    assert counts == {patient: 4, other: 4}


@pytest.mark.parametrize("patient_id", ["C2-0001", "C1-9999", "", "UNKNOWN", "C1-0001\\C2-0001"])
def test_a_patient_who_is_not_ones_own(
    patient_id: str, patient: Patient, foreign_patient: Patient, web: Client
) -> None:
    """A foreign patient is answered as one that there is not."""
    found = post(web, files_of(scan_of(patient_id)), 409)
    assert reasons(found) == [0x0124] * 4
    sentences = {item["00000902"]["Value"][0] for item in items(found, "00081198")}
    absent = post(web, files_of(scan_of("C9-9999")), 409)
    assert sentences == {item["00000902"]["Value"][0] for item in items(absent, "00081198")}
    assert Instance.objects.count() == 0


def test_who_may_not_upload(patient: Patient, users: dict[Role, User], as_token: Any) -> None:
    for role in set(Role) - {Role.COORDINATOR}:
        assert reasons(post(as_token(users[role]), files_of(scan_of("C1-0001", 1)), 409)) == [0x0124], role


def test_good_and_bad_in_one_message(patient: Patient, web: Client) -> None:
    scan = scan_of("C1-0001")
    report = scan_of("C1-0001", 1, seed=3)[0]
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    cut = file_of(scan_of("C1-0001", 1, seed=4)[0])[:-100]
    foreign = file_of(scan_of("C2-0001", 1, seed=5)[0])
    files = [b"no DICOM at all", *files_of(scan), file_of(report), cut, b"", foreign]
    found = post(web, files, 202)
    assert referenced(found) == [dataset.SOPInstanceUID for dataset in scan]
    assert reasons(found) == [0xC000, 0x0122, 0xC000, 0xC000, 0x0124]
    assert all(item["00000902"]["Value"][0].endswith(".") for item in items(found, "00081198"))
    assert Instance.objects.count() == 4


def test_what_is_kept_apart_is_a_warning(patient: Patient, web: Client) -> None:
    burned = scan_of("C1-0001", 1, BurnedInAnnotation="YES")
    found = post(web, files_of(burned), 202)
    [item] = items(found, "00081199")
    assert item["00081196"]["Value"] == [0xB000]
    assert "00081190" not in item
    assert item["00000902"]["Value"][0].endswith(".")
    assert HeldInstance.objects.count() == 1
    assert Instance.objects.count() == 0


def test_the_address_names_the_senders_study(patient: Patient, web: Client) -> None:
    first, second = scan_of("C1-0001"), scan_of("C1-0001", seed=8)
    found = post(web, files_of([*first, *second]), 202, f"{STUDIES}/{first[0].StudyInstanceUID}")
    assert referenced(found) == [dataset.SOPInstanceUID for dataset in first]
    assert reasons(found) == [0xA900] * 4


def test_another_persons_scan_is_refused_as_a_whole(patient: Patient, coordinator: User, web: Client) -> None:
    """The scan lies with one patient; under the id of another every instance says so."""
    PatientFactory(study_id="C1-0002", center=patient.center, enrolled_by=coordinator)
    scan = scan_of("C1-0001")
    post(web, files_of(scan), 200)
    for dataset in scan:
        dataset.PatientID = "C1-0002"
    found = post(web, files_of(scan), 409)
    assert reasons(found) == [0x0110] * 4
    assert Instance.objects.count() == 4


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/dicom", 415),
        ('multipart/related; type="application/dicom+json"; boundary=edge', 415),
        ("multipart/form-data; boundary=edge", 415),
        ("text/html", 415),
        ("", 415),
        ('multipart/related; type="application/dicom"', 400),
        ('multipart/related; type="application/dicom"; boundary=other', 400),
    ],
)
def test_the_wrong_type_of_message(content_type: str, status: int, patient: Patient, web: Client) -> None:
    body = message(files_of(scan_of("C1-0001", 1)))
    answer = web.generic("POST", STUDIES, body, content_type=content_type)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"].endswith(".")
    assert Instance.objects.count() == 0


def test_the_wrong_type_of_part(patient: Patient, web: Client) -> None:
    body = message(files_of(scan_of("C1-0001", 1)), "image/jpeg")
    assert web.generic("POST", STUDIES, body, content_type=TYPE).status_code == 415


@pytest.mark.parametrize("keep", [0, 3, 40, 200, -3, -12])
def test_a_message_that_is_cut_short(keep: int, patient: Patient, web: Client) -> None:
    body = message(files_of(scan_of("C1-0001", 2)))
    answer = web.generic("POST", STUDIES, body[:keep].rstrip(b"-"), CONTENT_TYPE=TYPE)
    assert answer.status_code == 400
    assert answer.json()["detail"].endswith(".")
    assert Instance.objects.count() == 0


def test_a_message_without_instances(patient: Patient, web: Client) -> None:
    answer = web.generic("POST", STUDIES, b"--edge--\r\n", content_type=TYPE)
    assert (answer.status_code, answer.json()["code"]) == (400, "no_files")


def test_a_message_that_is_too_large(patient: Patient, web: Client, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 3000
    answer = web.generic("POST", STUDIES, message(files_of(scan_of("C1-0001", 4))), content_type=TYPE)
    assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_large")
    assert Instance.objects.count() == 0


def test_too_many_instances(patient: Patient, web: Client, settings: Any) -> None:
    settings.UPLOAD_MAX_FILES = 3
    answer = web.generic("POST", STUDIES, message(files_of(scan_of("C1-0001", 4))), content_type=TYPE)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_files")


def test_a_message_without_a_stated_length(patient: Patient, web: Client) -> None:
    """Where the server does not take chunks apart, the client is told to state the length."""
    answer = web.generic(
        "POST", STUDIES, b"", CONTENT_TYPE=TYPE, headers={"Transfer-Encoding": "chunked"}, CONTENT_LENGTH=""
    )
    assert (answer.status_code, answer.json()["code"]) == (411, "length_required")


def test_nothing_that_names_the_patient_is_written(patient: Patient, web: Client, empty_tmp: Path) -> None:
    scan = scan_of("C1-0001", side=700)  # larger than what Django would keep in memory
    with written_paths() as paths:
        post(web, files_of(scan), 200)
    store = Path(default_storage.location)
    assert [path for path in paths if not path.is_relative_to(store) and "sqlite" not in path.name] == []
    assert list(empty_tmp.iterdir()) == []
    rows, files = everything()
    dumped = str(rows) + str(files)
    contents = [store.joinpath(name).read_bytes() for name in files]
    for original in (b"Wang", *(dataset.SOPInstanceUID.encode() for dataset in scan)):
        assert original.decode() not in dumped
        assert all(original not in content for content in contents)
