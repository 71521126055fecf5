"""What is stored is a proper CT image with the pixels and the geometry that came in."""

import shutil
import subprocess
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from django.core.files.storage import default_storage
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    generate_uid,
)
from rest_framework.test import APIClient

from apps.imaging.models import Instance, Series
from apps.imaging.selectors import load_volume
from apps.patients.models import Patient
from ml.simulation import PhantomSpec, simulate_ct
from ml.volumes import read_series
from tests.imaging.factory import ct_api_url, make_scan, scan_files, stored_files, to_bytes, uploads, zip_of

pytestmark = pytest.mark.slow

# DICOM PS3.3 A.3 with C.7.1.1, C.7.2.1, C.7.3.1, C.7.4.1, C.7.5.1, C.7.6.1-3, C.8.2.1 and C.12.1
TYPE_1 = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Modality",
    "ImageType", "PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient", "SamplesPerPixel",
    "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PixelData", "RescaleIntercept", "RescaleSlope",
)  # fmt: skip
TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "ReferringPhysicianName",
    "StudyID", "AccessionNumber", "SeriesNumber", "PositionReferenceIndicator", "Manufacturer", "InstanceNumber",
    "AcquisitionNumber", "SliceThickness", "KVP",
)  # fmt: skip


def send(api: APIClient, patient: Patient, files: Sequence[bytes]) -> list[Dataset]:
    """Upload a series and return what is stored of it, foot to head."""
    answer = api.post(ct_api_url(patient), {"files": uploads(files)})
    assert answer.status_code == 201, answer.content
    found = Instance.objects.filter(series_id=answer.json()["series"][0]).order_by("index")
    return [pydicom.dcmread(default_storage.path(instance.file)) for instance in found]


def test_required_attributes_are_there(api: APIClient, patient: Patient) -> None:
    for dataset in send(api, patient, scan_files(FrameOfReferenceUID=None)):
        assert [keyword for keyword in TYPE_1 if not dataset.get(keyword)] in ([], ["PixelRepresentation"])
        assert dataset.PixelRepresentation in (0, 1)
        assert [keyword for keyword in TYPE_2 if keyword not in dataset] == []


def test_no_error_that_the_input_had_not(
    api: APIClient, patient: Patient, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (Debian package dicom3tools) is absent")
    simulate_ct(tmp_path / "phantom", spec=PhantomSpec(rows=64, columns=64), seed=1)
    phantom = [path.read_bytes() for path in (tmp_path / "phantom").iterdir()]
    assert dciodvfy_errors(phantom[0], tmp_path) == set()
    stored = send(api, patient, phantom)
    assert set().union(*(dciodvfy_errors(data, tmp_path) for data in to_bytes(stored[:3]))) == set()
    real = request.getfixturevalue("real_scan")
    before = set().union(*(dciodvfy_errors(data, tmp_path) for data in real))
    answer = api.post(ct_api_url(patient), {"files": uploads(real), "confirmed": "1"})
    rows = Instance.objects.filter(series_id=answer.json()["series"][0])
    stored = [pydicom.dcmread(default_storage.path(row.file)) for row in rows]
    after = set().union(*(dciodvfy_errors(data, tmp_path) for data in to_bytes(stored)))
    assert after <= before


def dciodvfy_errors(content: bytes, folder: Path) -> set[str]:
    path = folder / "checked.dcm"
    path.write_bytes(content)
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False, errors="replace")
    lines = (done.stdout + done.stderr).splitlines()
    assert any(line.startswith("CTImage") for line in lines), lines
    return {line for line in lines if line.startswith("Error")}


def test_pixels_and_geometry_of_the_real_scan(api: APIClient, patient: Patient, real_scan: list[bytes]) -> None:
    stored = send(api, patient, real_scan)
    originals = {float(d.ImagePositionPatient[2]): d for d in map(pydicom.dcmread, map(BytesIO, real_scan))}
    for dataset in stored:
        original = originals[float(dataset.ImagePositionPatient[2])]
        assert dataset.PixelData == original.PixelData
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "KVP",
                        "GantryDetectorTilt", "RescaleIntercept", "InstanceNumber"):  # fmt: skip
            assert str(dataset[keyword].value) == str(original[keyword].value), keyword
    heights = [float(dataset.ImagePositionPatient[2]) for dataset in stored]
    assert heights == sorted(heights)
    assert_same_volume(real_scan, Series.objects.get())


