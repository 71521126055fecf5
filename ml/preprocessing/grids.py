"""Grids and the resampling between them, in millimeters.

A CT series is a stack of parallel slices whose distances may differ and which may be displaced within their own plane
(a tilted gantry shifts each slice along the table). ``Stack`` keeps that geometry exactly: a point is found in it by
its distance along the slice normal first, then within the plane relative to the origins of the slices around it.

Arrays are (z, y, x). In-plane axes are the volume's own: u along ``row_direction`` (x), v along ``column_direction``
(y), n along ``normal`` (z, toward the head). Patient axes are LPS.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ml.volumes import Volume

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Box = tuple[slice, slice, slice]
Coordinates = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Stack:
    """Where the voxels of a stack of parallel slices lie.

    Attributes
    ----------
    offsets
        (z,) mm along the slice normal, ascending.
    u0, v0
        (z,) mm: in-plane position of the first voxel's center of each slice.
    spacing
        (dv, du), mm.
    """

    offsets: NDArray[np.float64]
    u0: NDArray[np.float64]
    v0: NDArray[np.float64]
    spacing: tuple[float, float]

    def indices(self, n: NDArray[np.floating], v: NDArray[np.floating], u: NDArray[np.floating]) -> Coordinates:
        """Fractional (z, y, x) indices of points given as broadcastable n, v, u in mm; z is held at the end slices."""
        z = np.interp(n, self.offsets, np.arange(len(self.offsets)))
        index = np.arange(len(self.offsets))
        y = (v - np.interp(z, index, self.v0)) / self.spacing[0]
        x = (u - np.interp(z, index, self.u0)) / self.spacing[1]
        return z.astype(np.float32), y.astype(np.float32), x.astype(np.float32)


def stack_of(volume: Volume) -> Stack:
    """The volume's own geometry as a ``Stack``."""
    return Stack(
        offsets=np.asarray(volume.positions @ volume.normal, dtype=np.float64),
        u0=volume.positions @ volume.row_direction,
        v0=volume.positions @ volume.column_direction,
        spacing=(float(volume.pixel_spacing[0]), float(volume.pixel_spacing[1])),
    )


def box_factor(spacing: float, wanted: float) -> int:
    """How many voxels of ``spacing`` mm are averaged so that none is left finer than about ``wanted`` mm."""
    return max(1, int(np.floor(wanted / spacing + 0.05)))


def reduce_block(plane: Floats, factors: tuple[int, int], operation: np.ufunc) -> Floats:
    """Join blocks of a slice's (fy, fx) pixels by an operation such as ``np.add``.

    Rows and columns left over at the far edges are dropped (less than one block, of air). Blocks of one pixel are the
    slice itself, not a copy.
    """
    (fy, fx), (height, width) = factors, (n // f * f for n, f in zip(plane.shape, factors, strict=True))
    rows = reduce(operation, [plane[first:height:fy] for first in range(fy)])
    joined: Floats = reduce(operation, [rows[:, first:width:fx] for first in range(fx)])
    return joined


def reduced(stack: Stack, groups: list[slice], factors: tuple[int, int]) -> Stack:
    """The geometry of blocks of (fy, fx) pixels in groups of slices."""
    firsts, sizes = np.array([(group.start, group.stop - group.start) for group in groups]).T
    offsets, u0, v0 = (np.add.reduceat(each, firsts) / sizes for each in (stack.offsets, stack.u0, stack.v0))
    (fy, fx), (dv, du) = factors, stack.spacing
    return Stack(offsets, u0 + (fx - 1) / 2 * du, v0 + (fy - 1) / 2 * dv, (dv * fy, du * fx))


def thin_groups(offsets: NDArray[np.float64], wanted: float) -> list[slice]:
    """Neighboring slices that lie within ``wanted`` mm: thin slices, a doubled slice between two blocks."""
    first = [0]
    for i in range(1, len(offsets)):
        if offsets[i] - offsets[first[-1]] >= wanted * 0.95:
            first.append(i)
    return [slice(a, b) for a, b in zip(first, [*first[1:], len(offsets)], strict=True)]


def crop(stack: Stack, box: Box) -> Stack:
    """The geometry of ``array[box]``."""
    z, y, x = box
    dv, du = stack.spacing
    return Stack(stack.offsets[z], stack.u0[z] + x.start * du, stack.v0[z] + y.start * dv, stack.spacing)


def sample(arrays: Floats, indices: Coordinates) -> Floats:
    """Linear interpolation at fractional indices.

    torch's ``grid_sample`` does it several times faster than ``scipy.ndimage.map_coordinates``.

    Parameters
    ----------
    arrays
        (channel, z, y, x).
    indices
        Broadcastable z, y, x; around the arrays lie zeros.

    Returns
    -------
    ndarray
        (channel, *shape of the indices), float32.
    """
    shape = np.broadcast_shapes(*(i.shape for i in indices))
    grid = torch.empty((1, *shape, 3), dtype=torch.float32)
    for last, (index, size) in enumerate(zip(reversed(indices), reversed(arrays.shape), strict=False)):
        grid[0, ..., last] = torch.from_numpy(index) * (2.0 / max(size - 1, 1)) - 1.0
    source = torch.from_numpy(np.ascontiguousarray(arrays))[None]
    with torch.no_grad():
        values = torch.nn.functional.grid_sample(source, grid, padding_mode="zeros", align_corners=True)
    result: Floats = values[0].numpy()
    return result


@dataclass(frozen=True, eq=False)
class Isotropic:
    """A cubic grid along the volume's own axes, on which morphology is done in true millimeters.

    Attributes
    ----------
    start
        (n, v, u) of the first cell's center, mm.
    step
        Edge of a cell, mm.
    shape
        (z, y, x).
    """

    start: tuple[float, float, float]
    step: float
    shape: tuple[int, int, int]

    def axis(self, number: int) -> NDArray[np.float64]:
        """Positions (mm) of the cell centers along axis 0 (n), 1 (v) or 2 (u)."""
        return self.start[number] + self.step * np.arange(self.shape[number], dtype=np.float64)


def interpolate_axis(array: Floats, axis: int, positions: NDArray[np.floating]) -> Floats:
    """Linear interpolation along one axis at fractional indices, held at both ends."""
    size = array.shape[axis]
    held = np.clip(positions, 0, size - 1)
    low = np.minimum(held.astype(np.intp), max(size - 2, 0))
    weight = (held - low).astype(np.float32)
    weight = weight.reshape([-1 if a == axis else 1 for a in range(array.ndim)])
    below = np.take(array, low, axis=axis)
    value = np.take(array, np.minimum(low + 1, size - 1), axis=axis)
    value -= below
    value *= weight
    value += below
    return value
