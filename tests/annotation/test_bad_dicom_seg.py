"""Segmentations that are refused: one sentence each, nothing left behind, and no word on what lies elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.test import Client
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from apps.accounts.models import User
from apps.annotation.models import Mask
from apps.imaging.models import Series
from apps.imaging.services import fail_preparation
from apps.patients.models import Patient
from tests.annotation.seg_files import TISSUE, by_hand, item, segmentation, slices_at
from tests.annotation.test_dicom_seg import labels, regions, sent  # noqa: F401 (a fixture)
from tests.imaging.dicomweb.conftest import as_token, web  # noqa: F401 (fixtures)
from tests.imaging.dicomweb.factory import file_of
from tests.imaging.dicomweb.test_store import items, post, reasons
from tests.imaging.factory import everything, receive_series, scan_files
from tests.imaging.watch import written_paths

pytestmark = pytest.mark.slow
Change = Callable[[Dataset], None]


def refused(web: Client, made: Dataset) -> tuple[int, str]:  # noqa: F811 (a fixture)
    """Return reason and sentence of a segmentation that leaves nothing behind."""
    before = everything()
    answer = sent(web, made, 409)
    assert everything() == before
    [told] = items(answer, "00081198")
    assert told["00081155"]["Value"] == [made.SOPInstanceUID]
    [sentence] = told["00000902"]["Value"]
    assert sentence.endswith(".")
    assert not any(uid in sentence for uid in (made.SOPInstanceUID, made.SeriesInstanceUID, made.PatientID))
    return told["00081197"]["Value"][0], sentence


def other_ct(patient: Patient, actor: User, seed: int) -> Series:
    return receive_series(actor=actor, patient=patient, files=scan_files(5, seed=seed))


def _shift(millimeters: float) -> Change:
    def change(made: Dataset) -> None:
        for group in made.PerFrameFunctionalGroupsSequence:
            place = group.PlanePositionSequence[0]
            x, y, z = map(float, place.ImagePositionPatient)
            place.ImagePositionPatient = [x, y, z + millimeters]

    return change


def _spacing(made: Dataset) -> None:
    made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence = [item(PixelSpacing=[0.5, 0.52])]


def _orientation(made: Dataset) -> None:
    made.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence = [
        item(ImageOrientationPatient=[1, 0, 0, 0, 0.9998, 0.0175])
    ]


def _turned(made: Dataset) -> None:
    """The slice that a frame names is not the one on which it lies."""
    groups = made.PerFrameFunctionalGroupsSequence
    groups[0].PlanePositionSequence, groups[1].PlanePositionSequence = (
        groups[1].PlanePositionSequence, groups[0].PlanePositionSequence
    )  # fmt: skip


@pytest.mark.parametrize("change", [_shift(0.2), _shift(-8.0), _spacing, _orientation, _turned])
def test_another_grid(web: Client, ct: Series, labels: np.ndarray, change: Change) -> None:  # noqa: F811
    made = by_hand(slices_at(ct), labels, ["Hematoma"])
    change(made)
    assert refused(web, made)[0] == 0xA900


def test_a_rounded_position_is_no_other_grid(web: Client, ct: Series, labels: np.ndarray) -> None:  # noqa: F811
    made = by_hand(slices_at(ct), labels, ["Hematoma"])
    _shift(0.05)(made)
    sent(web, made)
    assert Mask.objects.count() == 1


def test_another_matrix(web: Client, ct: Series) -> None:  # noqa: F811
    slices = slices_at(ct)
    for dataset in slices:
        dataset.Rows = dataset.Columns = 20
    assert refused(web, segmentation(slices, regions((5, 20, 20))))[0] == 0xA900


def test_on_two_cts_at_once(
    web: Client, ct: Series, labels: np.ndarray, patient: Patient, coordinator: User  # noqa: F811
) -> None:  # fmt: skip
    made = segmentation(slices_at(ct), labels)
    source = made.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    source.ReferencedSOPInstanceUID = slices_at(other_ct(patient, coordinator, 44))[0].SOPInstanceUID
    reason, sentence = refused(web, made)
    assert (reason, "several CT series" in sentence) == (0xA900, True)


def test_an_unusable_ct(web: Client, ct: Series, labels: np.ndarray) -> None:  # noqa: F811
    fail_preparation(series=ct, revision=ct.revision, code="not_a_head", sentence="No head.")
    assert "not usable" in refused(web, segmentation(slices_at(ct), labels))[1]


def having(**values: Any) -> Change:
    def change(made: Dataset) -> None:
        for keyword, value in values.items():
            if value is None:
                del made[keyword]
            else:
                setattr(made, keyword, value)

    return change


def test_overlapping_segments(web: Client, ct: Series, labels: np.ndarray) -> None:  # noqa: F811
    kinds = [("Hematoma", TISSUE, None), ("Edema", TISSUE, None)]
    made = segmentation(slices_at(ct), np.stack([labels, labels], axis=-1), kinds)
    reason, sentence = refused(web, made)
    assert (reason, "overlap" in sentence) == (0xA900, True)


def test_nothing_drawn(web: Client, ct: Series, labels: np.ndarray) -> None:  # noqa: F811
    made = segmentation(slices_at(ct), labels * 0, sparse=False)
    assert "0.01 mL" in refused(web, made)[1]


def test_real_fractions(web: Client, ct: Series, labels: np.ndarray) -> None:  # noqa: F811
    reason, sentence = refused(web, segmentation(slices_at(ct), labels * 0.5, fractional=True))
    assert (reason, "between inside and outside" in sentence) == (0xA900, True)


def _cut(made: Dataset) -> None:
    made.PixelData = made.PixelData[:-2]


def _grow(made: Dataset) -> None:
    made.PixelData += bytes(2)


def _one_group_less(made: Dataset) -> None:
    made.PerFrameFunctionalGroupsSequence = made.PerFrameFunctionalGroupsSequence[:-1]


def _without(sequence: str) -> Change:
    def change(made: Dataset) -> None:
        del made.PerFrameFunctionalGroupsSequence[1][sequence]

    return change


def _nowhere(made: Dataset) -> None:
    _without("DerivationImageSequence")(made)
    _without("PlanePositionSequence")(made)


def _two_on_one(made: Dataset) -> None:
    groups = list(made.PerFrameFunctionalGroupsSequence)
    made.PerFrameFunctionalGroupsSequence = Items([groups[0], groups[0], *groups[2:]])


def _rubbish(made: Dataset) -> None:
    made.PerFrameFunctionalGroupsSequence[0].add_new("PlanePositionSequence", "OB", b"\x01\x02\x03\x04")


def _no_such_segment(made: Dataset) -> None:
    made.PerFrameFunctionalGroupsSequence[0].SegmentIdentificationSequence[0].ReferencedSegmentNumber = 9


def _same_number(made: Dataset) -> None:
    made.SegmentSequence = Items([*made.SegmentSequence, made.SegmentSequence[0]])


DAMAGES = {
    "millions of frames": having(NumberOfFrames=2**31 - 1),
    "more frames than a number holds": having(NumberOfFrames="99999999999"),
    "no frames": having(NumberOfFrames=0),
    "no count": having(NumberOfFrames=None),
    "frames of a bit": having(Rows=1, Columns=1, NumberOfFrames=1024),
    "huge frames": having(Rows=65535, Columns=65535),
    "cut": _cut,
    "too long": _grow,
    "no pixels": having(PixelData=None),
    "bits": having(BitsAllocated=8),
    "no groups": having(PerFrameFunctionalGroupsSequence=None),
    "a group less": _one_group_less,
    "no segment": _without("SegmentIdentificationSequence"),
    "no place": _nowhere,
    "no segments": having(SegmentSequence=None),
    "no such segment": _no_such_segment,
    "a number twice": _same_number,
    "two frames on a slice": _two_on_one,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged(web: Client, ct: Series, labels: np.ndarray, damage: str) -> None:  # noqa: F811
    made = by_hand(slices_at(ct), labels, ["Hematoma"])
    DAMAGES[damage](made)
    assert refused(web, made)[0] == 0xC000


def test_a_damaged_group_is_as_good_as_none(web: Client, ct: Series, labels: np.ndarray) -> None:  # noqa: F811
    """The frame still names its slice."""
    made = by_hand(slices_at(ct), labels, ["Hematoma"])
    _rubbish(made)
    sent(web, made)
    assert Mask.objects.count() == 1


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9, 0.99])
def test_a_file_that_is_cut_short(web: Client, ct: Series, labels: np.ndarray, keep: float) -> None:  # noqa: F811
    content = file_of(by_hand(slices_at(ct), labels, ["Hematoma"]))
    before = everything()
    answer = post(web, [content[: int(len(content) * keep)]], 409)
    assert everything() == before
    assert reasons(answer)[0] in (0xC000, 0x0124)  # cut before its Patient ID or behind it


def test_deflated_is_read(web: Client, ct: Series, labels: np.ndarray) -> None:  # noqa: F811
    made = by_hand(slices_at(ct), labels, ["Hematoma"])
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    sent(web, made)
    assert Mask.objects.count() == 1


def test_big_endian_is_not(web: Client, ct: Series, labels: np.ndarray) -> None:  # noqa: F811
    made = by_hand(slices_at(ct), labels, ["Hematoma"])
    made.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    assert refused(web, made)[0] == 0xC122


def test_good_slices_beside_a_bomb(web: Client, ct: Series, labels: np.ndarray) -> None:  # noqa: F811
    """What the header of a segmentation asks for is not counted as an upload's pictures."""
    made = by_hand(slices_at(ct), labels, ["Hematoma"])
    made.NumberOfFrames = 2**31 - 1
    more = scan_files(4, seed=43, PatientID="C1-0001")
    assert reasons(post(web, [file_of(made), *more], 202)) == [0xC000]
    assert Series.objects.filter(modality="CT").count() == 2


