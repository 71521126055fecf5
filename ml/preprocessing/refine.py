"""From the coarse brain mask to one on the volume's own voxels, exact at the bone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.preprocessing.grids import Floats, Isotropic, Mask, Stack, interpolate_axis
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


def refine(brain: Mask, grid: Isotropic, hu: Floats, stack: Stack) -> tuple[Mask, Mask]:
    """Bring a coarse mask to the voxels of the volume.

    Parameters
    ----------
    brain
        (z, y, x) mask on ``grid``.
    grid
        The coarse cubic grid.
    hu
        (z, y, x) Hounsfield units, on ``stack``.
    stack
        Geometry of ``hu``.

    Returns
    -------
    tuple of ndarray
        Two of bool and the shape of ``hu``: the brain, one connected part; and the brain without the rim of voxels that
        hold some bone, which would look like blood in the image.
    """
    mask, clean = np.zeros((2, *hu.shape), dtype=np.bool_)
    # One field for two: 0..1 across the edge of the coarse mask, 1..2 across the edge of what lies deep in it.
    field = brain.astype(np.float32) + erode(brain, DEEP_CELLS)
    levels = interpolate_axis(field, 0, (stack.offsets - grid.start[0]) / grid.step)
    gaps = np.gradient(stack.offsets)
    seeded = levels >= SEED
    rims = np.maximum(RIM_MM, RIM_SHARE * gaps)
    rows, columns = (_pixels(seeded, axis, grid, stack, rims, hu.shape[axis]) for axis in (1, 2))
    found = np.flatnonzero(seeded.any(axis=(1, 2)))
    for z in found:
        weight = levels[z]
        # Along the rows first, while there are few of them.
        for axis, span, first in ((1, columns[z], stack.u0[z]), (0, rows[z], stack.v0[z])):
            places = first + np.arange(*span) * stack.spacing[axis]
            weight = interpolate_axis(weight, axis, (places - grid.start[axis + 1]) / grid.step)
        box = np.s_[z, slice(*rows[z]), slice(*columns[z])]
        mask[box], clean[box] = _refine_slice(weight, hu[box], stack.spacing, float(rims[z]))
    if not len(found):
        return mask, clean
    near = np.s_[:, *(slice(pixels[found, 0].min(), pixels[found, 1].max()) for pixels in (rows, columns))]
    mask[near] = _without_islands(mask[near], stack.spacing)
    clean[near] &= mask[near]
    return mask, clean


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
    soft = (_sum_of_neighbors(hu) > 9 * LEAST_HU) & (hu < MOST_HU)
    grown = _grow(weight >= SEED, soft, round(REACH_MM / spacing[0]))
    # Only into what is part bone: beyond a thin plate of it lie orbits and sinuses.
    shared = (hu >= MOST_HU) & (hu < RIM_HU)
    rimmed = _grow(grown, grown | shared, round(rim_mm / spacing[0]))
    deep = weight >= 1.5
    return rimmed | deep, grown | deep


def _grow(mask: Mask, allowed: Mask, rounds: int) -> Mask:
    """Grow within what is allowed, in each round by the pixels that share an edge with the mask."""
    width = mask.shape[1] + 1
    # An empty column parts the rows: then every step is one operation on flat arrays.
    within, grown = (np.pad(each, ((0, 0), (0, 1))).ravel() for each in (allowed, mask & allowed))
    for _ in range(rounds):
        before = grown.copy()
        for step in (1, width):
            grown[step:] |= before[:-step]
            grown[:-step] |= before[step:]
        grown &= within
    return grown.reshape(-1, width)[:, :-1]


def _without_islands(mask: Mask, spacing: tuple[float, float]) -> Mask:
    """The largest part of what is left when small pieces of each slice are taken out."""
    pieces = parts_of(mask, planar=True)
    large = pieces.sizes >= SMALLEST_PIECE_MM2 / (spacing[0] * spacing[1])
    return pieces.joined(large).largest()


def _sum_of_neighbors(hu: Floats) -> Floats:
    """Sums over 3 x 3 pixels, of which those at the ends count twice."""
    padded = np.pad(hu, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1]
    rows += padded[2:]
    summed = rows[:, :-2] + rows[:, 1:-1]
    summed += rows[:, 2:]
    return summed
