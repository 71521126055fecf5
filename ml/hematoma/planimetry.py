"""Volume of a hematoma from its mask: slice by slice, and by the bedside formula."""

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist, squareform

from ml.volumes import Geometry
from ml.volumes.masks import check_shape

_MM3_PER_ML = 1000.0


def volume_ml(mask: npt.ArrayLike, volume: Geometry) -> float:
    """Measure a hematoma by planimetry.

    Parameters
    ----------
    mask
        (z, y, x) bool or labels on the grid of `volume`; whatever is not 0 is hematoma.
    volume
        The CT's `Volume` or `Geometry`.

    Returns
    -------
    float
        mL: over all slices, the sum of the outlined area in the slice's plane (mm2) times the extent that the slice
        stands for along its normal (mm). 0.0 for an empty mask.

    Raises
    ------
    MaskError
        ``mask_shape``: the mask is not on the grid of `volume`.

    Notes
    -----
    Extents come from the slice positions, so gaps that change within the series and a tilted gantry are measured truly;
    SliceThickness plays no part.
    """
    hematoma = _hematoma(mask, volume)
    return float(_areas(hematoma, volume) @ volume.slice_extents) / _MM3_PER_ML


def abc2_ml(mask: npt.ArrayLike, volume: Geometry) -> float:
    """Estimate a hematoma's volume by ABC/2.

    Parameters
    ----------
    mask
        (z, y, x) bool or labels on the grid of `volume`; whatever is not 0 is hematoma.
    volume
        The CT's `Volume` or `Geometry`.

    Returns
    -------
    float
        mL: A B C / 2. 0.0 for an empty mask.

    Raises
    ------
    MaskError
        ``mask_shape``: the mask is not on the grid of `volume`.

    Notes
    -----
    On the slice with the largest area (the lowest of equals), A is the largest diameter of all that is outlined and B
    the longest diameter at right angles to it, both from outer edge to outer edge, see `slice_diameters`. C is the
    number of slices with hemorrhage times their gap; where gaps differ, the sum of the extents of those slices. Every
    slice with hemorrhage counts in full: the original's weights of 1, 1/2 and 0 by area are not applied.

    References
    ----------
    Kothari RU et al. The ABCs of measuring intracerebral hemorrhage volumes. Stroke 1996;27:1304-1305.
    """
    hematoma = _hematoma(mask, volume)
    areas = _areas(hematoma, volume)
    if not areas.any():
        return 0.0
    a, b = slice_diameters(hematoma[int(np.argmax(areas))], volume.pixel_spacing)
    c = float(volume.slice_extents[areas > 0].sum())
    return a * b * c / 2 / _MM3_PER_ML


def slice_diameters(region: npt.NDArray[np.bool_], pixel_spacing: tuple[float, float]) -> tuple[float, float]:
    """Measure the two diameters of ABC/2 on one slice.

    Parameters
    ----------
    region
        (y, x) bool, not empty; parts that do not touch are measured together.
    pixel_spacing
        mm between rows and between columns.

    Returns
    -------
    a, b
        mm. `a` is the largest distance between two points of the outline, `b` the longest straight line across the
        outline at right angles to `a`.

    Notes
    -----
    The outline is the convex hull of the midpoints of the pixels' edges: lengths run to the pixels' outer edges, so a
    row of n pixels is n pixels long, and a slanting edge is not lengthened by the corners of its steps.
    """
    outline = _outline(region, pixel_spacing)
    distances = squareform(pdist(outline))
    first, second = np.unravel_index(int(np.argmax(distances)), distances.shape)
    a = float(distances[first, second])
    along = (outline[second] - outline[first]) / a
    u, v = outline @ along, outline @ np.array([-along[1], along[0]])
    # The ends of A part the hull in two chains; between them it is widest across A at one of its corners.
    side = v >= v[first]
    widths = _chain(u, v, side, first, second) - _chain(u, v, ~side, first, second)
    return a, float(widths.max())


def _outline(region: npt.NDArray[np.bool_], pixel_spacing: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Corners (n, 2), mm, of the convex hull of the midpoints of the pixels' edges."""
    pixels = row_ends(region).astype(np.float64)
    edges = np.array([[-0.5, 0.0], [0.5, 0.0], [0.0, -0.5], [0.0, 0.5]])
    points = (pixels[:, None] + edges).reshape(-1, 2) * np.asarray(pixel_spacing)
    corners: npt.NDArray[np.float64] = points[ConvexHull(points).vertices]
    return corners


def row_ends(region: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Return the first and the last pixel (n, 2) of each row (y, x) of a region: its convex hull is theirs."""
    rows = np.flatnonzero(region.any(axis=1))
    first = region[rows].argmax(axis=1)
    last = region.shape[1] - 1 - region[rows, ::-1].argmax(axis=1)
    return np.concatenate([np.column_stack([rows, first]), np.column_stack([rows, last])])


def _chain(
    u: npt.NDArray[np.float64],
    v: npt.NDArray[np.float64],
    side: npt.NDArray[np.bool_],
    first: np.intp,
    second: np.intp,
) -> npt.NDArray[np.float64]:
    """Height of one chain of the hull above every corner's place along A."""
    chosen = side.copy()
    chosen[[first, second]] = True
    order = np.argsort(u[chosen], kind="stable")
    return np.interp(u, u[chosen][order], v[chosen][order])


def _hematoma(mask: npt.ArrayLike, volume: Geometry) -> npt.NDArray[np.bool_]:
    array = np.asarray(mask)
    check_shape(array, volume)
    return array.astype(np.bool_, copy=False)


def _areas(hematoma: npt.NDArray[np.bool_], volume: Geometry) -> npt.NDArray[np.float64]:
    """Outlined area of each slice, mm2."""
    pixels = np.count_nonzero(hematoma, axis=(1, 2))
    areas: npt.NDArray[np.float64] = pixels * (volume.pixel_spacing[0] * volume.pixel_spacing[1])
    return areas
