"""Segmentations as OHIF stores them, and its fault that turns some of them upside down (OHIF/Viewers issue 5038)."""

from __future__ import annotations

import numpy as np
import pytest
from django.test import Client
from pydicom.dataset import Dataset

from apps.accounts.models import User
from apps.annotation.models import Mask
from apps.imaging.models import Series
from apps.patients.models import Patient
from tests.annotation.seg_files import by_hand, slices_at
from tests.annotation.test_bad_dicom_seg import Change, having, refused
from tests.annotation.test_dicom_seg import labels, regions, sent, stored  # noqa: F401 (a fixture)
from tests.imaging.dicomweb.conftest import as_token, web  # noqa: F401 (fixtures)
from tests.imaging.factory import make_scan, receive_series, to_bytes
from tests.ml.dicom_factory import make_series, table_positions

pytestmark = pytest.mark.slow


def test_as_ohif_writes_it(web: Client, ct: Series, labels: np.ndarray) -> None:  # noqa: F811
    """Codes of tissue alone: the names tell, as far as they are those of labels."""
    labels[2, :4] = 2
    made = by_hand(slices_at(ct), labels, ["hematoma", "Intraventricular blood"])
    np.testing.assert_array_equal(stored(made, sent(web, made)), labels)


def _by(writer: str) -> Change:
    """What OHIF and dcmjs write into the file's own header."""

    def change(made: Dataset) -> None:
        made.file_meta.ImplementationVersionName = writer

    return change


def _with_brush(made: Dataset) -> None:
    """An archive has put its own name on the file since."""
    made.file_meta.ImplementationVersionName = "DCM4CHE3"
    made.SegmentSequence[0].SegmentAlgorithmName = "OHIF Brush"


OHIF = [_by("OHIF-3.9.1"), _by("dcmjs-0.0"), _with_brush, having(Manufacturer="Unspecified")]


@pytest.mark.parametrize("change", OHIF)
def test_what_ohif_turns_upside_down(web: Client, ct: Series, labels: np.ndarray, change: Change) -> None:  # noqa: F811
    """Slices numbered from the foot up: each frame may bear the place of its mirror image, and nothing tells."""
    made = by_hand(slices_at(ct), labels, ["Hematoma"])
    change(made)
    reason, sentence = refused(web, made)
    assert (reason, "upside down" in sentence) == (0xA900, True)


@pytest.mark.parametrize("change", OHIF)
def test_what_ohif_leaves_upright(
    web: Client, patient: Patient, coordinator: User, change: Change  # noqa: F811
) -> None:  # fmt: skip
    """Slices numbered from the head down are shown and written in one order."""
    scan = make_scan(5, seed=45)
    for number, dataset in enumerate(reversed(scan)):
        dataset.InstanceNumber = number
    series = receive_series(actor=coordinator, patient=patient, files=to_bytes(scan))
    made = by_hand(slices_at(series), regions((5, 16, 16)), ["Hematoma"])
    change(made)
    sent(web, made)
    assert Mask.objects.count() == 1


def test_our_viewer_on_gaps_that_are_alike(web: Client, ct: Series, labels: np.ndarray) -> None:  # noqa: F811
    """It orders them by position (tests/browser/test_viewer.py)."""
    made = by_hand(slices_at(ct), labels, ["Hematoma"])
    _by("OHIF-3.11.0")(made)
    sent(web, made)
    assert Mask.objects.count() == 1


def test_our_viewer_on_mixed_gaps(web: Client, patient: Patient, coordinator: User) -> None:  # noqa: F811
    hu = np.random.default_rng(7).integers(-20, 80, (6, 16, 16))
    scan = make_series(hu, table_positions([12.0, 12.0, 12.0, 18.0, 18.0]))
    series = receive_series(actor=coordinator, patient=patient, files=to_bytes(scan))
    made = by_hand(slices_at(series), regions((6, 16, 16)), ["Hematoma"])
    _by("OHIF-3.11.0")(made)
    assert refused(web, made)[0] == 0xA900
