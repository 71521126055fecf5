"""Masks that are taken: where they lie, what they measure, their versions, and the list of patients."""

import gzip
import struct
from collections.abc import Callable
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.annotation import services
from apps.annotation.models import Mask
from apps.annotation.selectors import current_mask, current_masks, load_hematoma, load_labels, load_slice_hematoma
from apps.core.errors import Conflict
from apps.imaging.choice import override
from apps.imaging.ingest.receive import receive
from apps.imaging.models import Series
from apps.imaging.services import fail_preparation
from apps.patients.listing import list_patients
from apps.patients.models import Patient
from ml.volumes import Geometry
from tests.annotation.approving import approved
from tests.annotation.conftest import MaskFile, square_labels
from tests.factories import PatientFactory
from tests.imaging.doors import Doors
from tests.imaging.factory import everything, receive_series, scan_files, stored_files


def send(api: APIClient, doors: Doors, content: bytes) -> dict[str, Any]:
    answer = api.post(doors.api_url, {"file": SimpleUploadedFile("mask.nii.gz", content)})
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def test_volume_and_abc2_of_a_box(api: APIClient, doors: Doors, ct: Series, square: bytes) -> None:
    """6 x 4 pixels of 0.5 mm on three slices 16 mm apart: 3 x 2 x 48 mm; ABC/2 with A the diagonal of the outline."""
    told = send(api, doors, square)
    assert told["volume_ml"] == "0.29"
    assert told["version"] == 1
    assert told["series"] == ct.pk
    mask = Mask.objects.get()
    assert mask.slice_areas_mm2 == [0.0, 6.0, 6.0, 6.0, 0.0]
    np.testing.assert_array_equal(load_labels(mask), square_labels())
    np.testing.assert_array_equal(load_slice_hematoma(mask, 2), square_labels()[2] > 0)
    assert list(api.get(doors.api_url).json()[0]) == [
        "version", "series", "volume_ml", "abc2_ml", "sha256", "uploaded_at"
    ]  # fmt: skip


def test_each_label_has_its_volume_and_the_parenchymal_one_counts(
    api: APIClient, doors: Doors, ct: Series, grid: Geometry, mask_file: MaskFile
) -> None:
    """Two slices of 0.096 mL each are hematoma, one is intraventricular blood."""
    labels = square_labels()
    labels[2] *= 2
    assert send(api, doors, mask_file(labels, grid))["volume_ml"] == "0.19"
    mask = Mask.objects.get()
    np.testing.assert_array_equal(load_labels(mask), labels)
    np.testing.assert_array_equal(load_hematoma(mask), labels == 1)
    assert mask.label_ml == {"1": "0.19", "2": "0.10"}
    assert mask.slice_areas_mm2 == [0.0, 6.0, 0.0, 6.0, 0.0]


def test_a_lone_label_of_another_program_is_the_hematoma(
    api: APIClient, doors: Doors, ct: Series, grid: Geometry, mask_file: MaskFile
) -> None:
    """Many programs write 255 for what is inside."""
    assert send(api, doors, mask_file(square_labels() * 255, grid))["volume_ml"] == "0.29"
    np.testing.assert_array_equal(load_labels(Mask.objects.get()), square_labels())


def test_a_mask_of_earlier_times_holds_nothing_but_hematoma(
    api: APIClient, doors: Doors, ct: Series, grid: Geometry, mask_file: MaskFile
) -> None:
    labels = square_labels()
    labels[2] *= 2
    send(api, doors, mask_file(labels, grid))
    Mask.objects.update(label_ml={})
    np.testing.assert_array_equal(load_hematoma(Mask.objects.get()), labels > 0)


