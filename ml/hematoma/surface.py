"""Surface of a hematoma on thick slices: the faces of its voxels, each as far as it faces as the surface does."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt, gaussian_filter

from ml.volumes import Geometry

FloatArray = npt.NDArray[np.floating]
BoolArray = npt.NDArray[np.bool_]

# Evens out the steps of the pixels, which the distance to a drawn outline still has.
_SMOOTHING_PIXELS = 1.0
_MARGIN_PIXELS = 4
_TINY = 1e-12


@dataclass(frozen=True)
class _Slice:
    """One slice (y, x): depth below the outline in mm, negative outside, and its slopes along rows and columns."""

    inside: BoolArray
    depth: FloatArray
    slope_x: FloatArray
    slope_y: FloatArray
    drawn: bool


def surface_mm2(hematoma: BoolArray, volume: Geometry) -> float:
    """Measure the surface of a hematoma.

    Parameters
    ----------
    hematoma
        (z, y, x) bool on the grid of `volume`, not empty.
    volume
        The CT's `Volume` or `Geometry`.

    Returns
    -------
    float
        mm2.

    Notes
    -----
    The faces between voxels inside and outside are too large together, for a slanting surface is drawn in steps. So a
    face counts with the part of it that faces as the surface does, whose normal is the gradient of the signed distance
    to the outline; the sum tends to the true area as voxels become small (Coeurjolly D et al. Multigrid convergence and
    surface area estimation. LNCS 2003;2616:101-119). IBSI measures the same on a mesh (Zwanenburg A et al. Radiology
    2020;295:328-338).

    The distance is taken within each slice and followed from slice to slice (Raya SP, Udupa JK. Shape-based
    interpolation. IEEE Trans Med Imaging 1990;9:32-42), with true gaps and a tilted gantry. Beside a slice with no
    hemorrhage the body ends flat, half-way to it, as planimetry counts it.
    """
    first, last = np.flatnonzero(hematoma.any(axis=(1, 2)))[[0, -1]]
    corners = volume.voxel_to_lps(np.arange(first - 1, last + 2), 0, 0)
    axes = np.column_stack([volume.row_direction, volume.column_direction, volume.normal])
    steps = np.diff(corners, axis=0) @ axes
    slices = [_prepare(region, volume.pixel_spacing) for region in _cut(hematoma[first : last + 1])]
    area = 0.0
    for lower, upper, step in zip(slices, slices[1:], steps, strict=False):
        area += _ends(lower, upper, step) * volume.pixel_spacing[0] * volume.pixel_spacing[1]
    for number in range(1, len(slices) - 1):
        area += _walls(slices[number - 1 : number + 2], steps[number - 1 : number + 1], volume.pixel_spacing)
    return area


def _cut(hematoma: BoolArray) -> BoolArray:
    """Cut out the hematoma with an empty margin on all sides."""
    y, x = (np.flatnonzero(hematoma.any(axis=axes)) for axes in ((0, 2), (0, 1)))
    box = hematoma[:, y[0] : y[-1] + 1, x[0] : x[-1] + 1]
    return np.pad(box, ((1, 1), (_MARGIN_PIXELS,) * 2, (_MARGIN_PIXELS,) * 2))


def _prepare(inside: BoolArray, pixel_spacing: tuple[float, float]) -> _Slice:
    if not inside.any():
        blank = np.zeros(inside.shape, dtype=np.float32)
        return _Slice(inside, blank, blank, blank, drawn=False)
    # The outline runs half-way between a pixel inside and its neighbor outside.
    half = sum(pixel_spacing) / 4
    within, beyond = (distance_transform_edt(part, pixel_spacing) - half for part in (inside, ~inside))
    depth = gaussian_filter(np.where(inside, within, -beyond).astype(np.float32), _SMOOTHING_PIXELS)
    slope_y, slope_x = (np.asarray(slope) for slope in np.gradient(depth, *pixel_spacing))
    return _Slice(inside, depth, slope_x, slope_y, drawn=True)


def _rise(lower: _Slice, upper: _Slice, step: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Slope of the depth along the slices' normal, of that along a step (along x, y and the normal, mm) from slice to
    slice and the slopes in the plane."""
    return (upper.depth - lower.depth - step[0] * x - step[1] * y) / step[2]


def _ends(lower: _Slice, upper: _Slice, step: FloatArray) -> float:
    """Surface by the faces between two slices, in pixels."""
    outward = lower.inside.astype(np.int8) - upper.inside
    if not (lower.drawn and upper.drawn):
        return float(np.count_nonzero(outward))
    x, y = (lower.slope_x + upper.slope_x) / 2, (lower.slope_y + upper.slope_y) / 2
    z = _rise(lower, upper, step, x, y)
    return -float((outward * z / _length(x, y, z)).sum(dtype=np.float64))


def _walls(slices: list[_Slice], steps: FloatArray, pixel_spacing: tuple[float, float]) -> float:
    """Surface by the faces between the pixels of the middle one of three slices, mm2."""
    below, own, above = slices
    neighbors = [(below, own, steps[0]), (own, above, steps[1])]
    rises = [_rise(*pair, own.slope_x, own.slope_y) for pair in neighbors if pair[0].drawn and pair[1].drawn]
    slopes = [own.slope_x, own.slope_y, sum(rises) / len(rises) if rises else np.zeros_like(own.depth)]
    # A face spans the slice's extent along the way of the stack: with a tilted gantry it leans.
    lean_x, lean_y, extent = steps.mean(axis=0)
    area = 0.0
    for axis, index, lean, side in ((1, 0, lean_x, pixel_spacing[0]), (0, 1, lean_y, pixel_spacing[1])):
        outward = -np.diff(own.inside.astype(np.int8), axis=axis)
        between = [(np.delete(slope, 0, axis) + np.delete(slope, -1, axis)) / 2 for slope in slopes]
        facing = (extent * between[index] - lean * between[2]) / _length(*between)
        area -= side * float((outward * facing).sum(dtype=np.float64))
    return area


def _length(x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
    return np.sqrt(x * x + y * y + z * z + _TINY)
