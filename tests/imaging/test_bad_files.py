"""Files that are no CT series: one sentence by every way in, and nothing is left behind."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, MRImageStorage, RLELossless, SecondaryCaptureImageStorage
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.imaging.models import Series
from apps.patients.models import Patient
from tests.factories import PatientFactory
from tests.imaging.doors import Doors, check_sentence
from tests.imaging.factory import (
    ct_api_url,
    ct_url,
    everything,
    make_scan,
    scan_files,
    stored_files,
    to_bytes,
    uploads,
)
from tests.ml.dicom_factory import make_series


def changed(**tags: Any) -> list[bytes]:
    """Return a series of which the second slice differs in some attributes."""
    datasets = make_scan()
    for keyword, value in tags.items():
        setattr(datasets[1], keyword, value)
    return to_bytes(datasets)


def resonance() -> list[bytes]:
    return to_bytes(make_scan(Modality="MR", SOPClassUID=MRImageStorage))


def with_scout() -> list[bytes]:
    return changed(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])


def two_series() -> list[bytes]:
    return [*scan_files(seed=1), *scan_files(seed=2)]


def slice_twice() -> list[bytes]:
    files = scan_files()
    return [*files, files[0]]


def cut_pixels() -> list[bytes]:
    datasets = make_scan()
    datasets[2].PixelData = datasets[2].PixelData[:100]
    return to_bytes(datasets)


def corrupt_compressed() -> list[bytes]:
    datasets = make_scan()
    for dataset in datasets:
        dataset.compress(RLELossless, generate_instance_uid=False)
    datasets[1].PixelData = datasets[1].PixelData[:20] + b"\xff" * (len(datasets[1].PixelData) - 20)
    return to_bytes(datasets)


def deflated(dataset: Dataset) -> bytes:
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return to_bytes([dataset])[0]


def damaged_deflated() -> list[bytes]:
    return [deflated(dataset)[:400] + b"\xff" * 400 for dataset in make_scan()]


def screen_shot() -> list[bytes]:
    return changed(SOPClassUID=SecondaryCaptureImageStorage)


def overlay_in_pixels() -> list[bytes]:
    datasets = make_scan()
    for dataset in datasets:
        dataset.add_new(0x60000102, "US", 12)
    return to_bytes(datasets)


BAD: dict[str, tuple[str, Callable[[], Sequence[bytes]]]] = {
    "text": ("not_dicom", lambda: [b"Patient list of the ward"]),
    "text_among_slices": ("not_dicom", lambda: [*scan_files(), b"notes"]),
    "zero_bytes": ("not_dicom", lambda: [b""]),
    "zero_bytes_among_slices": ("not_dicom", lambda: [*scan_files(), b""]),
    "short_dicom": ("not_ct", lambda: [data[:200] for data in scan_files()]),
    "cut_header": ("missing_geometry", lambda: [data[:800] for data in scan_files()]),
    "resonance": ("not_ct", resonance),
    "two_slices": ("too_few_slices", lambda: scan_files(2)),
    "one_slice": ("too_few_slices", lambda: scan_files(1)),
    "mixed_series": ("mixed_series", two_series),
    "scout": ("localizer", with_scout),
    "slice_twice": ("duplicate_positions", slice_twice),
    "cut_pixels": ("undecodable", cut_pixels),
    "corrupt_compressed": ("undecodable", corrupt_compressed),
    "damaged_deflated": ("unreadable", damaged_deflated),
    "screen_shot": ("not_ct_image", screen_shot),
    "burned_in": ("burned_in_annotation", lambda: changed(BurnedInAnnotation="YES")),
    "overlay_in_pixels": ("embedded_overlay", overlay_in_pixels),
    "other_matrix": ("not_one_matrix", lambda: changed(Rows=8)),
    "no_position": ("missing_geometry", lambda: changed(ImagePositionPatient=None)),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_files(kind: str, doors: Doors) -> None:
    code, make = BAD[kind]
    files = make()
    before = everything()
    doors.refuse(code, lambda: {"files": uploads(files)})
    assert everything() == before


def test_same_slices_twice_in_one_upload(doors: Doors) -> None:
    files = scan_files()
    doors.refuse("duplicate_positions", lambda: {"files": uploads(files + files)})


def test_deflated_bomb(doors: Doors, settings: Any) -> None:
    """A deflated file of a few kilobytes that holds more than an upload may is refused before it is unpacked."""
    settings.UPLOAD_MAX_BYTES = 2 * 1024**2
    datasets = make_scan()
    for dataset in datasets:
        dataset.add_new(0x00091001, "OB", bytes(4 * 1024**2))
    files = [deflated(dataset) for dataset in datasets]
    assert sum(map(len, files)) < settings.UPLOAD_MAX_BYTES / 10
    doors.refuse("series_too_large", lambda: {"files": uploads(files)}, status=413)


def test_compressed_pictures_larger_than_an_upload(doors: Doors, settings: Any) -> None:
    """Blank pictures pack to a few bytes; what they would fill in memory is known from their headers."""
    settings.UPLOAD_MAX_BYTES = 1024**2
    datasets = make_series([[[0] * 512] * 512] * 4, [[0, 0, 5 * i] for i in range(4)])
    for dataset in datasets:
        dataset.compress(RLELossless, generate_instance_uid=False)
    doors.refuse("series_too_large", lambda: {"files": uploads(to_bytes(datasets))}, status=413)


def test_upload_over_the_limit(doors: Doors, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 3000
    before = everything()
    doors.refuse("upload_too_large", lambda: {"files": uploads(scan_files())}, status=413)
    assert everything() == before


@pytest.mark.parametrize("field", ["", "file", "files[]", "upload"])
def test_no_file_or_wrong_field(field: str, doors: Doors) -> None:
    doors.refuse("nothing_uploaded", lambda: {field: uploads(scan_files())} if field else {"note": "none"})


def test_empty_request_of_other_kind(browser: Client, api: APIClient, patient: Patient) -> None:
    for client, url in ((browser, ct_url(patient)), (api, ct_api_url(patient))):
        for body, kind in (
            (b"{}", "application/json"),
            (b"", "text/plain"),
            (b"--x", "multipart/form-data; boundary=y"),
        ):
            assert client.generic("POST", url, body, content_type=kind).status_code in (400, 415, 422)
        assert client.generic("POST", url, b"x", content_type="multipart/form-data").status_code == 400


NAMES = (
    "Müller Jürgen.dcm",
    "患者.dcm",
    "a\tb.dcm",
    "..",
    "../../etc/passwd",
    "x" * 300,
    "\u202egnp.dcm",
    "CON",
    "a;b=c.dcm",
)


@pytest.mark.parametrize("name", NAMES)
def test_file_names_do_not_matter(name: str, doors: Doors) -> None:
    """Names come from a hospital or an attacker; they are neither used nor kept."""
    files = [SimpleUploadedFile("slice", data) for data in scan_files()]
    for file in files:
        file._name = name
    before = everything()
    answers = [post({"files": files}) for post in doors.posts()[-1:]]
    for answer in answers:
        assert answer.status_code in (201, 422), answer.content
        if answer.status_code == 422:
            check_sentence(answer.json()["detail"])
            assert everything() == before
    assert all(name not in path for path in stored_files())


def test_second_upload_of_the_same_scan(doors: Doors, patient: Patient, api: APIClient) -> None:
    files = scan_files()
    assert api.post(ct_api_url(patient), {"files": uploads(files)}).status_code == 201
    before = everything()
    sentence = doors.refuse("scan_known", lambda: {"files": uploads(reversed(files))}, status=409)
    assert "already uploaded for this patient" in sentence
    assert everything() == before


def test_the_same_pixels_under_other_uids_are_the_same_scan(doors: Doors, patient: Patient, api: APIClient) -> None:
    api.post(ct_api_url(patient), {"files": uploads(scan_files(seed=9))})
    doors.refuse("scan_known", lambda: {"files": uploads(scan_files(seed=9))}, status=409)


def test_same_scan_under_another_patient_of_the_center(
    doors: Doors, patient: Patient, coordinator: User, api: APIClient
) -> None:
    other = PatientFactory(study_id="C1-0002", center=patient.center, enrolled_by=coordinator)
    assert api.post(ct_api_url(other), {"files": uploads(scan_files(seed=9))}).status_code == 201
    before = everything()
    sentence = doors.refuse("scan_of_other_patient", lambda: {"files": uploads(scan_files(seed=9))}, status=409)
    assert "C1-0002" in sentence
    assert everything() == before


def test_same_scan_in_a_foreign_center_is_taken_silently(
    patient: Patient, foreign_patient: Patient, foreign_coordinator: User, api: APIClient, api_as: Any
) -> None:
    """To refuse it would tell that the other center has it."""
    files = scan_files()
    assert api.post(ct_api_url(patient), {"files": uploads(files)}).status_code == 201
    answer = api_as(foreign_coordinator).post(ct_api_url(foreign_patient), {"files": uploads(files)})
    assert answer.status_code == 201
    assert "C1" not in answer.content.decode()
    first, second = Series.objects.order_by("pk")
    assert first.series_instance_uid != second.series_instance_uid
    assert not set(first.instances.values_list("file")) & set(second.instances.values_list("file"))


@pytest.mark.parametrize("same_series", [True, False])
def test_known_slices_in_another_set(same_series: bool, doors: Doors, patient: Patient, api: APIClient) -> None:
    """Part of a stored series, or its slices under another series UID with other pixels, are no new series."""
    datasets = make_scan(5)
    assert api.post(ct_api_url(patient), {"files": uploads(to_bytes(datasets))}).status_code == 201
    before = everything()
    for dataset in datasets:
        if not same_series:
            dataset.SeriesInstanceUID = "1.2.3.4.5.6"
    part = to_bytes(datasets[:4])
    doors.refuse("series_differs", lambda: {"files": uploads(part)}, status=409)
    assert everything() == before
