"""Masks of six labels that leave as DICOM SEG and NIfTI: valid, and the same voxels when they come back."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.annotation.labels import LABELS
from apps.annotation.models import Mask
from apps.annotation.selectors import load_labels
from apps.annotation.services import store_mask
from apps.core import store
from apps.imaging.models import Series
from apps.patients.models import Patient
from ml.hematoma import Label
from ml.simulation import SpacingPattern
from tests.annotation.multi_label import has_checker, label_of, phantom, specks, standard_errors
from tests.annotation.scans import take_in
from tests.annotation.seg_files import Kind, segmentation, slices_at
from tests.imaging.dicomweb.conftest import as_token, web  # noqa: F401 (fixtures)
from tests.imaging.dicomweb.factory import file_of
from tests.imaging.dicomweb.test_store import post, referenced

pytestmark = pytest.mark.slow

TILTS = (20.0, 0.0, -20.0)
EVEN, MIXED = SpacingPattern.UNIFORM_5MM, SpacingPattern.MIXED_4_7MM
any_scan = pytest.mark.parametrize(
    ("tilt", "descending", "spacing"),
    [
        *((tilt, descending, EVEN if descending else MIXED) for tilt in TILTS for descending in (False, True)),
        (20.0, True, MIXED),
    ],
)


@pytest.fixture
def scan(tilt: float, descending: bool, spacing: SpacingPattern, tmp_path: Path) -> list[bytes]:
    return phantom(tmp_path / "ct", tilt=tilt, spacing=spacing, descending=descending)


@pytest.fixture
def series(scan: list[bytes], patient: Patient, coordinator: User) -> Series:
    return take_in(coordinator, patient, scan)


@pytest.fixture
def labels(series: Series) -> np.ndarray:
    grid = series.geometry
    return specks((grid["slices"], grid["rows"], grid["columns"]))


def stored_segmentation(mask: Mask) -> bytes:
    """Return the Segmentation of a version as it is sent."""
    made = Series.objects.get(modality="SEG", description=f"Hematoma, version {mask.version}")
    return store.get(made.instances.get().file)


def read_back(content: bytes, series: Series) -> np.ndarray:
    """Return the labels (z, y, x) as highdicom reads them for the CT's slices, foot to head."""
    read = hd.seg.segread(BytesIO(content))
    slices = series.instances.filter(index__isnull=False).order_by("index")
    numbers = list(read.segment_numbers)
    regions = read.get_pixels_by_source_instance([row.sop_instance_uid for row in slices], segment_numbers=numbers)
    labels = [label_of(read.get_segment_description(number)) for number in numbers]
    assert (np.count_nonzero(regions, axis=-1) <= 1).all(), "one pixel, one label"
    return np.sum([regions[..., place] * label for place, label in enumerate(labels)], axis=0).astype(np.uint8)


def assert_frames_lie_on_the_slices(content: bytes, series: Series, labels: np.ndarray) -> None:
    """Hold each frame against the slice at its place in space, whatever UIDs it names."""
    read = hd.seg.segread(BytesIO(content))
    headers = slices_at(series)
    by_place = {tuple(map(float, header.ImagePositionPatient)): index for index, header in enumerate(headers)}
    seen = set()
    for frame, item in zip(read.pixel_array, read.PerFrameFunctionalGroupsSequence, strict=True):
        index = by_place[tuple(map(float, item.PlanePositionSequence[0].ImagePositionPatient))]
        number = item.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        label = label_of(read.get_segment_description(number))
        np.testing.assert_array_equal(frame > 0, labels[index] == label)
        seen.add((index, label))
    assert seen == {(index, int(label)) for index in range(len(labels)) for label in Label}


@any_scan
def test_the_standards_checker_finds_no_error(
    series: Series, labels: np.ndarray, coordinator: User, tmp_path: Path
) -> None:
    if not has_checker():
        pytest.skip("dciodvfy (Debian package dicom3tools) is absent")
    mask = store_mask(actor=coordinator, series=series, mask=labels)
    (tmp_path / "mask.dcm").write_bytes(stored_segmentation(mask))
    assert standard_errors(tmp_path / "mask.dcm") == []


def test_the_standards_checker_finds_no_error_on_the_real_scan(
    patient: Patient, coordinator: User, real_scan: list[bytes], tmp_path: Path
) -> None:
    if not has_checker():
        pytest.skip("dciodvfy (Debian package dicom3tools) is absent")
    series = take_in(coordinator, patient, real_scan)
    labels = specks((series.geometry["slices"], series.geometry["rows"], series.geometry["columns"]))
    mask = store_mask(actor=coordinator, series=series, mask=labels)
    (tmp_path / "mask.dcm").write_bytes(stored_segmentation(mask))
    assert standard_errors(tmp_path / "mask.dcm") == []
    np.testing.assert_array_equal(read_back(stored_segmentation(mask), series), labels)


@any_scan
def test_out_and_back_voxel_by_voxel(
    series: Series, labels: np.ndarray, coordinator: User, api: APIClient, web: Client, tmp_path: Path,  # noqa: F811
) -> None:  # fmt: skip
    """Through SimpleITK and through highdicom; another version stands between, so that each comes back as a new one."""
    mask = store_mask(actor=coordinator, series=series, mask=labels)
    content = stored_segmentation(mask)
    assert_frames_lie_on_the_slices(content, series, labels)
    seen = read_back(content, series)
    np.testing.assert_array_equal(seen, labels)

    store_mask(actor=coordinator, series=series, mask=specks(labels.shape, seed=4))
    send_nifti(api, through_itk(download(api, mask), tmp_path))
    np.testing.assert_array_equal(load_labels(Mask.objects.get(version=3)), labels)

    store_mask(actor=coordinator, series=series, mask=specks(labels.shape, seed=4))
    made = segmentation(slices_at(series), regions_of(seen), kinds())
    assert referenced(post(web, [file_of(made)], 202)) == [made.SOPInstanceUID]
    np.testing.assert_array_equal(load_labels(Mask.objects.get(version=5)), labels)
    (amounts,) = {tuple(sorted(row.label_ml.items())) for row in Mask.objects.filter(version__in=[1, 3, 5])}
    assert len(amounts) == len(Label)


def download(api: APIClient, mask: Mask) -> bytes:
    client = Client()
    client.force_login(mask.uploaded_by, backend="allauth.account.auth_backends.AuthenticationBackend")
    return bytes(client.get(reverse("annotation:version-file", args=["C1-0001", mask.version, "nii.gz"])).content)


def through_itk(content: bytes, folder: Path) -> bytes:
    """Return a NIfTI as a program on SimpleITK saves it that has turned the axes in between."""
    (folder / "out.nii.gz").write_bytes(content)
    image = sitk.DICOMOrient(sitk.ReadImage(str(folder / "out.nii.gz")), "RAS")
    sitk.WriteImage(image, str(folder / "back.nii.gz"))
    return (folder / "back.nii.gz").read_bytes()


def send_nifti(api: APIClient, content: bytes) -> None:
    form = {"file": SimpleUploadedFile("mask.nii.gz", content)}
    answer = api.post(reverse("api-mask-list", args=["C1-0001"]), form)
    assert answer.status_code == 201, answer.content


def regions_of(labels: np.ndarray) -> np.ndarray:
    return np.stack([labels == label for label in Label], axis=-1)


def kinds() -> list[Kind]:
    return [(LABELS[label].dicom_name, LABELS[label].finding, LABELS[label].region) for label in Label]
