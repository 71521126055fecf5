"""From the headers of DICOM files to the geometry of one CT series, or a sentence why they are none."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue

from ml.volumes.errors import SeriesError
from ml.volumes.geometry import FloatArray, Geometry, slice_normal

Source = Path | str | BinaryIO | pydicom.Dataset

MIN_SLICES = 3
_MAX_MATRIX = 4096
# Direction cosines are often written with few digits: 0.001 is 0.06 degrees.
_SAME_DIRECTION = 1e-3
_SAME_SPACING = 1e-4
# The thinnest slices of head CT are some 0.3 mm apart.
_SAME_POSITION_MM = 0.05


def open_datasets(sources: Iterable[Source], *, pixels: bool) -> list[pydicom.Dataset]:
    """Read DICOM files; data sets that are already open are passed through.

    Parameters
    ----------
    sources
        Paths, binary file objects or pydicom data sets.
    pixels
        Whether to read the pixel data as well.

    Raises
    ------
    SeriesError
        ``not_dicom``, ``unreadable``.
    """
    listed = list(sources)
    return [_open(source, pixels, f"File {i} of {len(listed)}") for i, source in enumerate(listed, start=1)]


def _open(source: Source, pixels: bool, name: str) -> pydicom.Dataset:
    if isinstance(source, pydicom.Dataset):
        return source
    try:
        return pydicom.dcmread(source, stop_before_pixels=not pixels)
    except InvalidDicomError:
        raise SeriesError(
            "not_dicom", f"{name} is not a DICOM file: send only the DICOM files of the CT series."
        ) from None
    except (
        Exception
    ):  # a damaged header makes pydicom raise almost anything, its message may repeat the path or a value
        raise SeriesError(
            "unreadable", f"{name} cannot be read, it may be damaged or cut short: export the series again."
        ) from None


def check_ct(datasets: Sequence[pydicom.Dataset]) -> None:
    """Refuse what is not one series of single CT slices.

    Raises
    ------
    SeriesError
        ``no_files``, ``not_ct``, ``localizer``, ``multi_frame``, ``missing_identity``, ``mixed_series``.
    """
    if not datasets:
        raise SeriesError("no_files", "There is no DICOM file here: send the DICOM files of the CT series.")
    for i, dataset in enumerate(datasets, start=1):
        _check_kind(dataset, f"Image {i} of {len(datasets)}")
    series = {text(dataset, "SeriesInstanceUID") for dataset in datasets}
    if len(series) > 1:
        raise SeriesError(
            "mixed_series",
            f"The {len(datasets)} images belong to {len(series)} different series: send one series alone.",
        )


def _check_kind(dataset: pydicom.Dataset, name: str) -> None:
    modality = text(dataset, "Modality")
    if modality != "CT":
        # Only a well-formed code is repeated: the field of a damaged file could hold anything.
        found = f"of modality {modality}" if re.fullmatch(r"[A-Z]{2,12}", modality) else "of no stated modality"
        raise SeriesError("not_ct", f"{name} is {found}, not a CT image: send the head CT series alone.")
    if "LOCALIZER" in text(dataset, "ImageType").upper():
        raise SeriesError(
            "localizer", f"{name} is a scout view (localizer): leave the scout out and send the slices alone."
        )
    frames = text(dataset, "NumberOfFrames")
    if frames not in ("", "1") or "SharedFunctionalGroupsSequence" in dataset:
        raise SeriesError(
            "multi_frame",
            f"{name} is an enhanced multi-frame CT, which cannot be read: export it as single-frame CT images.",
        )
    if not all(text(dataset, uid) for uid in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")):
        raise SeriesError("missing_identity", f"{name} lacks its DICOM unique identifiers: export the series again.")


def read_geometry(sources: Iterable[Source]) -> Geometry:
    """Read where the slices of a CT series lie, without their pixels.

    Parameters
    ----------
    sources
        Paths, binary file objects or pydicom data sets of one series, in any order.

    Returns
    -------
    Geometry
        Slices ordered from foot to head.

    Raises
    ------
    SeriesError
        ``not_dicom``, ``unreadable``, ``no_files``, ``not_ct``, ``localizer``, ``multi_frame``, ``missing_identity``,
        ``mixed_series``, ``missing_geometry``, ``bad_matrix``, ``not_one_matrix``, ``not_one_spacing``,
        ``not_one_orientation``, ``bad_orientation``, ``not_axial``, ``too_few_slices``, ``duplicate_positions``.

    Notes
    -----
    Position and orientation come from ImagePositionPatient and ImageOrientationPatient alone (DICOM PS3.3, C.7.6.2).
    File names, InstanceNumber, SliceLocation and SliceThickness are never looked at.
    """
    return sorted_geometry(open_datasets(sources, pixels=False))[0]


def sorted_geometry(datasets: Sequence[pydicom.Dataset]) -> tuple[Geometry, list[pydicom.Dataset]]:
    """Return the geometry of open data sets, and these in its order. Errors as `read_geometry`."""
    check_ct(datasets)
    matrix = _one_matrix(datasets)
    spacing = _one_spacing(datasets)
    row, column = _one_orientation(datasets)
    if len(datasets) < MIN_SLICES:
        raise SeriesError(
            "too_few_slices",
            f"The series has {len(datasets)} slice{'s'[: len(datasets) > 1]}, at least {MIN_SLICES} are needed: "
            "send the whole series.",
        )
    positions = np.array(_all_numbers(datasets, "ImagePositionPatient", 3))
    order = np.argsort(positions @ slice_normal(row, column), kind="stable")
    ordered = [datasets[i] for i in order]
    geometry = Geometry(
        positions=positions[order],
        row_direction=row,
        column_direction=column,
        pixel_spacing=spacing,
        sop_instance_uids=tuple(text(dataset, "SOPInstanceUID") for dataset in ordered),
        series_instance_uid=text(datasets[0], "SeriesInstanceUID"),
        study_instance_uid=text(datasets[0], "StudyInstanceUID"),
        matrix=matrix,
    )
    _check_distinct(geometry)
    return geometry, ordered


def _check_distinct(geometry: Geometry) -> None:
    doubles = int(np.count_nonzero(geometry.gaps < _SAME_POSITION_MM))
    if not doubles:
        doubles = len(geometry.positions) - len(set(geometry.sop_instance_uids))
    if doubles:
        raise SeriesError(
            "duplicate_positions",
            f"{doubles} of the {len(geometry.positions)} slices lie where another slice lies or repeat it: "
            "send each slice of one reconstruction once.",
        )


def _one_matrix(datasets: Sequence[pydicom.Dataset]) -> tuple[int, int]:
    rows, columns = (_all_numbers(datasets, keyword, 1) for keyword in ("Rows", "Columns"))
    found = sorted({(int(row[0]), int(column[0])) for row, column in zip(rows, columns, strict=True)})
    if len(found) > 1:
        listed = ", ".join(f"{height} x {width}" for height, width in found[:3])
        raise SeriesError(
            "not_one_matrix", f"The slices have different matrix sizes ({listed}): send one reconstruction alone."
        )
    if not all(0 < side <= _MAX_MATRIX for side in found[0]):
        raise SeriesError(
            "bad_matrix", f"A slice of {found[0][0]} x {found[0][1]} pixels is no head CT: check what was exported."
        )
    return found[0]


def _one_spacing(datasets: Sequence[pydicom.Dataset]) -> tuple[float, float]:
    spacings = np.array(_all_numbers(datasets, "PixelSpacing", 2))
    if np.any(spacings <= 0):
        raise SeriesError("missing_geometry", "The pixel spacing is not a positive length: export the series again.")
    if np.any(np.abs(spacings - spacings[0]) > _SAME_SPACING):
        raise SeriesError(
            "not_one_spacing",
            f"The slices have different pixel sizes ({spacings.min():.3f} to {spacings.max():.3f} mm): "
            "send one reconstruction alone.",
        )
    return float(spacings[0, 0]), float(spacings[0, 1])


def _one_orientation(datasets: Sequence[pydicom.Dataset]) -> tuple[FloatArray, FloatArray]:
    directions = np.array(_all_numbers(datasets, "ImageOrientationPatient", 6)).reshape(-1, 2, 3)
    if np.any(np.abs(directions - directions[0]) > _SAME_DIRECTION):
        raise SeriesError(
            "not_one_orientation", "The slices do not all lie in one direction: send a series of parallel slices alone."
        )
    row, column = directions[0]
    lengths = np.linalg.norm(directions[0], axis=1)
    if np.any(np.abs(lengths - 1) > 1e-2) or abs(row @ column) > 1e-2:
        raise SeriesError(
            "bad_orientation", "The rows and columns of the slices are not at right angles: export the series again."
        )
    row = row / lengths[0]
    column = column - (column @ row) * row
    column = column / np.linalg.norm(column)
    # The normal of an axial slice, tilted or not, is nearer to the patient's long axis than to the others.
    if slice_normal(row, column)[2] < np.sqrt(0.5):
        raise SeriesError(
            "not_axial", "The slices are coronal or sagittal, not axial: send the axial series of the head CT."
        )
    return row, column


def _all_numbers(datasets: Sequence[pydicom.Dataset], keyword: str, count: int) -> list[list[float]]:
    """Return the attribute's `count` numbers of every image, or name the first image that lacks them."""
    found = [numbers(dataset, keyword) for dataset in datasets]
    for i, values in enumerate(found, start=1):
        if len(values) != count:
            raise SeriesError(
                "missing_geometry",
                f"Image {i} of {len(datasets)} has no usable {keyword}, so its place or scale is unknown: "
                "export the original CT series again.",
            )
    return found


def numbers(dataset: pydicom.Dataset, keyword: str) -> list[float]:
    """Return an attribute's finite numbers, none where it is absent or damaged."""
    try:
        value = dataset[keyword].value
        found = [float(number) for number in (value if isinstance(value, MultiValue) else [value])]
    except Exception:  # absent, empty, or bytes that pydicom cannot turn into numbers
        return []
    return found if np.all(np.isfinite(found)) else []


def text(dataset: pydicom.Dataset, keyword: str) -> str:
    """Return an attribute as text, empty where it is absent or damaged."""
    try:
        value = dataset.get(keyword)
    except Exception:  # a damaged element fails on first access, in many ways
        return ""
    return "" if value is None else str(value).strip()
