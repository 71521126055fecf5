"""How well two outlines of the same hematoma agree, in true millimeters."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_erosion
from scipy.spatial import cKDTree

from ml.hematoma.planimetry import volume_ml
from ml.volumes import Geometry
from ml.volumes.masks import check_shape

Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]

_PERCENTILE = 95


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What `compare` finds.

    Attributes
    ----------
    dice
        0 to 1: twice the volume that both outline over the sum of their volumes; 1 where both are empty.
    hd95_mm
        95th percentile of the distances between the two surfaces, mm; 0 where both are empty, None where one is.
    first_ml, second_ml
        Volumes by planimetry, mL.
    """

    dice: float
    hd95_mm: float | None
    first_ml: float
    second_ml: float

    @property
    def difference_ml(self) -> float:
        """Second less first, mL."""
        return self.second_ml - self.first_ml


def compare(first: npt.ArrayLike, second: npt.ArrayLike, volume: Geometry) -> Comparison:
    """Compare two masks that lie on the slices of the same CT.

    Parameters
    ----------
    first, second
        (z, y, x) bool or labels on the grid of `volume`; whatever is not 0 is outlined.
    volume
        The CT's `Volume` or `Geometry`.

    Raises
    ------
    MaskError
        ``mask_shape``: a mask is not on the grid of `volume`.

    Notes
    -----
    Dice's coefficient (Ecology 1945;26:297-302) with each voxel's own volume: where gaps differ, a slice has the weight
    that it has in planimetry; with equal gaps it is the usual one of counted voxels.

    The 95th percentile of the Hausdorff distance as in Taha AA, Hanbury A. BMC Med Imaging 2015;15:29: for each surface
    voxel of one mask the distance to the nearest surface voxel of the other, the percentile in place of the largest of
    these (Huttenlocher DP et al. IEEE Trans Pattern Anal Mach Intell 1993;15:850-863), and of both directions the
    larger one; the percentile of both directions thrown together, which some programs give, may be smaller. Surface
    voxels are those of the mask with a face toward one outside it, where beyond the ends of the CT is outside. Each
    counts once; the percentile is interpolated linearly. Distances are between the voxels' centers in the patient, so
    gaps that change within the series and a tilted gantry are measured truly.
    """
    one, other = _mask(first, volume), _mask(second, volume)
    first_ml, second_ml = volume_ml(one, volume), volume_ml(other, volume)
    total = first_ml + second_ml
    return Comparison(
        dice=2 * volume_ml(one & other, volume) / total if total else 1.0,
        hd95_mm=_hd95_mm(one, other, volume),
        first_ml=first_ml,
        second_ml=second_ml,
    )


def _hd95_mm(one: Mask, other: Mask, volume: Geometry) -> float | None:
    outlined = [bool(mask.any()) for mask in (one, other)]
    if not all(outlined):
        return None if any(outlined) else 0.0
    first, second = _surface(one, volume), _surface(other, volume)
    return max(_directed(first, second), _directed(second, first))


def _directed(points: Points, others: Points) -> float:
    """95th percentile of the distances (mm) of points (n, 3) to the nearest of others (m, 3)."""
    distances, _ = cKDTree(others).query(points)
    return float(np.percentile(distances, _PERCENTILE))


def _surface(mask: Mask, volume: Geometry) -> Points:
    """Centers (n, 3), LPS mm, of the surface voxels of a mask that is not empty."""
    ends = [np.flatnonzero(mask.any(axis=axes))[[0, -1]] for axes in ((1, 2), (0, 2), (0, 1))]
    # What lies beyond the box that holds the mask is outside it.
    box = mask[tuple(slice(low, high + 1) for low, high in ends)]
    z, y, x = np.nonzero(box & ~binary_erosion(box))
    return volume.voxel_to_lps(z + ends[0][0], y + ends[1][0], x + ends[2][0])


def _mask(mask: npt.ArrayLike, volume: Geometry) -> Mask:
    array = np.asarray(mask)
    check_shape(array, volume)
    return array.astype(np.bool_, copy=False)
