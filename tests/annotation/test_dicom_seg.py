"""A DICOM Segmentation that is sent by STOW-RS becomes the next version of its CT's mask, voxel by voxel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from django.test import Client
from pydicom.dataset import Dataset

from apps.accounts.models import User
from apps.accounts.policy import Permission, Role, roles_with
from apps.annotation.double_reading.assigning import assign
from apps.annotation.models import Mask
from apps.annotation.selectors import current_mask, load_labels, waiting_masks
from apps.annotation.services import store_mask
from apps.audit.models import AuditEvent
from apps.imaging.ingest.receive import receive
from apps.imaging.models import Series
from apps.patients.models import Patient
from ml.simulation import PhantomSpec, SpacingPattern, simulate_ct
from tests.annotation.approving import approved
from tests.annotation.scans import take_in
from tests.annotation.seg_files import (
    BRAIN,
    DURA,
    EDEMA,
    HEMATOMA,
    HEMORRHAGE,
    TISSUE,
    VENTRICLE,
    Kind,
    by_hand,
    segmentation,
    shuffled,
    slices_at,
    without_references,
)
from tests.imaging.dicomweb.conftest import as_token, web  # noqa: F401 (fixtures)
from tests.imaging.dicomweb.factory import file_of, parts_of
from tests.imaging.dicomweb.test_store import items, post, reasons, referenced
from tests.imaging.factory import make_scan, to_bytes

pytestmark = pytest.mark.slow


def regions(shape: tuple[int, ...], seed: int = 3) -> np.ndarray:
    """Labels that any flip, shift or swap would change: no row, column or slice is like another; two are empty."""
    found = np.random.default_rng(seed).integers(0, 2, shape).astype(np.uint8)
    found[1, :, shape[2] // 2 :] = 0
    found[-1] = found[len(found) // 2] = 0
    return found


def sent(web: Client, made: Dataset, status: int = 202) -> dict[str, Any]:  # noqa: F811 (a fixture)
    return dict(post(web, [file_of(made)], status))


def stored(made: Dataset, answer: dict[str, Any]) -> np.ndarray:
    assert referenced(answer) == [made.SOPInstanceUID], answer
    return load_labels(Mask.objects.latest("pk"))


@pytest.fixture
def labels(ct: Series) -> np.ndarray:
    return regions((5, 16, 16))


@pytest.mark.parametrize("spacing", [SpacingPattern.UNIFORM_5MM, SpacingPattern.MIXED_4_7MM])
@pytest.mark.parametrize("tilt", [20.0, 0.0, -20.0])
def test_voxels(
    web: Client, patient: Patient, coordinator: User, tmp_path: Path, tilt: float, spacing: SpacingPattern,  # noqa: F811
) -> None:  # fmt: skip
    """On slices that ascend and descend, with all frames, without the empty ones, and in another order."""
    spec = PhantomSpec(rows=64, columns=72, gantry_tilt_degrees=tilt, spacing=spacing, descending=tilt < 0)
    simulate_ct(tmp_path / "ct", spec=spec, seed=5)
    series = take_in(coordinator, patient, [path.read_bytes() for path in (tmp_path / "ct").iterdir()])
    slices = slices_at(series)
    for number, sparse in enumerate((True, False, True), start=1):
        drawn = regions((len(slices), 64, 72), seed=number)
        made = segmentation(slices, drawn, sparse=sparse)
        assert made.NumberOfFrames == len(slices) - 2 * sparse
        np.testing.assert_array_equal(stored(made, sent(web, shuffled(made) if number == 3 else made)), drawn)
    assert [mask.version for mask in Mask.objects.order_by("pk")] == [1, 2, 3]
    assert set(Mask.objects.values_list("series", flat=True)) == {series.pk}


def test_slices_given_in_another_order(web: Client, ct: Series, labels: np.ndarray) -> None:  # noqa: F811
    order = [3, 0, 4, 2, 1]
    slices = slices_at(ct)
    made = segmentation([slices[place] for place in order], labels[order])
    np.testing.assert_array_equal(stored(made, sent(web, made)), labels)


@pytest.mark.parametrize("side", [15, 16])
def test_frames_that_share_a_byte(web: Client, patient: Patient, coordinator: User, side: int) -> None:  # noqa: F811
    series = take_in(coordinator, patient, to_bytes(make_scan(5, side=side, gap=16.0)))
    drawn = regions((5, side, side))
    made = shuffled(segmentation(slices_at(series), drawn))
    np.testing.assert_array_equal(stored(made, sent(web, made)), drawn)


def test_fractions_of_nothing_and_all(web: Client, ct: Series, labels: np.ndarray) -> None:  # noqa: F811
    made = segmentation(slices_at(ct), labels, fractional=True)
    assert (made.SegmentationType, made.BitsAllocated) == ("FRACTIONAL", 8)
    np.testing.assert_array_equal(stored(made, sent(web, made)), labels)


def test_by_place_alone(web: Client, ct: Series, labels: np.ndarray) -> None:  # noqa: F811
    made = without_references(segmentation(slices_at(ct), labels))
    np.testing.assert_array_equal(stored(made, sent(web, made)), labels)


def test_by_place_among_two_reconstructions(
    web: Client, ct: Series, labels: np.ndarray, patient: Patient, coordinator: User  # noqa: F811
) -> None:  # fmt: skip
    """The same slices twice: the CT that stands for the patient's first one is meant."""
    bone = make_scan(5, seed=41, gap=16.0)
    for dataset, frame in zip(bone, make_scan(5, seed=40, gap=16.0), strict=True):
        dataset.FrameOfReferenceUID = "1.2.3"
        dataset.ImagePositionPatient = frame.ImagePositionPatient
    take_in(coordinator, patient, to_bytes(bone))
    made = without_references(segmentation(slices_at(ct), labels))
    sent(web, made)
    assert Mask.objects.get().series == ct
    made = segmentation(slices_at(patient.series.get(modality="CT", is_chosen=False)), labels)
    sent(web, made)
    assert Mask.objects.latest("pk").series != ct


