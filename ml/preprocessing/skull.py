"""Finding the brain: the cavity of the skull, above the foramen magnum.

All morphology is done on a cubic grid in true millimeters, so that series of 7 mm and of 1 mm slices are treated alike.
No intensity model of the brain is used beyond "neither bone nor fat nor air": fresh blood, edema and old infarcts must
all stay in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.preprocessing.bits import Bits
from ml.preprocessing.errors import NOT_A_HEAD, PreprocessingError
from ml.preprocessing.foramen import PASSAGE_MM, Ring, find_foramen
from ml.preprocessing.grids import (
    Floats,
    Isotropic,
    Mask,
    Stack,
    box_factor,
    crop,
    interpolate_axis,
    reduce_block,
    reduced,
    thin_groups,
)
from ml.preprocessing.morphology import center_of_mass, fill_holes, squared_distance
from ml.preprocessing.parts import parts_of

STEP_MM = 2.0
LOOK = 8  # pixels between those that are looked at to find the head
CLIP_HU = (-300.0, 400.0)
BONE_HU = 120.0  # of a 2 mm cell: above fresh blood (to about 95 HU), below a cell one third full of bone
DENSE_HU = 200.0  # of any voxel in it, makes a cell bone: thin plates (orbital roof) would vanish in a mean
TISSUE_HU = -20.0  # of a 2 mm cell: below CSF and old infarcts, above fat
SMALL_BONE_ML = 3.0  # calcifications, clips: not part of the skull
CORE_MM = 16.0  # no soft part of the head outside the skull is this deep
END_CELLS = 3  # from the ends of the scan and the foramen, where no bone is due
VAULT_ROUNDS = 4  # how often the brain is grown in the vault, which has no openings: thin caps under the vertex


@dataclass(frozen=True, eq=False)
class Cavity:
    """What was found on the coarse grid.

    Attributes
    ----------
    brain
        Brain mask on ``grid``.
    grid
        The cubic grid.
    ring
        Foramen magnum, or None where it was not scanned.
    enclosure
        Share of the brain's surface (within the scan) that has bone beside it.
    """

    brain: Mask
    grid: Isotropic
    ring: Ring | None
    enclosure: float


def find_cavity(hu: Floats, stack: Stack) -> Cavity:
    """Segment the brain on a coarse cubic grid.

    Parameters
    ----------
    hu
        (z, y, x) Hounsfield units.
    stack
        Geometry of ``hu``.

    Raises
    ------
    PreprocessingError
        ``not_a_head`` where no deep soft-tissue cavity exists.
    """
    planes, coarse = _reduce(hu, stack)
    grid = _grid_around(planes > TISSUE_HU, coarse)
    cells = _to_grid(planes, coarse, grid)
    bone = _large_parts(cells > BONE_HU, SMALL_BONE_ML)
    cavity = (cells > TISSUE_HU) & ~bone
    # Beyond the ends of the scan the depth is that of its end slices: a brain that is cut there is not closed there.
    squares = squared_distance(cavity, round((CORE_MM / STEP_MM) ** 2), (1, 1, 1))
    core = _core(squares)
    wide = squares >= int(np.ceil((PASSAGE_MM / STEP_MM) ** 2))
    ring = find_foramen(bone, wide, core, STEP_MM)
    above = np.ones_like(bone) if ring is None else ring.above(bone.shape)
    brain = _grow(core, wide, cavity & above)
    return Cavity(brain, grid, ring, _enclosure(brain, bone, above))


def _reduce(hu: Floats, stack: Stack) -> tuple[Floats, Stack]:
    """Means over about 2 x 2 mm of each slice, and over thin slices: the low-pass filter that a coarser grid needs."""
    box = (slice(0, len(hu)), *_occupied(hu))
    hu, stack = hu[box], crop(stack, box)
    factors = (box_factor(stack.spacing[0], STEP_MM), box_factor(stack.spacing[1], STEP_MM))
    groups = thin_groups(stack.offsets, STEP_MM)
    planes = np.empty((len(groups), hu.shape[1] // factors[0], hu.shape[2] // factors[1]), dtype=np.float32)
    clipped = np.empty(hu.shape[1:], dtype=np.float32)  # one for all slices: new memory costs more than the clipping
    for plane, group in zip(planes, groups, strict=True):
        plane[:] = sum(reduce_block(np.clip(each, *CLIP_HU, out=clipped), factors, np.add) for each in hu[group])
        plane /= factors[0] * factors[1] * (group.stop - group.start)
        for each in hu[group]:
            plane[reduce_block(each, factors, np.maximum) > DENSE_HU] = CLIP_HU[1]
    return planes, reduced(stack, groups, factors)


def _occupied(hu: Floats) -> tuple[slice, slice]:
    """The rows and columns that are not all air, seen at every few pixels."""
    seen: Mask = np.logical_or.reduce(hu[:, ::LOOK, ::LOOK] > TISSUE_HU, axis=0)
    if not seen.any():
        raise PreprocessingError("not_a_head", NOT_A_HEAD)
    found = [np.flatnonzero(seen.any(axis=1 - axis)) for axis in (0, 1)]
    rows, columns = (
        slice(max(0, (int(each[0]) - 2) * LOOK), min(size, (int(each[-1]) + 3) * LOOK))
        for each, size in zip(found, hu.shape[1:], strict=True)
    )
    return rows, columns


def _grid_around(tissue: Mask, stack: Stack) -> Isotropic:
    """The cubic grid that covers what is no air, from the first slice to the last."""
    low, high = [float(stack.offsets[0])], [float(stack.offsets[-1])]
    for axis, (first, spacing) in enumerate(zip((stack.v0, stack.u0), stack.spacing, strict=True)):
        z, index = np.nonzero(tissue.any(axis=2 - axis))
        if not len(z):
            raise PreprocessingError("not_a_head", NOT_A_HEAD)
        places = first[z] + index * spacing
        low.append(float(places.min()) - STEP_MM)
        high.append(float(places.max()) + STEP_MM)
    cells = [int(np.ceil((b - a) / STEP_MM)) + 1 for a, b in zip(low, high, strict=True)]
    return Isotropic((low[0], low[1], low[2]), STEP_MM, (cells[0], cells[1], cells[2]))


def _to_grid(planes: Floats, stack: Stack, grid: Isotropic) -> Floats:
    """Linear interpolation, within each slice and then between slices; beyond the end slices, their copies."""
    level = np.empty((len(planes), *grid.shape[1:]), dtype=np.float32)
    for z, plane in enumerate(planes):
        for axis, first in enumerate((stack.v0[z], stack.u0[z])):
            positions = (grid.axis(axis + 1) - first) / stack.spacing[axis]
            plane = interpolate_axis(plane, axis, positions)
            beyond = (positions < -0.5) | (positions > planes.shape[axis + 1] - 0.5)
            np.moveaxis(plane, axis, 0)[beyond] = CLIP_HU[0]
        level[z] = plane
    return interpolate_axis(level, 0, np.interp(grid.axis(0), stack.offsets, np.arange(len(planes))))


def _large_parts(mask: Mask, smallest_ml: float) -> Mask:
    parts = parts_of(mask)
    return parts.mask(parts.sizes * STEP_MM**3 / 1000 >= smallest_ml)


def _core(squares: np.ndarray) -> Mask:
    core = parts_of(squares >= round((CORE_MM / STEP_MM) ** 2)).largest()
    if not core.any():
        raise PreprocessingError("not_a_head", NOT_A_HEAD)
    return core


def _grow(core: Mask, wide: Mask, allowed: Mask) -> Mask:
    """Everything that hangs together with the core through passages wider than a foramen, out to the bone."""
    parts = parts_of(allowed & wide)
    shared = parts.shared(core & allowed)
    bits = Bits(allowed.shape)
    within = bits.pack(allowed)
    grown = _grow_ball(bits, bits.pack(parts.mask(shared == shared.max())), within)
    vault = round(center_of_mass(core)[0]) * bits.steps[0]
    cap, roof = grown >> vault, within >> vault
    for _ in range(VAULT_ROUNDS):
        cap = _grow_ball(bits, cap, roof)
    return fill_holes(bits.mask(cap << vault | grown))


def _grow_ball(bits: Bits, mask: int, within: int) -> int:
    """Grow by two cells (a cube, then an octahedron: nearly a ball), never through what is not allowed."""
    return bits.grow(bits.grow_cube(mask, within) | mask, within) | mask


def _enclosure(brain: Mask, bone: Mask, above: Mask) -> float:
    """Share of the brain's outermost cells, away from the ends of the scan and the foramen, with bone within 8 mm."""
    inner = np.zeros_like(above)
    inner[END_CELLS:-END_CELLS] = above[: -2 * END_CELLS]
    bits = Bits(brain.shape)
    whole = bits.pack(brain)
    surface = whole & bits.grow(bits.all ^ whole, bits.all) & bits.pack(inner)
    near_bone = bits.pack(bone)
    for _ in range(4):
        near_bone = bits.grow(near_bone, bits.all)
    return (surface & near_bone).bit_count() / max(surface.bit_count(), 1)
