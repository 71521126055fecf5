"""STOW-RS of DICOM Segmentations: what the sender hears. Their voxels are in tests/annotation/test_dicom_seg.py."""

from __future__ import annotations

from io import BytesIO

import highdicom as hd
import numpy as np
import pytest
from django.test import Client
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless

from apps.accounts.models import User
from apps.annotation.models import Mask
from apps.imaging.models import Series
from apps.patients.models import Patient
from tests.annotation.conftest import ct  # noqa: F401 (a fixture)
from tests.annotation.seg_files import segmentation, slices_at, without_references
from tests.annotation.test_bad_dicom_seg import other_ct, refused
from tests.annotation.test_dicom_seg import labels, regions, sent  # noqa: F401 (a fixture)
from tests.factories import PatientFactory
from tests.imaging.dicomweb.factory import file_of, parts_of
from tests.imaging.dicomweb.test_store import items, post, reasons

pytestmark = pytest.mark.slow


def test_a_segmentation_becomes_a_version_of_the_mask(web: Client, ct: Series, labels: np.ndarray) -> None:  # noqa: F811
    made = segmentation(slices_at(ct), labels)
    answer = sent(web, made)
    [told] = items(answer, "00081199")
    assert told["00081150"]["Value"] == ["1.2.840.10008.5.1.4.1.1.66.4"]
    assert told["00081196"]["Value"] == [0xB000]
    assert told["00000902"]["Value"] == ["The segmentation is version 1 of the mask."]
    [address] = told["00081190"]["Value"]
    [(_type, content)] = parts_of(web.get(address.removeprefix("http://testserver")))
    left = hd.seg.segread(BytesIO(content))
    assert {left.SOPInstanceUID, left.SeriesInstanceUID}.isdisjoint({made.SOPInstanceUID, made.SeriesInstanceUID})
    assert (left.Manufacturer, left.PatientID, left.StudyInstanceUID) == ("Ichor", "C1-0001", made.StudyInstanceUID)
    uids = [dataset.SOPInstanceUID for dataset in slices_at(ct)]
    np.testing.assert_array_equal(left.get_pixels_by_source_instance(uids)[..., 0], labels)


def test_a_segmentation_sent_again(web: Client, ct: Series, labels: np.ndarray) -> None:  # noqa: F811
    """Also behind a later version: a sender who heard no answer does not undo what came meanwhile."""
    first, second = (segmentation(slices_at(ct), regions((5, 16, 16), seed=seed)) for seed in (1, 2))
    told = sent(web, first)
    assert sent(web, first) == told
    sent(web, second)
    assert sent(web, first) == told
    assert Mask.objects.count() == 2
    assert Series.objects.filter(modality="SEG").count() == 2


def test_a_segmentation_on_no_ct_of_ones_own(
    web: Client, ct: Series, patient: Patient, foreign_patient: Patient, coordinator: User, foreign_coordinator: User,  # noqa: F811
) -> None:  # fmt: skip
    drawn = regions((5, 16, 16))
    mine = slices_at(ct)
    neighbor = PatientFactory(study_id="C1-0002", center=patient.center, enrolled_by=coordinator)
    neighbors = slices_at(other_ct(neighbor, coordinator, 41))
    foreign = slices_at(other_ct(foreign_patient, foreign_coordinator, 42))
    told = set()
    for slices, study_id in [
        (mine, "C1-9999"), (mine, "C2-0001"), (mine, ""), (mine, "C1-0002"), (neighbors, "C1-0001"),
        (foreign, "C2-0001"), (foreign, "C1-0001"), (mine, "C1-0001\\C1-0002"),
    ]:  # fmt: skip
        made = segmentation(slices, drawn)
        made.PatientID = study_id
        made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = "2.25.1"
        told.add(str(sent(web, made, 409)))
    for change in (_other_series, _nothing_named):
        made = segmentation(mine, drawn)
        change(made)
        made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = "2.25.1"
        told.add(str(sent(web, made, 409)))
    assert len(told) == 1
    assert str(0x0124) in told.pop()
    assert not Mask.objects.exists()


def _other_series(made: Dataset) -> None:
    """A series alone is named, which is nowhere."""
    for group in made.PerFrameFunctionalGroupsSequence:
        del group.DerivationImageSequence
    made.ReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3"


def _nothing_named(made: Dataset) -> None:
    """Nothing is named, and the space is another: equal positions of the table mean nothing."""
    without_references(made)
    made.FrameOfReferenceUID = "1.2.3"


def test_a_compressed_segmentation(web: Client, ct: Series, labels: np.ndarray) -> None:  # noqa: F811
    made = segmentation(slices_at(ct), labels, fractional=True)
    frames = [bytes(64 + 256)] * int(made.NumberOfFrames)
    made.PixelData = encapsulate(frames)
    made["PixelData"].is_undefined_length = True
    made.file_meta.TransferSyntaxUID = RLELossless
    reason, sentence = refused(web, made)
    assert (reason, "compressed" in sentence) == (0xC122, True)


def test_a_segmentation_under_another_studys_address(web: Client, ct: Series, labels: np.ndarray) -> None:  # noqa: F811
    made = segmentation(slices_at(ct), labels)
    answer = post(web, [file_of(made)], 409, "/dicomweb/studies/1.2.3")
    assert reasons(answer) == [0xA900]
    post(web, [file_of(made)], 202, f"/dicomweb/studies/{ct.study.study_instance_uid}")
