"""Quarantine: seen by who may upload, sealed on the disk, and decided once, with a reason."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from PIL import Image
from pydicom.uid import SecondaryCaptureImageStorage
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent
from apps.imaging.models import HeldInstance, Instance, Series
from apps.patients.models import Patient
from tests.imaging.factory import ct_api_url, ct_url, make_scan, receive_series, stored_files, to_bytes, uploads


@pytest.fixture
def burned_in(api: APIClient, patient: Patient) -> list[HeldInstance]:
    """Four slices that say that text is burned into them."""
    files = to_bytes(make_scan(BurnedInAnnotation="YES", seed=6))
    assert api.post(ct_api_url(patient), {"files": uploads(files)}).json()["counts"] == {"held": 4}
    return list(HeldInstance.objects.order_by("pk"))


def decide(browser: Client, patient: Patient, rows: list[HeldInstance], decision: str, reason: str = "looked at it"):  # type: ignore[no-untyped-def]
    form = {"held": [row.pk for row in rows], "decision": decision, "reason": reason}
    return browser.post(reverse("imaging:decide", args=[patient.study_id]), form)


def test_pictures_lie_sealed(burned_in: list[HeldInstance]) -> None:
    for row in burned_in:
        content = stored_files()[row.file]
        assert b"DICM" not in content[:200]
        assert b"C1-0001" not in content
    assert Series.objects.count() == 0


def test_a_picture_can_be_looked_at(burned_in: list[HeldInstance], browser: Client, patient: Patient) -> None:
    page = browser.get(reverse("imaging:held", args=[patient.study_id])).content.decode()
    address = reverse("imaging:held-picture", args=[patient.study_id, burned_in[0].pk])
    assert address in page
    answer = browser.get(address)
    assert "no-store" in answer["Cache-Control"]
    assert Image.open(BytesIO(answer.content)).size == (16, 16)
    assert "4 pictures" in browser.get(reverse("patients:detail", args=[patient.study_id])).content.decode()


def test_taken_in(burned_in: list[HeldInstance], browser: Client, patient: Patient) -> None:
    sealed = [row.file for row in burned_in]
    assert decide(browser, patient, burned_in, "accepted").status_code == 302
    series = Series.objects.get()
    assert (series.instance_count, series.slice_count, series.is_chosen) == (4, 4, True)
    assert series.job is not None
    assert not set(sealed) & set(stored_files())
    assert set(HeldInstance.objects.values_list("decision", flat=True)) == {"accepted"}
    decided = AuditEvent.objects.filter(action="decide_on_image")
    assert {event.reason for event in decided} == {"looked at it"}
    # Sent again, they are known.
    assert decide(browser, patient, burned_in, "discarded").status_code == 409


def test_thrown_away(burned_in: list[HeldInstance], browser: Client, api: APIClient, patient: Patient) -> None:
    assert decide(browser, patient, burned_in, "discarded").status_code == 302
    assert stored_files() == {}
    assert Instance.objects.count() == 0
    files = to_bytes(make_scan(BurnedInAnnotation="YES", seed=6))
    # Other UIDs, other objects: they wait again.
    assert api.post(ct_api_url(patient), {"files": uploads(files)}).json()["counts"] == {"held": 4}


@pytest.mark.parametrize(("decision", "reason"), [("accepted", ""), ("accepted", "  x "), ("sell", "looked at it")])
def test_without_reason_or_decision(
    decision: str, reason: str, burned_in: list[HeldInstance], browser: Client, patient: Patient
) -> None:
    assert decide(browser, patient, burned_in, decision, reason).status_code == 422
    assert set(HeldInstance.objects.values_list("decision", flat=True)) == {""}


def test_who_may_look(
    burned_in: list[HeldInstance], users: dict[Role, User], foreign_coordinator: User, patient: Patient,
    client_as: Callable[[User], Client],
) -> None:  # fmt: skip
    picture = reverse("imaging:held-picture", args=[patient.study_id, burned_in[0].pk])
    for user in [*users.values(), foreign_coordinator]:
        status = 200 if user == users[Role.COORDINATOR] else 404
        client = client_as(user)
        assert client.get(picture).status_code == status, user
        assert client.get(reverse("imaging:held", args=[patient.study_id])).status_code == status
        if status == 404:
            assert decide(client, patient, burned_in, "accepted").status_code == 404


def test_a_color_dose_sheet(api: APIClient, browser: Client, patient: Patient) -> None:
    (dataset,) = make_scan(1, SOPClassUID=SecondaryCaptureImageStorage, Modality="CT")
    rgb = np.random.default_rng(1).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    dataset.PhotometricInterpretation, dataset.SamplesPerPixel, dataset.PlanarConfiguration = "RGB", 3, 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation, dataset.PixelData = 7, 0, rgb.tobytes()
    answer = api.post(ct_api_url(patient), {"files": uploads(to_bytes([dataset]))})
    assert answer.json()["counts"] == {"held": 1}, answer.content
    row = HeldInstance.objects.get()
    shown = Image.open(BytesIO(browser.get(reverse("imaging:held-picture", args=[patient.study_id, row.pk])).content))
    assert shown.mode == "RGB"
    assert decide(browser, patient, [row], "accepted").status_code == 302
    series = Series.objects.get()
    assert (series.instance_count, series.slice_count, series.is_chosen) == (1, 0, False)


def test_a_conflict_taken_in_is_a_series_of_its_own(
    api: APIClient, browser: Client, patient: Patient, coordinator: User
) -> None:
    datasets = make_scan(5)
    stored = receive_series(actor=coordinator, patient=patient, files=to_bytes(datasets))
    for dataset in datasets:
        dataset.PixelData = dataset.PixelData[::-1]
    assert browser.post(ct_url(patient), {"files": uploads(to_bytes(datasets))}).status_code == 302
    rows = list(HeldInstance.objects.all())
    assert {row.reason for row in rows} == {"conflict"}
    assert decide(browser, patient, rows, "accepted").status_code == 302
    stored.refresh_from_db()
    other = Series.objects.exclude(pk=stored.pk).get()
    assert (stored.slice_count, other.slice_count, other.study) == (5, 5, stored.study)
    assert stored.digest != other.digest
    assert stored.is_chosen and not other.is_chosen


def test_a_late_slice_taken_in_makes_the_whole_series_anew(
    browser: Client, patient: Patient, coordinator: User
) -> None:
    """A mask rests on the first slices, so they are never renumbered."""
    from apps.imaging.services import lock_series

    files = to_bytes(make_scan(6))
    stored = receive_series(actor=coordinator, patient=patient, files=files[:5])
    lock_series(stored)
    browser.post(ct_url(patient), {"files": uploads(files)})
    (row,) = HeldInstance.objects.all()
    assert row.reason == "late"
    assert decide(browser, patient, [row], "accepted").status_code == 302
    stored.refresh_from_db()
    other = Series.objects.exclude(pk=stored.pk).get()
    assert (stored.slice_count, other.slice_count) == (5, 6)
    assert list(other.instances.order_by("index").values_list("index", flat=True)) == list(range(6))


def test_a_held_slice_never_joins_a_series_with_a_mask(browser: Client, patient: Patient, coordinator: User) -> None:
    """Its place among the slices would move the mask to others."""
    from apps.imaging.services import lock_series

    datasets = make_scan(6)
    datasets[2].BurnedInAnnotation = "YES"
    browser.post(ct_url(patient), {"files": uploads(to_bytes(datasets))})
    stored = Series.objects.get()
    lock_series(stored)
    (row,) = HeldInstance.objects.all()
    assert decide(browser, patient, [row], "accepted").status_code == 302
    stored.refresh_from_db()
    other = Series.objects.exclude(pk=stored.pk).get()
    assert (stored.slice_count, stored.revision, other.slice_count) == (5, 1, 6)


def test_a_held_slice_that_came_clean_meanwhile_makes_a_series_of_its_own(browser: Client, patient: Patient) -> None:
    datasets = make_scan(5)
    for dataset in datasets:
        dataset.BurnedInAnnotation = "YES"
    browser.post(ct_url(patient), {"files": uploads(to_bytes(datasets))})
    rows = list(HeldInstance.objects.all())
    for dataset in datasets:
        dataset.BurnedInAnnotation = "NO"
        dataset.PixelData = dataset.PixelData[::-1]
    browser.post(ct_url(patient), {"files": uploads(to_bytes(datasets))})
    stored = Series.objects.get()
    assert decide(browser, patient, rows, "accepted").status_code == 302
    stored.refresh_from_db()
    other = Series.objects.exclude(pk=stored.pk).get()
    assert (stored.slice_count, other.slice_count) == (5, 5)
    assert stored.digest != other.digest