@pytest.mark.parametrize("kind", ["plain", "big_endian", "double", "turned"])
def test_kinds_of_nifti(kind: str, api: APIClient, doors: Doors, ct: Series, square: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mask.nii"
    path.write_bytes(gzip.decompress(square))
    image = sitk.ReadImage(str(path))
    if kind == "double":
        sitk.WriteImage(sitk.Cast(image, sitk.sitkFloat64), str(path))
    if kind == "turned":
        sitk.WriteImage(sitk.DICOMOrient(image, "RAS"), str(path))
    content = as_big_endian(path.read_bytes()) if kind == "big_endian" else path.read_bytes()
    assert send(api, doors, content)["volume_ml"] == "0.29"
    np.testing.assert_array_equal(load_labels(Mask.objects.get()), square_labels())


def as_big_endian(data: bytes) -> bytes:
    """Turn the numbers of a NIfTI-1 header around; voxels of one byte stay."""
    layout = "i10s18sihcB8h3f4h8f3fhcB4f2i80s24s2h6f4f4f4f16s4s"
    assert struct.calcsize("<" + layout) == 348
    return struct.pack(">" + layout, *struct.unpack("<" + layout, data[:348])) + data[348:]


def test_versions_are_added_and_the_newest_approved_one_counts(
    api: APIClient, doors: Doors, ct: Series, square: bytes, grid: Geometry, mask_file: MaskFile, patient: Patient
) -> None:
    larger = square_labels()
    larger[4, 4:10, 6:10] = 1
    counting = []
    for content, is_approved in ((square, True), (mask_file(larger, grid), False), (square, True)):
        sent = send(api, doors, content)
        if is_approved:
            approved(Mask.objects.get(version=sent["version"]))
        counted = current_mask(patient)
        assert counted is not None and current_masks([patient]) == {patient.pk: counted}
        counting.append(counted.version)
    assert counting == [1, 1, 3], "nobody has approved the second"
    assert list(Mask.objects.order_by("version").values_list("volume_ml", flat=True)) == [
        Decimal("0.29"), Decimal("0.38"), Decimal("0.29")
    ]  # fmt: skip


def test_a_mask_that_nobody_approved_does_not_count(
    api: APIClient, doors: Doors, ct: Series, square: bytes, patient: Patient
) -> None:
    send(api, doors, square)
    assert current_mask(patient) is None
    assert current_masks([patient]) == {}


def test_message_in_the_browser(browser: Client, doors: Doors, ct: Series, square: bytes) -> None:
    answer = browser.post(doors.page_url, {"file": SimpleUploadedFile("m", square)}, follow=True)
    assert answer.redirect_chain == [("/patients/C1-0001/#mask", 302)]
    assert "0.29" in answer.content.decode()


def add_patient(patient: Patient, seed: int, content: bytes | None, actor: User) -> Patient:
    other = PatientFactory(study_id=f"C1-{seed:04d}", center=patient.center, enrolled_by=actor)
    series = receive_series(actor=actor, patient=other, files=scan_files(5, seed=seed))
    if content is not None:
        approved(services.receive_mask(actor=actor, series=series, content=content))
    return other


def test_list_shows_and_sorts_by_the_volume_that_counts(
    patient: Patient, ct: Series, users: dict[Role, User], grid: Geometry, mask_file: MaskFile
) -> None:
    """Sorted by what is shown: not by a mask of an older CT, of an unusable CT, or of an older version."""
    actor = users[Role.COORDINATOR]

    def box(rows: int) -> bytes:
        labels = np.zeros((5, 16, 16), dtype=np.uint8)
        labels[1:4, :rows] = 1
        return mask_file(labels, grid)

    approved(services.receive_mask(actor=actor, series=ct, content=box(2)))  # 32 x 0.25 mm2 x 48 mm, 0.38 mL
    two_versions = add_patient(patient, 2, box(15), actor)
    approved(
        services.receive_mask(actor=actor, series=two_versions.series.get(modality="CT"), content=box(1))
    )  # 0.19 mL
    services.receive_mask(actor=actor, series=ct, content=box(16))  # nobody has approved it
    newer_ct = add_patient(patient, 3, box(14), actor)
    other_ct = receive(actor=actor, patient=newer_ct, files=scan_files(5, seed=103), confirmed=True).series[0]
    override(actor, newer_ct, other_ct, "the initial CT")  # without a mask
    unusable = add_patient(patient, 4, box(3), actor)  # 0.58 mL
    newest = receive(actor=actor, patient=unusable, files=scan_files(5, seed=104), confirmed=True).series[0]
    override(actor, unusable, newest, "the initial CT")
    approved(services.receive_mask(actor=actor, series=newest, content=box(13)))
    fail_preparation(series=newest, revision=newest.revision, code="not_a_head", sentence="No head.")
    add_patient(patient, 5, None, actor)
    for direction, expected in (("volume", [2, 1, 4]), ("-volume", [4, 1, 2])):
        listing = list_patients(actor, QueryDict(f"sort={direction}"))
        shown = [(row.study_id, dict((c.key, v) for c, v in cells)["volume"]) for row, cells in listing.rows]
        with_volume = [study_id for study_id, volume in shown if volume is not None]
        assert with_volume == [f"C1-{number:04d}" for number in expected]
        assert len(shown) == 5
    counted = current_masks(list(Patient.objects.all())).values()
    volumes = {mask.patient.study_id: str(mask.volume_ml) for mask in counted}
    assert volumes == {"C1-0001": "0.38", "C1-0002": "0.19", "C1-0004": "0.58"}
    for person in Patient.objects.all():
        assert current_mask(person) == current_masks([person]).get(person.pk)


def test_volumes_of_a_page_cost_one_query(patient: Patient, ct: Series, users: dict[Role, User], square: bytes) -> None:
    actor = users[Role.COORDINATOR]
    patients = [add_patient(patient, seed, square, actor) for seed in range(2, 6)]
    with CaptureQueriesContext(connection) as queries:
        assert len({str(mask.volume_ml) for mask in current_masks(patients).values()}) == 1
    assert len(queries) == 1


STEPS = (
    "apps.annotation.services.abc2_ml",
    "apps.annotation.services.hematoma_features",
    "apps.annotation.models.Mask.objects.create",
    "apps.annotation.services.record",
    "apps.annotation.services.announce",
    "apps.core.store.put",
)


@pytest.mark.parametrize("step", STEPS)
def test_failure_at_any_step_leaves_no_row(
    step: str, ct: Series, users: dict[Role, User], square: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **keywords: Any) -> None:
        raise RuntimeError("planted")

    before = everything()
    monkeypatch.setattr(step, fail)
    with pytest.raises(RuntimeError, match="planted"):
        services.receive_mask(actor=users[Role.COORDINATOR], series=ct, content=square)
    assert everything()[0] == before[0]
    monkeypatch.undo()


def test_one_slice_of_a_file_is_read_alone(ct: Series, users: dict[Role, User], square: bytes) -> None:
    mask = services.receive_mask(actor=users[Role.COORDINATOR], series=ct, content=square)
    assert mask.file in stored_files()
    with np.load(BytesIO(stored_files()[mask.file])) as archive:
        assert len(archive.files) == ct.slice_count + 1


STATUS = {
    Role.COORDINATOR: (200, 422), Role.ANNOTATOR: (200, 422), Role.REVIEWER: (200, 422), Role.ASSESSOR: (200, 404),
    Role.DATA_MANAGER: (200, 404), Role.PI: (200, 404), Role.MONITOR: (200, 404), Role.SCIENTIST: (404, 404),
    Role.ADMINISTRATOR: (404, 404),
}  # fmt: skip


@pytest.mark.parametrize("role", Role)
def test_roles(
    role: Role, users: dict[Role, User], ct: Series, doors: Doors, client_as: Callable[[User], Client],
    api_as: Callable[[User], APIClient],
) -> None:  # fmt: skip
    see, send_status = STATUS[role]
    user = users[role]
    form = {"file": SimpleUploadedFile("mask.nii", b"no mask")}
    assert api_as(user).get(doors.api_url).status_code == see
    assert api_as(user).post(doors.api_url, form).status_code == send_status
    form["file"].seek(0)
    assert client_as(user).post(doors.page_url, form).status_code == send_status
    assert client_as(user).get(doors.page_url).status_code == 405


def test_foreign_and_absent_patients_are_alike(
    foreign_coordinator: User, doors: Doors, ct: Series, client_as: Callable[[User], Client],
    api_as: Callable[[User], APIClient], client: Client,
) -> None:  # fmt: skip
    absent = [reverse(name, args=["C9-0001"]) for name in ("annotation:upload", "api-mask-list")]
    for page, program in ((doors.page_url, doors.api_url), absent):
        form = {"file": SimpleUploadedFile("mask.nii", b"no mask")}
        answers = [
            client_as(foreign_coordinator).post(page, form),
            api_as(foreign_coordinator).get(program),
            api_as(foreign_coordinator).post(program, form),
        ]
        assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert client.post(doors.page_url).status_code == 302
    assert client.get(doors.api_url).status_code in (401, 403)


def test_a_mask_of_a_ct_that_grew_meanwhile_is_refused(ct: Series, users: dict[Role, User], square: bytes) -> None:
    """The labels are of the slices that were there when they were read."""
    Series.objects.filter(pk=ct.pk).update(revision=ct.revision + 1)
    with pytest.raises(Conflict) as refused:
        services.receive_mask(actor=users[Role.COORDINATOR], series=ct, content=square)
    assert refused.value.code == "series_changed"
    assert not Mask.objects.exists()