def assert_same_volume(files: Sequence[bytes], series: Series) -> None:
    sent, kept = read_series(map(BytesIO, files)), load_volume(series)
    np.testing.assert_array_equal(kept.hu, sent.hu)
    np.testing.assert_array_equal(kept.positions, sent.positions)
    assert kept.pixel_spacing == sent.pixel_spacing


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless])
def test_transfer_syntax_survives(syntax: pydicom.uid.UID, api: APIClient, patient: Patient) -> None:
    datasets = make_scan(seed=3)
    for dataset in datasets:
        if syntax == RLELossless:
            dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.file_meta.TransferSyntaxUID = syntax
    for kept, sent in zip(send(api, patient, to_bytes(datasets)), datasets, strict=True):
        # What is not JPEG is kept in the one plain form, so that a frame can be sent as it lies in its file.
        assert kept.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        np.testing.assert_array_equal(kept.pixel_array, sent.pixel_array)


COMPRESSED = ("4.90.dcm", "4.91.dcm", "4.50.dcm", "4.57.dcm", "4.70.dcm", "4.80.dcm", "4.81.dcm", "1.2.5.dcm",
              "1.2.2.dcm", "1.99.dcm")  # fmt: skip


@pytest.mark.parametrize("ending", COMPRESSED)
def test_real_compressed_slices_survive(ending: str, api: APIClient, patient: Patient, shared_data: Path) -> None:
    folder = shared_data / "odd-dicom" / "cornerstone_CT_transfer_syntaxes"
    (path,) = [path for path in folder.glob("CTImage.dcm_*") if path.name.endswith(ending)]
    files = [_moved(path, height) for height in (0.0, 5.0, 10.0)]
    stored = send(api, patient, files)
    sent = pydicom.dcmread(BytesIO(files[0]))
    syntax = sent.file_meta.TransferSyntaxUID
    packed = syntax.is_encapsulated and syntax != RLELossless
    assert {dataset.file_meta.TransferSyntaxUID for dataset in stored} == {syntax if packed else ExplicitVRLittleEndian}
    assert_same_volume(files, Series.objects.get())


def _moved(path: Path, height: float) -> bytes:
    dataset = pydicom.dcmread(path)
    x, y, _ = dataset.ImagePositionPatient
    dataset.ImagePositionPatient = [x, y, height]
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return to_bytes([dataset])[0]


@pytest.mark.parametrize(
    ("keyword", "sent", "kept"),
    [
        ("Manufacturer", "Siemens, St. Mary's, room 3", "SIEMENS"),
        ("Manufacturer", "Dr. Smith's scanner", ""),
        ("ManufacturerModelName", "SMITH", ""),
        ("ConvolutionKernel", "H31s", "H31s"),
        ("ConvolutionKernel", ["H31s", "3"], ["H31s", "3"]),
        ("ConvolutionKernel", "SMITH", ""),
        ("ScanOptions", "SMITH", ""),
        ("FilterType", "SMITH", ""),
        ("BodyPartExamined", "HEAD", "HEAD"),
        ("BodyPartExamined", "SMITH", ""),
        ("ImageType", ["ORIGINAL", "PRIMARY", "AXIAL", "SMITH"], ["ORIGINAL", "PRIMARY", "AXIAL"]),
        ("PatientAge", "067Y", "067Y"),
        ("PatientAge", "SMITH", ""),
        ("RescaleType", "SMITH", ""),
        ("SpecificCharacterSet", "ISO_IR 100", ""),
        ("PositionReferenceIndicator", "SMITH", ""),
        ("StudyTime", "101112.5", "101112.5"),
    ],
)
def test_technical_fields_hold_only_their_own_words(
    keyword: str, sent: object, kept: object, api: APIClient, patient: Patient
) -> None:
    datasets = make_scan()
    for dataset in datasets:
        with pydicom.config.disable_value_validation():
            setattr(dataset, keyword, sent)
    for dataset in send(api, patient, to_bytes(datasets)):
        value = dataset.get(keyword)
        assert (list(value) if isinstance(kept, list) else value or "") == kept


