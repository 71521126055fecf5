"""Taking in a DICOM Segmentation: its voxels become the next version of the mask of the CT on which it lies."""

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _
from pydicom.dataset import Dataset

from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.annotation.dicom_seg import refusals
from apps.annotation.dicom_seg.placing import check_grid, find_series, slice_indices
from apps.annotation.dicom_seg.reading import Frames, items, read_frames
from apps.annotation.dicom_seg.segments import labels_of
from apps.annotation.dicom_seg.writers import check_order
from apps.annotation.double_reading.blinding import open_reading
from apps.annotation.models import Mask
from apps.annotation.segmentation import instance_uid, store_segmentation
from apps.annotation.selectors import load_labels
from apps.annotation.services import store_mask
from apps.core.errors import Conflict, Refusal
from apps.imaging.deidentification import replace_uid
from apps.imaging.derived import Taken
from apps.imaging.ingest.person import find_patient
from apps.imaging.models import Series
from apps.patients.models import Patient
from ml.volumes.headers import numbers, text

Labels = npt.NDArray[np.uint8]


def receive_segmentation(*, actor: User, dataset: Dataset) -> Taken:
    """Store what a segmentation outlines as a version of a mask, which waits for review like any other.

    One that came before, and one that outlines what the newest version does, is answered with the version that there
    is. Raises Refusal.
    """
    patient = find_patient(actor, text(dataset, "PatientID"), Permission.UPLOAD_MASK)
    if patient is None:
        raise refusals.absent()
    series, labels = _read(patient, dataset)
    mask = _store(actor, series, labels, text(dataset, "SOPInstanceUID"))
    sentence = _("The segmentation is version %(version)d of the mask.") % {"version": mask.version}
    return Taken(store_segmentation(mask).instances.get(), sentence)


def _read(patient: Patient, dataset: Dataset) -> tuple[Series, Labels]:
    """Return the CT on which a segmentation lies, and its labels (z, y, x) on the CT's slices."""
    if not text(dataset, "SOPInstanceUID"):
        raise Refusal("missing_identity", _("The file lacks its DICOM unique identifiers. Export it again."))
    frames, segments = _parsed(dataset)
    series = find_series(patient, dataset, frames)
    check_grid(series, frames)
    check_order(series, dataset)
    keys = {number: key for key, number in enumerate(segments, start=1)}
    laid, drawn = _laid(frames, slice_indices(series, frames), keys, int(series.geometry["slices"]))
    table = np.zeros(256, np.uint8)
    for number, label in labels_of({number: segments[number] for number in drawn}).items():
        table[keys[number]] = label
    return series, table[laid]


def _parsed(dataset: Dataset) -> tuple[Frames, dict[int, Dataset]]:
    try:
        return read_frames(dataset), _segments(dataset)
    except Refusal:
        raise
    except Exception:  # a damaged element fails on first access, in many ways; the message may repeat a value
        raise refusals.damaged() from None


def _segments(dataset: Dataset) -> dict[int, Dataset]:
    """Return the segments that a file describes, by their numbers."""
    described = items(dataset, "SegmentSequence")
    found = {int(number): item for item in described for number in numbers(item, "SegmentNumber")[:1]}
    if not 0 < len(found) == len(described) < 256:
        raise refusals.unplaced()
    return found


def _laid(frames: Frames, places: list[int], keys: dict[int, int], slices: int) -> tuple[Labels, set[int]]:
    """Return the key of the segment that holds each pixel (z, y, x), and the numbers of those that hold any."""
    volume, drawn = np.zeros((slices, frames.rows, frames.columns), np.uint8), set()
    for number, (frame, place) in enumerate(zip(frames.frames, places, strict=True)):
        if frame.segment not in keys:
            raise refusals.unplaced()
        inside = frames.plane(number)
        if np.any(volume[place][inside]):
            raise refusals.overlap()
        volume[place][inside] = keys[frame.segment]
        if np.any(inside):
            drawn.add(frame.segment)
    return volume, drawn


def _store(actor: User, series: Series, labels: Labels, uid: str) -> Mask:
    """Store a version, or return the one that there is: a sender who heard no answer sends again."""
    received_as = replace_uid(uid, series.patient.study_id)
    for mask in series.masks.all():
        if received_as == mask.received_as or uid == instance_uid(mask):
            if np.array_equal(labels, load_labels(mask)):
                return mask
            raise refusals.other_under_this_uid()
    if open_reading(series) is not None:
        raise refusals.blind()
    try:
        return store_mask(actor=actor, series=series, mask=labels, received_as=received_as)
    except Conflict as conflict:
        if conflict.code != "mask_known":
            raise
        return series.masks.order_by("-version")[0]