def test_on_the_hospitals_own_slices(web: Client, patient: Patient, coordinator: User) -> None:  # noqa: F811
    """The CT and what was drawn on it in the hospital, in one message: their UIDs stand for those here."""
    files = make_scan(5, seed=6, gap=16.0, PatientID="HOSPITAL-4711", FrameOfReferenceUID="1.2.840.5")
    receive(actor=coordinator, patient=patient, files=to_bytes(make_scan(4, seed=2, PatientID="HOSPITAL-4711")))
    drawn = regions((5, 16, 16))
    made = by_hand(files, drawn, ["Hematoma"])
    answer = post(web, [file_of(made), *to_bytes(files)], 202)
    assert referenced(answer) == [made.SOPInstanceUID, *(dataset.SOPInstanceUID for dataset in files)]
    np.testing.assert_array_equal(load_labels(Mask.objects.get()), drawn)


LESION, BLOOD = (HEMATOMA, BRAIN), (HEMORRHAGE, VENTRICLE)
OLD = (hd.sr.CodedConcept("M-35060", "SRT", "Hematoma"), hd.sr.CodedConcept("T-A0100", "SRT", "Brain"))


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([("a", *LESION), ("b", *BLOOD)], [1, 2]),
        ([("b", *BLOOD), ("a", *LESION)], [2, 1]),
        ([("a", *OLD), ("b", *BLOOD)], [1, 2]),
        ([("a", *LESION), ("c", EDEMA, None)], [1, 3]),
        ([("a", *LESION), ("Subdural hematoma", HEMATOMA, DURA)], [1, 5]),
        ([("a", *LESION), ("Extradural hematoma", HEMATOMA, None)], [1, 6]),
        ([("a", *LESION), ("b", *LESION)], [1, 1]),
        ([("HEMATOMA ", TISSUE, None), ("Edema", TISSUE, BRAIN)], [1, 3]),
        ([("Hematoma", HEMATOMA, None), ("Subarachnoid blood", HEMORRHAGE, None)], [1, 4]),
    ],
)
def test_what_segments_are(
    web: Client, ct: Series, labels: np.ndarray, kinds: list[Kind], expected: list[int]  # noqa: F811
) -> None:  # fmt: skip
    halves = np.stack([labels, 1 - labels], axis=-1)
    made = segmentation(slices_at(ct), halves, kinds)
    np.testing.assert_array_equal(stored(made, sent(web, made)), np.where(labels, *expected))


@pytest.mark.parametrize(
    "kind",
    [("Segment 1", TISSUE, None), ("ICH", HEMORRHAGE, BRAIN), ("Bleed", HEMATOMA, None), ("x", HEMORRHAGE, None)],
)
def test_a_lone_unknown_segment_is_the_hematoma(
    web: Client, ct: Series, labels: np.ndarray, kind: Kind  # noqa: F811
) -> None:  # fmt: skip
    made = segmentation(slices_at(ct), labels, [kind])
    np.testing.assert_array_equal(stored(made, sent(web, made)), labels)


def test_a_segment_without_pixels_counts_for_nothing(web: Client, ct: Series, labels: np.ndarray) -> None:  # noqa: F811
    kinds = [("Segment 1", TISSUE, None), ("Segment 2", TISSUE, None)]
    made = segmentation(slices_at(ct), np.stack([labels, 0 * labels], axis=-1), kinds, sparse=False)
    np.testing.assert_array_equal(stored(made, sent(web, made)), labels)


