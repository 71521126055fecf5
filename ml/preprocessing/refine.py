"""From the coarse brain mask to one on the volume's own voxels, exact at the bone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.preprocessing.bits import Bits
from ml.preprocessing.grids import Box, Floats, Isotropic, Mask, Stack, interpolate_axis
from ml.preprocessing.morphology import erode
from ml.preprocessing.parts import parts_of

LEAST_HU = -15.0  # of a 3 x 3 mean: below fluid, above fat
MOST_HU = 140.0  # of a voxel: above fresh blood with noise, below one that is an eighth part skull
RIM_HU = 400.0  # of a voxel of the rim: brain and bone share it, and about two thirds of it are brain
RIM_MM = 1.0  # how wide a rim is added to the mask, at least; the image is made without it
RIM_SHARE = 0.8  # of the distance of the slices: so far a slanting inner table reaches within one of them
SEED = 0.3  # of the coarse mask between two of its levels: a cap within a single thick slice stays in
REACH_MM = 4.0  # how far the coarse mask may end short of the bone
SMALLEST_PIECE_MM2 = 30.0  # smaller islands within a slice are sinuses and canals of the skull base
DEEP_CELLS = 3  # this far inside the coarse mask nothing is taken for skull any more (calcified plexus, clips)


class Brain(NamedTuple):
    """The brain on the voxels of a volume.

    Attributes
    ----------
    box
        The part of the volume that holds it all.
    mask
        (z, y, x) of the box: one connected part.
    clean
        ``mask`` without the rim of voxels that hold some bone, which would look like blood in the image.
    """

    box: Box
    mask: Mask
    clean: Mask


def refine(coarse: Mask, grid: Isotropic, hu: Floats, stack: Stack) -> Brain:
    """Bring a coarse mask to the voxels of the volume.

    Parameters
    ----------
    coarse
        (z, y, x) mask on ``grid``.
    grid
        The coarse cubic grid.
    hu
        (z, y, x) Hounsfield units, on ``stack``.
    stack
        Geometry of ``hu``.
    """
    # One field for two: 0..1 across the edge of the coarse mask, 1..2 across the edge of what lies deep in it.
    field = coarse.astype(np.float32) + erode(coarse, DEEP_CELLS)
    levels = interpolate_axis(field, 0, (stack.offsets - grid.start[0]) / grid.step)
    seeded = levels >= SEED
    found = np.flatnonzero(seeded.any(axis=(1, 2)))
    if not len(found):
        return Brain(np.s_[:0, :0, :0], *np.zeros((2, 0, 0, 0), dtype=np.bool_))
    rims = np.maximum(RIM_MM, RIM_SHARE * np.gradient(stack.offsets))
    rows, columns = (_pixels(seeded, axis, grid, stack, rims, hu.shape[axis]) for axis in (1, 2))
    near = [slice(int(each[found, 0].min()), int(each[found, 1].max())) for each in (rows, columns)]
    box = (slice(int(found[0]), int(found[-1]) + 1), near[0], near[1])
    mask, clean = np.zeros((2, *hu[box].shape), dtype=np.bool_)
    for z in found:
        weight = levels[z]
        # Along the rows first, while there are few of them.
        for axis, span, first in ((1, columns[z], stack.u0[z]), (0, rows[z], stack.v0[z])):
            places = first + np.arange(*span) * stack.spacing[axis]
            weight = interpolate_axis(weight, axis, (places - grid.start[axis + 1]) / grid.step)
        place = (z - box[0].start, slice(*(rows[z] - box[1].start)), slice(*(columns[z] - box[2].start)))
        pixels = hu[z, slice(*rows[z]), slice(*columns[z])]
        mask[place], clean[place] = _refine_slice(weight, pixels, stack.spacing, float(rims[z]))
    mask = _without_islands(mask, stack.spacing)
    clean &= mask
    return Brain(box, mask, clean)


def _pixels(
    seeded: Mask, axis: int, grid: Isotropic, stack: Stack, rims: NDArray[np.float64], size: int
) -> NDArray[np.intp]:
    """First row (or column) of each slice, and the one after the last, that can be reached from its seeds: (z, 2)."""
    cells: Mask = np.logical_or.reduce(seeded, axis=3 - axis)
    ends = np.stack([cells.argmax(axis=1), cells.shape[1] - 1 - cells[:, ::-1].argmax(axis=1)], axis=1)
    first, spacing = (stack.v0, stack.u0)[axis - 1], stack.spacing[axis - 1]
    margin = REACH_MM + rims[:, None] + grid.step + 2 * spacing
    places = grid.axis(axis)[ends] + margin * (-1, 1)
    pixels = np.rint((places - first[:, None]) / spacing) + np.array([0, 1])
    return np.clip(pixels, 0, size).astype(np.intp)


def _refine_slice(weight: Floats, hu: Floats, spacing: tuple[float, float], rim_mm: float) -> tuple[Mask, Mask]:
    """One slice's two masks: the coarse mask without its bone, grown within soft tissue as far as the bone."""
    bits = Bits(hu.shape)
    soft = bits.pack((_sum_of_neighbors(hu) > 9 * LEAST_HU) & (hu < MOST_HU))
    grown = bits.pack(weight >= SEED) & soft
    for _ in range(round(REACH_MM / spacing[0])):
        grown = bits.grow(grown, soft)
    # Only into what is part bone: beyond a thin plate of it lie orbits and sinuses.
    rimmed, allowed = grown, grown | bits.pack((hu >= MOST_HU) & (hu < RIM_HU))
    for _ in range(round(rim_mm / spacing[0])):
        rimmed = bits.grow(rimmed, allowed)
    deep = bits.pack(weight >= 1.5)
    return bits.mask(rimmed | deep), bits.mask(grown | deep)


def _without_islands(mask: Mask, spacing: tuple[float, float]) -> Mask:
    """The largest part of what is left when small pieces of each slice are taken out."""
    pieces = parts_of(mask, planar=True)
    large = pieces.sizes >= SMALLEST_PIECE_MM2 / (spacing[0] * spacing[1])
    return pieces.joined(large).largest()


def _sum_of_neighbors(hu: Floats) -> Floats:
    """Sums over 3 x 3 pixels, of which those at the ends count twice."""
    padded = np.empty([n + 2 for n in hu.shape], dtype=np.float32)
    padded[1:-1, 1:-1] = hu
    padded[0], padded[-1] = padded[1], padded[-2]
    padded[:, 0], padded[:, -1] = padded[:, 1], padded[:, -2]
    rows = padded[:-2] + padded[1:-1]
    rows += padded[2:]
    summed = rows[:, :-2] + rows[:, 1:-1]
    summed += rows[:, 2:]
    return summed
