"""On which side of the head a hematoma lies."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from ml.volumes import Geometry, MaskError
from ml.volumes.masks import check_shape

Extent = tuple[float, float, float]
_PARTS = (0.05, 0.5, 0.95)
# A head that is turned has its middle elsewhere in front than behind, so what is near the middle is on neither side.
_CLEAR_MM = 10.0


def lateral_extent_mm(mask: npt.ArrayLike, volume: Geometry) -> Extent:
    """Return where a hematoma lies from the patient's right to his left.

    Parameters
    ----------
    mask
        (z, y, x) bool or labels on the grid of `volume`; whatever is not 0 is hematoma.
    volume
        The CT's `Volume` or `Geometry`.

    Returns
    -------
    tuple
        x of LPS in mm, which grows to the left, below which 5 %, 50 % and 95 % of the hematoma's volume lie.

    Raises
    ------
    MaskError
        ``mask_shape``: the mask is not on the grid of `volume`. ``mask_empty``: nothing is outlined.
    """
    hematoma = np.asarray(mask)
    check_shape(hematoma, volume)
    z, y, x = np.nonzero(hematoma)
    if not z.size:
        raise MaskError("mask_empty", "The mask is empty: outline the hematoma and save the mask again.")
    places = volume.voxel_to_lps(z, y, x)[:, 0]
    order = np.argsort(places)
    below = np.cumsum(volume.slice_extents[z][order])
    found = np.searchsorted(below, np.array(_PARTS) * below[-1])
    low, middle, high = places[order][found]
    return float(low), float(middle), float(high)


def side_of(extent: Extent, middle_mm: float) -> Literal["left", "right"] | None:
    """Return the patient's side on which a hematoma lies, and None where it is not clearly on one.

    It is on one side of the head if 95 % of its volume are, and half of it is at least 10 mm from the middle.

    Parameters
    ----------
    extent
        See `lateral_extent_mm`.
    middle_mm
        x of LPS of the middle of the head, mm.
    """
    low, middle, high = (place - middle_mm for place in extent)
    if low > 0 and middle >= _CLEAR_MM:
        return "left"
    return "right" if high < 0 and middle <= -_CLEAR_MM else None
