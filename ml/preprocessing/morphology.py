"""Distances and growth on grids as a few sweeps over whole arrays of bytes: exact, and faster than queues."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml.preprocessing.grids import Mask
from ml.preprocessing.parts import parts_of

Squares = NDArray[np.unsignedinteger]


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
    with a limit the shifts are few, and each is one operation on the whole array.
    """
    squared: Squares = mask.astype(np.min_scalar_type(2 * far))
    squared *= squared.dtype.type(far)
    for axis, unit in enumerate(units):
        if unit:
            _sweep(squared, axis, far, unit)
    return squared


def _sweep(squared: Squares, axis: int, far: int, unit: float) -> None:
    source, costly = np.moveaxis(squared.copy(), axis, 0), np.moveaxis(np.empty_like(squared), axis, 0)
    target = np.moveaxis(squared, axis, 0)
    for step in range(1, len(source)):
        cost = round(step * step * unit)
        if cost >= far:
            break
        np.add(source, source.dtype.type(cost), out=costly)
        np.minimum(target[step:], costly[:-step], out=target[step:])
        np.minimum(target[:-step], costly[step:], out=target[:-step])


def dilate(mask: Mask) -> Mask:
    """Grow by the cells that share a face with the mask."""
    grown = mask.copy()
    for axis in range(mask.ndim):
        source, target = np.moveaxis(mask, axis, 0), np.moveaxis(grown, axis, 0)
        target[1:] |= source[:-1]
        target[:-1] |= source[1:]
    return grown


def dilate_cube(mask: Mask) -> Mask:
    """Grow by the cells that share a corner with the mask."""
    for axis in range(mask.ndim):
        grown = mask.copy()
        source, target = np.moveaxis(mask, axis, 0), np.moveaxis(grown, axis, 0)
        target[1:] |= source[:-1]
        target[:-1] |= source[1:]
        mask = grown
    return mask


def erode(mask: Mask, rounds: int = 1) -> Mask:
    """Take away the cells that share a face with the outside or with the end of the array."""
    outside = ~np.pad(mask, 1)
    for _ in range(rounds):
        outside = dilate(outside)
    return ~outside[(slice(1, -1),) * mask.ndim]


def fill_holes(mask: Mask) -> Mask:
    """Add what cannot be reached from the ends of a (z, y, x) array without crossing the mask."""
    outside = parts_of(~np.pad(mask, 1))
    kept = np.zeros(len(outside.sizes), dtype=np.bool_)
    kept[outside.part[0]] = True
    return ~outside.mask(kept)[1:-1, 1:-1, 1:-1]
