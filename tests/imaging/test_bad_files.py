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
from apps.imaging.models import HeldInstance, Series
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


def one_of_another_person() -> list[bytes]:
    datasets = make_scan(PatientID="A1")
    datasets[1].PatientID = "B2"
    return to_bytes(datasets)


def in_another_study() -> list[bytes]:
    return changed(StudyInstanceUID="1.2.3.99")


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


# Uploads of which nothing can be taken: refused as a whole, with the first file's sentence.
BAD: dict[str, tuple[str, Callable[[], Sequence[bytes]]]] = {
    "text": ("not_dicom", lambda: [b"Patient list of the ward"]),
    "zero_bytes": ("empty_file", lambda: [b""]),
    "short_dicom": ("not_ct", lambda: [data[:200] for data in scan_files()]),
    "cut_header": ("no_pixels", lambda: [data[:800] for data in scan_files()]),
    "resonance": ("not_ct", resonance),
    "damaged_deflated": ("unreadable", damaged_deflated),
    "two_persons": ("several_persons", lambda: [*scan_files(PatientID="A1"), *scan_files(PatientID="B2")]),
}
# Uploads of which a part is taken: what becomes of how many files, and with which codes.
PARTLY: dict[str, tuple[dict[str, int], set[str], Callable[[], Sequence[bytes]]]] = {
    "text_among_slices": ({"stored": 4, "refused": 1}, {"not_dicom"}, lambda: [*scan_files(), b"notes"]),
    "zero_bytes_among_slices": ({"stored": 4, "refused": 1}, {"empty_file"}, lambda: [*scan_files(), b""]),
    "slice_twice": ({"stored": 4, "known": 1}, set(), slice_twice),
    "cut_pixels": ({"stored": 3, "refused": 1}, {"undecodable"}, cut_pixels),
    "corrupt_compressed": ({"stored": 3, "refused": 1}, {"undecodable"}, corrupt_compressed),
    "screen_shot": ({"stored": 3, "held": 1}, {"secondary_capture"}, screen_shot),
    "burned_in": ({"stored": 3, "held": 1}, {"burned_in"}, lambda: changed(BurnedInAnnotation="YES")),
    "overlay_in_pixels": ({"held": 4}, {"overlay"}, overlay_in_pixels),
    "one_of_another_person": ({"stored": 3, "refused": 1}, {"another_person"}, lambda: one_of_another_person()),
    "in_another_study": ({"stored": 3, "refused": 1}, {"study_differs"}, in_another_study),
    "resonance_among_slices": ({"stored": 4, "left_out": 4}, {"not_ct"}, lambda: [*scan_files(), *resonance()]),
}
# Scans that are stored, but whose slices make no volume, or not without a word: the geometry report says why.
ODD_GEOMETRY: dict[str, tuple[str, str, Callable[[], Sequence[bytes]]]] = {
    "two_slices": ("fail", "too_few_slices", lambda: scan_files(2)),
    "one_slice": ("fail", "too_few_slices", lambda: scan_files(1)),
    "short": ("fail", "short_coverage", lambda: scan_files(4, gap=5.0)),
    "no_position": ("fail", "missing_geometry", lambda: changed(ImagePositionPatient=None)),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_files(kind: str, doors: Doors) -> None:
    code, make = BAD[kind]
    files = make()
    before = everything()
    doors.refuse(code, lambda: {"files": uploads(files)})
    assert everything() == before


@pytest.mark.parametrize("kind", PARTLY)
def test_part_of_an_upload_is_taken(kind: str, api: APIClient, patient: Patient) -> None:
    """One odd file costs no scan: each file has an outcome of its own, with a sentence where it was not stored."""
    counts, codes, make = PARTLY[kind]
    answer = api.post(ct_api_url(patient), {"files": uploads(make())})
    told = answer.json()
    assert (answer.status_code, told["counts"]) == (201 if "stored" in counts else 200, counts)
    assert {outcome["code"] for outcome in told["outcomes"]} - {""} == codes
    for outcome in told["outcomes"]:
        if outcome["status"] not in ("stored", "known"):
            check_sentence(outcome["sentence"])


@pytest.mark.parametrize("kind", ODD_GEOMETRY)
def test_odd_geometry_is_stored_and_said(kind: str, api: APIClient, patient: Patient) -> None:
    level, code, make = ODD_GEOMETRY[kind]
    answer = api.post(ct_api_url(patient), {"files": uploads(make())})
    assert answer.status_code == 201
    series = Series.objects.get()
    assert series.geometry_report["level"] == level
    (finding,) = [found for found in series.geometry_report["findings"] if found["code"] == code]
    check_sentence(finding["sentence"])
    # Nothing goes on with a failed geometry.
    assert (series.state == Series.State.FAILED, series.job is None, series.is_chosen) == (
        level == "fail", level == "fail", level != "fail",
    )  # fmt: skip


def test_series_and_scouts_in_one_upload_are_sorted(api: APIClient, patient: Patient) -> None:
    """A folder from a CD: two series of one examination, one of them with its scout view among the slices."""
    study = {"StudyInstanceUID": "1.2.3.4"}
    first, second = make_scan(5, seed=1, **study), make_scan(4, seed=2, **study)
    first[0].ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    answer = api.post(ct_api_url(patient), {"files": uploads(to_bytes([*first, *second]))})
    assert answer.json()["counts"] == {"stored": 9}
    rows = {series.instance_count: series for series in Series.objects.all()}
    assert {count: series.slice_count for count, series in rows.items()} == {5: 4, 4: 4}
    assert "localizer" in {finding["code"] for finding in rows[5].findings}
    assert rows[5].study == rows[4].study


def test_same_slices_twice_in_one_upload(api: APIClient, patient: Patient) -> None:
    files = scan_files()
    answer = api.post(ct_api_url(patient), {"files": uploads(files + files)})
    assert answer.json()["counts"] == {"stored": 4, "known": 4}


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


def test_second_upload_of_the_same_scan(patient: Patient, api: APIClient) -> None:
    files = scan_files()
    assert api.post(ct_api_url(patient), {"files": uploads(files)}).status_code == 201
    before = everything()
    again = api.post(ct_api_url(patient), {"files": uploads(reversed(files))})
    assert (again.status_code, again.json()["counts"]) == (200, {"known": 4})
    assert everything() == before


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


def test_part_of_a_known_series_is_known(patient: Patient, api: APIClient) -> None:
    files = scan_files(5)
    assert api.post(ct_api_url(patient), {"files": uploads(files)}).status_code == 201
    before = everything()
    assert api.post(ct_api_url(patient), {"files": uploads(files[:3])}).json()["counts"] == {"known": 3}
    assert everything() == before


def test_other_pixels_under_known_identifiers_are_kept_apart(patient: Patient, api: APIClient) -> None:
    datasets = make_scan(5)
    api.post(ct_api_url(patient), {"files": uploads(to_bytes(datasets))})
    before = stored_files()
    digest = Series.objects.get().digest
    datasets[2].PixelData = bytes(len(datasets[2].PixelData))
    answer = api.post(ct_api_url(patient), {"files": uploads(to_bytes(datasets))})
    assert answer.json()["counts"] == {"known": 4, "held": 1}
    assert Series.objects.get().digest == digest
    held = HeldInstance.objects.get()
    assert held.reason == HeldInstance.Reason.CONFLICT
    assert set(stored_files()) - set(before) == {held.file}
