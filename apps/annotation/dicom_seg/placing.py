"""On which CT a segmentation lies, and on which of its slices each frame."""

import json
from collections.abc import Container, Iterable

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _
from pydicom.dataset import Dataset

from apps.annotation.dicom_seg import refusals
from apps.annotation.dicom_seg.reading import Frame, Frames, items
from apps.core.errors import Refusal
from apps.imaging import geometry
from apps.imaging.deidentification import replace_uid
from apps.imaging.derived import DAMAGED
from apps.imaging.models import Instance, Series
from apps.imaging.selectors import ct_series, slices_of
from apps.patients.models import Patient
from ml.volumes import Geometry
from ml.volumes.headers import text

# As for masks in NIfTI files (ml.volumes.masks).
_SAME_POSITION_MM = 0.1
_SAME_DIRECTION = 2e-3
_SAME_SPACING = 1e-3


def find_series(patient: Patient, dataset: Dataset, frames: Frames) -> Series:
    """Return the one CT of a patient on which a segmentation lies. Raises Refusal.

    By the slices that the frames name, else by the series that the file names; where it names nothing, by where the
    frames lie. What it names may be the identifiers of the hospital, for which others stand here.
    """
    slices = Instance.objects.filter(series__patient=patient, series__modality="CT")
    of_slice = dict(slices.values_list("sop_instance_uid", "series_id"))
    of_series = dict(ct_series(patient).values_list("series_instance_uid", "pk"))
    named = {uid for frame in frames.frames for uid in frame.sources}
    referenced = {text(item, "SeriesInstanceUID") for item in items(dataset, "ReferencedSeriesSequence")} - {""}
    if named:
        found = _looked_up(named, of_slice, patient)
    elif referenced:
        found = _looked_up(referenced, of_series, patient)
    else:
        found = _by_place(patient, dataset, frames)
    if not found:
        raise refusals.absent()
    if len(found) > 1:
        raise refusals.several_series()
    return Series.objects.select_related("patient__center", "study").get(pk=found.pop())


def _looked_up(uids: Iterable[str], known: dict[str, int], patient: Patient) -> set[int]:
    """Return what UIDs mean. They are looked up here: a hospital's must stand in no query, which may be logged."""
    return {known[own] for uid in uids if (own := own_uid(uid, known, patient)) in known}


def own_uid(uid: str, known: Container[str], patient: Patient) -> str:
    """Return a UID as it is here: itself, or the one that stands for a hospital's."""
    return uid if uid in known else replace_uid(uid, patient.study_id)


def _by_place(patient: Patient, dataset: Dataset, frames: Frames) -> set[int]:
    """Return the CTs in the same space on whose slices all frames lie; the patient's initial CT goes before others."""
    fitting = []
    for series in ct_series(patient):
        frame_of_reference = _frame_of_reference(series)
        stated = text(dataset, "FrameOfReferenceUID")
        if not stated or own_uid(stated, {frame_of_reference}, patient) != frame_of_reference:
            continue
        try:
            check_grid(series, frames)
            slice_indices(series, frames)
        except Refusal as problem:
            if problem.code == DAMAGED:  # on whatever CT it lies
                raise
            continue
        fitting.append(series)
    chosen = {series.pk for series in fitting if series.is_chosen}
    return chosen or {series.pk for series in fitting}


def _frame_of_reference(series: Series) -> str:
    first = series.instances.exclude(metadata="").values_list("metadata", flat=True).first()
    found = json.loads(first).get("00200052", {}).get("Value", [""]) if first else [""]
    return str(found[0])


def check_grid(series: Series, frames: Frames) -> None:
    """Refuse a CT that takes no mask, and a segmentation whose planes are not the CT's."""
    if not series.geometry or series.state == Series.State.FAILED:
        raise Refusal("series_failed", _("This CT is not usable, so it takes no mask. Upload a usable CT first."))
    grid = geometry.from_json(series.geometry)
    directions = np.concatenate([grid.row_direction, grid.column_direction])
    stated = {(frame.orientation, frame.spacing) for frame in frames.frames}
    if (frames.rows, frames.columns) != grid.matrix or not all(
        _is_near(orientation, directions, _SAME_DIRECTION)
        and _is_near(spacing, np.array(grid.pixel_spacing), _SAME_SPACING * min(grid.pixel_spacing))
        for orientation, spacing in stated
    ):
        raise refusals.other_grid()


def _is_near(stated: tuple[float, ...], expected: npt.NDArray[np.float64], tolerance: float) -> bool:
    """Compare numbers; what is not stated differs from nothing (OHIF leaves the pixel spacing out)."""
    return not stated or (
        len(stated) == len(expected) and bool(np.all(np.abs(np.array(stated) - expected) <= tolerance))
    )


def slice_indices(series: Series, frames: Frames) -> list[int]:
    """Return the slice of each frame, counted from the foot. Raises Refusal where one lies on none or two on one."""
    grid = geometry.from_json(series.geometry)
    uids = {uid: index for index, uid in enumerate(slices_of(series).values_list("sop_instance_uid", flat=True))}
    found = [_slice_of(frame, grid, uids, series.patient) for frame in frames.frames]
    places = {(frame.segment, index) for frame, index in zip(frames.frames, found, strict=True)}
    if len(places) < len(found):
        raise refusals.doubled()
    return found


def _slice_of(frame: Frame, grid: Geometry, uids: dict[str, int], patient: Patient) -> int:
    """Return the slice of a frame: what it names and where it lies must agree."""
    named = {uids[own] for uid in frame.sources if (own := own_uid(uid, uids, patient)) in uids}
    if frame.position:
        if len(frame.position) != 3:
            raise refusals.unplaced()
        distances = np.linalg.norm(grid.positions - np.array(frame.position), axis=1)
        nearest = int(np.argmin(distances))
        if distances[nearest] > _SAME_POSITION_MM or (frame.sources and nearest not in named):
            raise refusals.off_slices()
        return nearest
    if len(named) != 1:
        raise refusals.off_slices()
    return named.pop()