@pytest.mark.parametrize(
    "kinds",
    [
        [("a", *LESION), ("Segment 2", TISSUE, None)],
        [("a", *LESION), ("b", HEMATOMA, DURA)],
        [("a", *LESION), ("Hematoma", HEMATOMA, DURA)],
        [("Hematoma", HEMATOMA, DURA)],
        [("Segment 1", TISSUE, VENTRICLE)],
        [("Segment 1", EDEMA, VENTRICLE)],
    ],
)
def test_segments_that_mean_nothing_here(
    web: Client, ct: Series, labels: np.ndarray, kinds: list[Kind]  # noqa: F811
) -> None:  # fmt: skip
    """Who says "dura mater" and no more means no parenchymal hematoma, and no one knows which of the others."""
    halves = np.stack([labels, 1 - labels], axis=-1)[..., : len(kinds)]
    answer = sent(web, segmentation(slices_at(ct), halves, kinds), 409)
    assert reasons(answer) == [0xA900]
    assert "Subdural hematoma" in items(answer, "00081198")[0]["00000902"]["Value"][0]
    assert not Mask.objects.exists()


def test_it_waits_for_review_and_is_in_the_trail(
    web: Client, ct: Series, labels: np.ndarray, patient: Patient, coordinator: User  # noqa: F811
) -> None:  # fmt: skip
    sent(web, segmentation(slices_at(ct), labels))
    mask = Mask.objects.get()
    assert (mask.state, mask.uploaded_by, mask.version) == (Mask.State.SUBMITTED, coordinator, 1)
    assert current_mask(patient) is None
    assert list(waiting_masks()) == [mask]
    # 16 mm apart, 0.25 mm2 a pixel
    assert float(mask.volume_ml) == pytest.approx(labels.sum() * 0.25 * 16 / 1000, abs=0.005)
    assert [event.actor for event in AuditEvent.objects.filter(action="upload_mask")] == [coordinator]
    assert current_mask(approved(mask).patient) == mask


def test_the_same_mask_under_another_uid_is_known(web: Client, ct: Series, labels: np.ndarray) -> None:  # noqa: F811
    first, second = (segmentation(slices_at(ct), labels) for _time in range(2))
    addresses = [items(sent(web, made), "00081199")[0]["00081190"] for made in (first, second)]
    assert addresses[0] == addresses[1]
    assert Mask.objects.count() == 1


def test_the_platforms_own_file_sent_back_is_known(
    web: Client, ct: Series, labels: np.ndarray, coordinator: User  # noqa: F811
) -> None:  # fmt: skip
    labels[2, :4] = 2
    store_mask(actor=coordinator, series=ct, mask=labels)
    seg = Series.objects.get(modality="SEG")
    address = f"/dicomweb/studies/{seg.study.study_instance_uid}/series/{seg.series_instance_uid}"
    [(_type, content)] = parts_of(web.get(address))
    assert items(post(web, [content], 202), "00081199")[0]["00000902"]["Value"][0].endswith("version 1 of the mask.")
    assert Mask.objects.count() == 1


def test_other_voxels_under_a_known_uid(web: Client, ct: Series, labels: np.ndarray) -> None:  # noqa: F811
    first, second = (segmentation(slices_at(ct), regions((5, 16, 16), seed=seed)) for seed in (1, 2))
    sent(web, first)
    second.SOPInstanceUID = first.SOPInstanceUID
    assert reasons(sent(web, second, 409)) == [0x0110]
    assert Mask.objects.count() == 1


def test_roles(
    ct: Series, patient: Patient, labels: np.ndarray, users: dict[Role, User], as_token: Any  # noqa: F811
) -> None:  # fmt: skip
    """Who may upload masks may send them, whether he may upload CTs or not; who may not hears that there is no CT."""
    may = set(roles_with(Permission.UPLOAD_MASK))
    assert may == {Role.COORDINATOR, Role.ANNOTATOR, Role.REVIEWER}
    for number, role in enumerate(Role):
        made = segmentation(slices_at(ct), regions((5, 16, 16), seed=number))
        answer = sent(as_token(users[role]), made, 202 if role in may else 409)
        assert reasons(answer) == ([] if role in may else [0x0124]), role
    assert {mask.uploaded_by for mask in Mask.objects.all()} == {users[role] for role in may}


def test_none_is_taken_while_two_are_blind_to_each_other(
    web: Client,  # noqa: F811 (a fixture)
    ct: Series,
    users: dict[Role, User],
    labels: np.ndarray,
) -> None:
    """Every viewer would show it at once."""
    two = [users[Role.COORDINATOR], users[Role.ANNOTATOR]]
    assign(actor=users[Role.DATA_MANAGER], series=ct, annotators=two)
    answer = sent(web, segmentation(slices_at(ct), labels), 409)
    assert "blind to each other" in str(answer)
    assert not Mask.objects.exists()