def test_damaged_fields_are_left_out(api: APIClient, patient: Patient) -> None:
    """Fields that the reader does not need may hold anything; they cost no upload and bring nothing in."""
    datasets = make_scan()
    for dataset in datasets:
        for keyword in ("KVP", "SeriesNumber", "SliceLocation", "ExposureTime", "WindowCenter"):
            dataset.add_new(keyword, "LO", "SMITH\\JOHN")
    for dataset in send(api, patient, to_bytes(datasets)):
        assert dataset.KVP is None
        assert dataset.SeriesNumber is None
        assert "WindowCenter" not in dataset
    assert not any(b"SMITH" in content for content in stored_files().values())


def test_padding_of_the_wrong_sign(api: APIClient, patient: Patient) -> None:
    """GE writes -2000 into unsigned padding of signed pixels; the file stays readable and means the same."""
    datasets = make_scan()
    for dataset in datasets:
        dataset.add_new("PixelPaddingValue", "US", 63536)
    assert {dataset.PixelPaddingValue for dataset in send(api, patient, to_bytes(datasets))} == {-2000}


def test_long_decimal_and_blank_uids(api: APIClient, patient: Patient) -> None:
    """Decimals beyond 16 characters and UIDs with blanks occur; neither keeps a scan out."""
    datasets = make_scan()
    for number, dataset in enumerate(datasets):
        with pydicom.config.disable_value_validation():
            dataset.SOPInstanceUID = f"1.2.3.{number} "
            dataset.ImagePositionPatient = ["-60.1234567890123456", "-50", f"{5 * number}.000000000000001"]
            dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    stored = send(api, patient, to_bytes(datasets))
    assert [float(dataset.ImagePositionPatient[0]) for dataset in stored] == pytest.approx([-60.1234567890123456] * 4)
    assert all(len(str(value)) <= 16 for dataset in stored for value in dataset.ImagePositionPatient)


@pytest.mark.parametrize("directory", ["DICOMDIR", "file-00001"])
def test_directory_and_litter_are_passed_over(
    directory: str, api: APIClient, patient: Patient, shared_data: Path
) -> None:
    """A directory file is known by its content, as the browser gives files neutral names."""
    content = (shared_data / "odd-dicom/pydicom_corrupt_and_edge/TINY_ALPHA/DICOMDIR").read_bytes()
    named = {
        directory: content,
        ".DS_Store": b"\0\0\0\1Bud1",
        "__MACOSX/series/._1": b"\0\5\26\7",
        "series/Thumbs.db": b"\xd0\xcf\x11\xe0",
        "series/desktop.ini": b"[ViewState]",
    }
    named |= {f"series/{i}": data for i, data in enumerate(scan_files())}
    assert len(send(api, patient, [zip_of(named)])) == 4


@pytest.mark.parametrize("ending", ["4.51.dcm", "4.53.dcm", "4.55.dcm"])
def test_jpeg_of_12_bits_is_decoded_as_dcmtk_does(
    ending: str, api: APIClient, patient: Patient, shared_data: Path, tmp_path: Path
) -> None:
    if shutil.which("dcmdjpeg") is None:
        pytest.skip("dcmdjpeg (Debian package dcmtk) is absent")
    folder = shared_data / "odd-dicom" / "cornerstone_CT_transfer_syntaxes"
    (path,) = [path for path in folder.glob("CTImage.dcm_*") if path.name.endswith(ending)]
    subprocess.run(["dcmdjpeg", str(path), str(tmp_path / "plain.dcm")], check=True)
    answer = api.post(ct_api_url(patient), {"files": uploads([path.read_bytes()])})
    (row,) = Instance.objects.filter(series_id=answer.json()["series"][0])
    kept = pydicom.dcmread(default_storage.path(row.file))
    assert kept.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert kept.PixelData == pydicom.dcmread(tmp_path / "plain.dcm").PixelData
    assert kept.LossyImageCompression == "01"
