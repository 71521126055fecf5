"""What de-identification lets through is proper DICOM, and names nobody: Orthanc, a PACS, is the judge."""

from __future__ import annotations

import json
import urllib.request
import uuid
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from apps.imaging.deidentification import clean_ct, to_bytes
from ml.simulation import PhantomSpec, simulate_ct
from ml.simulation.dicom import ARTIFICIAL_IDENTITY
from tests.services import servers

pytestmark = [pytest.mark.services, pytest.mark.slow]
STUDY_ID = "C1-0042"
IDENTITY = {
    "PatientName": "Wang^Xiao Ming",
    "PatientID": "HOSPITAL-4711",
    "PatientBirthDate": "19470304",
    "AccessionNumber": "ACC99887",
    "PatientAddress": "7 Nowhere Street",
    "PatientTelephoneNumbers": "0571-000000",
    "OtherPatientNames": "Wang^Alias",
    "ReferringPhysicianName": "Doe^Referring",
    "PerformingPhysicianName": "Doe^Performing",
    "OperatorsName": "Doe^Operator",
    "InstitutionName": "First Hospital of Nowhere",
    "InstitutionAddress": "1 Hospital Road",
    "StationName": "CT-ROOM-3",
    "DeviceSerialNumber": "SN-55512",
    "StudyID": "ST-123",
    "StudyDescription": "Head of Mr Wang",
    "SeriesDescription": "Wang axial",
    "PatientComments": "Brother of Li",
    "RequestedProcedureDescription": "asked by Doe",
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[Dataset]:
    """A phantom as a hospital would send it: named, with private tags and a sequence that names the patient again."""
    folder = tmp_path_factory.mktemp("phantom")
    spec = PhantomSpec(rows=64, columns=64, gantry_tilt_degrees=18.5)
    simulate_ct(folder, spec=spec, seed=4, patient_tags=IDENTITY)
    found = [pydicom.dcmread(path) for path in sorted(folder.rglob("*")) if _is_dicom(path)]
    for dataset in found:
        block = dataset.private_block(0x0029, "ICHOR TEST", create=True)
        block.add_new(0x10, "LO", "Private Wang")
        item = Dataset()
        item.PatientName = "Wang^Sequence"
        dataset.RequestAttributesSequence = [item]
    return found


def _is_dicom(path: Path) -> bool:
    return path.is_file() and path.read_bytes()[128:132] == b"DICM"


@pytest.fixture(scope="module")
def cleaned(originals: list[Dataset]) -> list[bytes]:
    return [to_bytes(clean_ct(dataset, STUDY_ID).dataset) for dataset in originals]


@pytest.fixture(scope="module")
def pacs() -> Iterator[str]:
    with servers.orthanc() as address:
        yield address


def ask(url: str, body: bytes | None = None, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with urllib.request.urlopen(urllib.request.Request(url, data=body, headers=named), timeout=60) as answer:
        return json.load(answer)


def stow(pacs: str, files: list[bytes]) -> Any:
    """Send DICOM files as one STOW-RS request (PS3.18, 10.5)."""
    boundary = uuid.uuid4().hex
    parts = [b"--%s\r\nContent-Type: application/dicom\r\n\r\n%s\r\n" % (boundary.encode(), file) for file in files]
    body = b"".join(parts) + b"--%s--\r\n" % boundary.encode()
    kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
    return ask(f"{pacs}/dicom-web/studies", body, Content_Type=kind, Accept="application/dicom+json")


@pytest.fixture(scope="module")
def stored(pacs: str, cleaned: list[bytes]) -> list[str]:
    """The identifiers that Orthanc gave to the instances."""
    answer = stow(pacs, cleaned)
    assert not answer.get("00081198", {}).get("Value"), "FailedSOPSequence"
    assert len(answer["00081199"]["Value"]) == len(cleaned), "ReferencedSOPSequence"
    identifiers: list[str] = ask(f"{pacs}/instances")
    return identifiers


def test_the_phantom_has_all_that_must_go(originals: list[Dataset]) -> None:
    assert len(originals) > 20
    for name, value in IDENTITY.items():
        assert str(originals[0][name].value) == value


def test_every_slice_arrives_in_one_series(pacs: str, stored: list[str], originals: list[Dataset]) -> None:
    assert len(stored) == len(originals)
    statistics = ask(f"{pacs}/statistics")
    counts = [statistics[f"Count{level}"] for level in ("Patients", "Studies", "Series", "Instances")]
    assert counts == [1, 1, 1, len(originals)]


def test_the_patient_is_the_study_id_and_nobody_else(pacs: str, stored: list[str]) -> None:
    for identifier in stored:
        tags = ask(f"{pacs}/instances/{identifier}/simplified-tags")
        assert tags["PatientID"] == STUDY_ID
        assert tags["PatientIdentityRemoved"] == "YES"
        assert tags["PatientName"] == STUDY_ID
        # Of descriptions the words of radiology stay.
        assert (tags["StudyDescription"], tags["SeriesDescription"]) == ("Head", "axial")
        for name in set(IDENTITY) - {"PatientID", "PatientName", "StudyDescription", "SeriesDescription"}:
            assert not tags.get(name), name
        text = json.dumps(ask(f"{pacs}/instances/{identifier}/tags"))
        for value in (*IDENTITY.values(), *_artificial(), "Wang", "Doe", "ICHOR TEST"):
            assert value not in text


def _artificial() -> list[str]:
    """What the phantom itself names: nothing of it that could be a name or a number of a person."""
    kept = {"PatientSex", "StudyDate", "StudyTime", "StudyID"}
    return [value for name, value in ARTIFICIAL_IDENTITY.items() if name not in kept]


def test_no_byte_of_a_file_names_the_patient(cleaned: list[bytes], originals: list[Dataset]) -> None:
    old_uids = [str(originals[0][name].value) for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")]
    for file in cleaned:
        for value in (*IDENTITY.values(), "Wang", "Doe", *old_uids):
            assert value.encode() not in file
        assert file[:128] == bytes(128), "the preamble, too, can hold anything"


def test_geometry_and_pixels_are_those_of_the_original(cleaned: list[bytes], originals: list[Dataset]) -> None:
    for file, original in zip(cleaned, originals, strict=True):
        clean = pydicom.dcmread(BytesIO(file))
        assert clean.PixelData == original.PixelData
        for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
            assert list(map(float, _many(clean[name].value))) == list(map(float, _many(original[name].value)))


def _many(value: Any) -> list[Any]:
    return list(value) if hasattr(value, "__iter__") else [value]