MARKS = ("QXPLANT", "1.2.826.0.1.777", "19210317")


def test_identity_is_neither_kept_nor_logged(
    web: Client, ct: Series, labels: np.ndarray, caplog: pytest.LogCaptureFixture, empty_tmp: Path  # noqa: F811
) -> None:  # fmt: skip
    """Neither of one that is taken nor of one that is refused."""
    caplog.set_level(logging.DEBUG)
    with written_paths() as paths:
        for status, count in ((202, None), (409, 99)):
            made = planted(by_hand(slices_at(ct), labels, ["QXPLANT segment"]))
            made.NumberOfFrames = count or made.NumberOfFrames
            answer = sent(web, made, status)
    folder = Path(default_storage.location)
    assert [path for path in paths if not path.is_relative_to(folder) and "sqlite" not in path.name] == []
    assert Mask.objects.count() == 1
    rows, files = everything()
    kept = str(rows) + str(files) + caplog.text + str(items(answer, "00081198")[0]["00000902"])
    contents = [folder.joinpath(name).read_bytes() for name in files]
    for mark in MARKS:
        assert mark not in kept
        assert all(mark.encode() not in content for content in contents)


def planted(made: Dataset) -> Dataset:
    made.ContentCreatorName = made.OperatorsName = made.PatientName = "QXPLANT^Doctor"
    made.SeriesDescription = made.ContentDescription = made.InstitutionName = "QXPLANT"
    made.PatientBirthDate = made.ContentDate = "19210317"
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.777.1"
    made.SeriesInstanceUID = "1.2.826.0.1.777.2"
    made.SegmentSequence[0].SegmentDescription = made.SegmentSequence[0].TrackingID = "QXPLANT"
    made.SegmentSequence[0].TrackingUID = "1.2.826.0.1.777.3"
    block = made.private_block(0x0011, "QXPLANT MAKER", create=True)
    block.add_new(0x01, "LO", "QXPLANT PRIVATE")
    return made
