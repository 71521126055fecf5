"""The kinds of blood, and edema, that a mask tells apart, and how much there is of each."""

from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.hematoma.planimetry import volume_ml
from ml.volumes import Geometry, MaskError
from ml.volumes.masks import check_shape


class Label(IntEnum):
    """What a voxel of a mask is; 0 is none of these."""

    PARENCHYMAL = 1
    INTRAVENTRICULAR = 2
    EDEMA = 3
    SUBARACHNOID = 4
    SUBDURAL = 5
    EXTRADURAL = 6


def volumes_ml(mask: npt.ArrayLike, volume: Geometry) -> dict[Label, float]:
    """Measure what each label outlines, by planimetry.

    Parameters
    ----------
    mask
        (z, y, x) values of `Label`, 0 elsewhere, on the grid of `volume`; a bool mask is parenchymal.
    volume
        The CT's `Volume` or `Geometry`.

    Returns
    -------
    dict
        mL for every label in the order of `Label`, 0.0 where it is absent. Each is what `volume_ml` measures of that
        label alone.

    Raises
    ------
    MaskError
        ``mask_shape``: the mask is not on the grid of `volume`. ``mask_labels``: it holds a value that is no label.
    """
    labels = _labels(mask, volume)
    voxels = {label: np.count_nonzero(labels == label) for label in Label}
    # What no label counts would be missing from the sum without a word.
    if sum(voxels.values()) != np.count_nonzero(labels):
        raise MaskError(
            "mask_labels",
            f"The mask holds other values than 0 to {max(Label)}: label each part as one of the known kinds.",
        )
    return {label: volume_ml(labels == label, volume) if count else 0.0 for label, count in voxels.items()}


def areas_mm2(mask: npt.ArrayLike, volume: Geometry, label: Label) -> npt.NDArray[np.float64]:
    """Measure what a label outlines on each slice.

    Parameters
    ----------
    mask
        (z, y, x) values of `Label`, 0 elsewhere, on the grid of `volume`; a bool mask is parenchymal.
    volume
        The CT's `Volume` or `Geometry`.
    label
        Which label.

    Returns
    -------
    ndarray
        (z,) float64, mm2 in the slice's plane, from foot to head. Times `volume.slice_extents` they sum up to the
        label's volume.

    Raises
    ------
    MaskError
        ``mask_shape``: the mask is not on the grid of `volume`.
    """
    pixels = np.count_nonzero(_labels(mask, volume) == label, axis=(1, 2))
    areas: npt.NDArray[np.float64] = pixels * (volume.pixel_spacing[0] * volume.pixel_spacing[1])
    return areas


def _labels(mask: npt.ArrayLike, volume: Geometry) -> npt.NDArray[Any]:
    labels = np.asarray(mask)
    check_shape(labels, volume)
    return labels
