"""Distances and growth on grids as a few sweeps over whole arrays: exact, and faster than queues."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ml.preprocessing.bits import Bits
from ml.preprocessing.grids import Mask
from ml.preprocessing.parts import parts_of

Squares = NDArray[np.integer]


def squared_distance(mask: Mask, far: int, units: Sequence[float]) -> Squares:
    """Squared Euclidean distance of each cell to the nearest cell outside the mask, limited to ``far``.

    Parameters
    ----------
    mask
        Of any number of axes; what lies beyond its ends is not taken for outside.
    far
        Largest value told.
    units
        For each axis the square of a cell's edge, or 0 for an axis along which nothing is measured. Costs of steps are
        rounded to whole units.

    Notes
    -----
    One minimum over shifted parabolas per axis (Felzenszwalb and Huttenlocher, Theory of Computing 2012;8:415-428);
    with a limit the shifts are few, and each is one operation on the whole array: torch's, which uses all cores.
    """
    squared = torch.from_numpy(mask.astype(np.uint8 if 2 * far < 256 else np.int32))
    squared *= far
    for axis, unit in enumerate(units):
        if unit:
            _sweep(squared, axis, far, unit)
    return squared.numpy()


def _sweep(squared: torch.Tensor, axis: int, far: int, unit: float) -> None:
    source, costly, cells = squared.clone(), torch.empty_like(squared), squared.shape[axis]
    for step in range(1, cells):
        cost = round(step * step * unit)
        if cost >= far:
            break
        torch.add(source, cost, out=costly)
        # Each cell is reached from the one so many steps before it, and from the one so many steps behind it.
        for to, come_from in ((step, 0), (0, step)):
            target = squared.narrow(axis, to, cells - step)
            torch.minimum(target, costly.narrow(axis, come_from, cells - step), out=target)


def center_of_mass(mask: Mask) -> tuple[float, float, float]:
    """Center of mass (z, y, x) of a mask that is not empty, in cells."""
    planes = np.array([np.count_nonzero(plane) for plane in mask])
    seen = np.add.reduce(mask.view(np.uint8), axis=0, dtype=np.uint16)  # 65,535 planes of 2 mm are enough
    z, y, x = (float(c @ np.arange(len(c)) / planes.sum()) for c in (planes, seen.sum(axis=1), seen.sum(axis=0)))
    return z, y, x


def erode(mask: Mask, rounds: int = 1) -> Mask:
    """Take away the cells that share a face with the outside or with the end of the array."""
    padded = np.pad(mask, 1)
    bits = Bits(padded.shape)
    outside = bits.all ^ bits.pack(padded)
    for _ in range(rounds):
        outside = bits.grow(outside, bits.all)
    return bits.mask(bits.all ^ outside)[(slice(1, -1),) * mask.ndim]


def fill_holes(mask: Mask) -> Mask:
    """Add what cannot be reached from the ends of a (z, y, x) array without crossing the mask."""
    outside = parts_of(~np.pad(mask, 1))
    kept = np.zeros(len(outside.sizes), dtype=np.bool_)
    kept[outside.part[0]] = True
    return ~outside.mask(kept)[1:-1, 1:-1, 1:-1]
