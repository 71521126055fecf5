"""A CT series from DICOM files."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.pixels.utils import pixel_array

from ml.volumes.errors import SeriesError
from ml.volumes.geometry import Geometry
from ml.volumes.headers import Source, numbers, open_datasets, sorted_geometry, text
from ml.volumes.volume import Volume

AIR_HU = -1000.0
# A "padding" value in this range would be tissue: the attribute is wrong and is not followed.
_TISSUE_HU = (-900.0, 3000.0)


def read_series(paths: Iterable[Source]) -> Volume:
    """Read a CT series in Hounsfield units with its true geometry.

    Parameters
    ----------
    paths
        Paths, binary file objects or pydicom data sets: the slices of one series, in any order.

    Returns
    -------
    Volume
        `hu` is float32 (z, y, x), slices from foot to head, rows and columns as acquired. Voxels that the scanner
        marked as padding, outside the reconstructed circle, are air (-1000).

    Raises
    ------
    SeriesError
        Those of `read_geometry`, and ``no_pixels``, ``undecodable``, ``no_hounsfield_scale``, ``not_gray``.

    Notes
    -----
    Position and orientation come from ImagePositionPatient and ImageOrientationPatient alone (DICOM PS3.3, C.7.6.2);
    Hounsfield units from RescaleSlope and RescaleIntercept (C.8.2.1); padding from PixelPaddingValue (C.7.5.1.1.2).
    """
    geometry, datasets = sorted_geometry(open_datasets(paths, pixels=True))
    hu = np.empty(geometry.shape, dtype=np.float32)
    for i, dataset in enumerate(datasets):
        _read_slice(dataset, geometry, hu[i], f"Slice {i + 1} of {len(datasets)} (from the foot)")
    return Volume(
        hu=hu,
        positions=geometry.positions,
        row_direction=geometry.row_direction,
        column_direction=geometry.column_direction,
        pixel_spacing=geometry.pixel_spacing,
        sop_instance_uids=geometry.sop_instance_uids,
        series_instance_uid=geometry.series_instance_uid,
        study_instance_uid=geometry.study_instance_uid,
    )


def _read_slice(dataset: pydicom.Dataset, geometry: Geometry, out: npt.NDArray[np.float32], name: str) -> None:
    """Write one slice's Hounsfield units to `out` (y, x)."""
    slope, intercept = _hounsfield_scale(dataset, name)
    stored = _stored_values(dataset, geometry, name)
    np.multiply(stored, np.float32(slope), out=out, casting="same_kind")
    out += np.float32(intercept)
    padding = _padding_range(dataset)
    if padding is None:
        return
    low, high = padding
    if not any(_TISSUE_HU[0] < value * slope + intercept < _TISSUE_HU[1] for value in padding):
        np.copyto(out, AIR_HU, where=(stored >= low) & (stored <= high))


def _hounsfield_scale(dataset: pydicom.Dataset, name: str) -> tuple[float, float]:
    slope, intercept = numbers(dataset, "RescaleSlope"), numbers(dataset, "RescaleIntercept")
    if len(slope) != 1 or len(intercept) != 1 or slope[0] == 0:
        raise SeriesError(
            "no_hounsfield_scale",
            f"{name} has no scale of Hounsfield units (RescaleSlope, RescaleIntercept): export the original CT series.",
        )
    return slope[0], intercept[0]


def _stored_values(dataset: pydicom.Dataset, geometry: Geometry, name: str) -> npt.NDArray[np.number[Any]]:
    if "PixelData" not in dataset:
        raise SeriesError("no_pixels", f"{name} holds no image: export the series again, with its images.")
    if text(dataset, "SamplesPerPixel") not in ("", "1"):
        raise SeriesError("not_gray", f"{name} is a color picture, not a CT slice: send the slices alone.")
    try:
        stored = pixel_array(dataset)
    except Exception as error:  # each decoder has errors of its own
        raise SeriesError(
            "undecodable",
            f"{name} cannot be decoded, it is damaged, cut short or packed in an unusual way: export it uncompressed.",
        ) from error
    if stored.shape != geometry.matrix:
        raise SeriesError("undecodable", f"{name} is not of the size that its header says: export it again.")
    return stored


def _padding_range(dataset: pydicom.Dataset) -> tuple[int, int] | None:
    """Return the lowest and highest stored value that mean "no image here", if the scanner says."""
    value = numbers(dataset, "PixelPaddingValue")
    if len(value) != 1:
        return None
    limits = [int(limit) for limit in (*value, *numbers(dataset, "PixelPaddingRangeLimit"))]
    return min(limits), max(limits)
