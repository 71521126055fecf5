"""Finding the brain: the cavity of the skull, above the foramen magnum.

All morphology is done on a cubic grid in true millimeters, so that series of 7 mm and of 1 mm slices are treated alike.
No intensity model of the brain is used beyond "neither bone nor fat nor air": fresh blood, edema and old infarcts must
all stay in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ml.preprocessing.errors import NOT_A_HEAD, PreprocessingError
from ml.preprocessing.foramen import PASSAGE_MM, Ring, find_foramen
from ml.preprocessing.grids import Floats, Isotropic, Mask, Stack, box_factor, isotropic_around, reduce_plane, sample

STEP_MM = 2.0
PAD_MM = 20.0  # copies of the end slices, so that a scan that ends within the brain does not look closed there
CLIP_HU = (-300.0, 400.0)
BONE_HU = 120.0  # of a 2 mm cell: above fresh blood (to about 95 HU), below a cell one third full of bone
DENSE_HU = 200.0  # of any voxel in it, makes a cell bone: thin plates (orbital roof) would vanish in a mean
TISSUE_HU = -20.0  # of a 2 mm cell: below CSF and old infarcts, above fat
SMALL_BONE_ML = 3.0  # calcifications, clips: not part of the skull
CORE_MM = 16.0  # no soft part of the head outside the skull is this deep
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
    plane, plane_stack = reduce_plane(np.clip(hu, *CLIP_HU), stack, STEP_MM)
    grid = isotropic_around(plane_stack, plane.shape, STEP_MM, PAD_MM)
    plane[_block_maximum(hu, stack) > DENSE_HU] = CLIP_HU[1]
    cells = sample(plane[None], plane_stack.indices(*grid.points()), outside=CLIP_HU[0])[0]
    bone = _large_parts(cells > BONE_HU, SMALL_BONE_ML)
    cavity = (cells > TISSUE_HU) & ~bone
    depth = (ndimage.distance_transform_edt(cavity) * STEP_MM).astype(np.float32)
    core = _core(depth)
    pad = round(PAD_MM / STEP_MM)
    ring = find_foramen(bone, depth, core, STEP_MM, pad)
    above = np.ones_like(bone) if ring is None else ring.above(bone.shape)
    brain = _grow(core, depth, cavity & above)
    return Cavity(brain, grid, ring, _enclosure(brain, bone, above, pad))


def _block_maximum(hu: Floats, stack: Stack) -> Floats:
    """The largest voxel of each block that `reduce_plane` averages."""
    fy, fx = (box_factor(s, STEP_MM) for s in stack.spacing)
    z, y, x = hu.shape
    blocks = hu[:, : y // fy * fy, : x // fx * fx].reshape(z, y // fy, fy, x // fx, fx)
    largest: Floats = blocks.max(axis=(2, 4))
    return largest


def _large_parts(mask: Mask, smallest_ml: float) -> Mask:
    labels, _ = ndimage.label(mask)
    sizes = np.bincount(labels.ravel()) * STEP_MM**3 / 1000
    sizes[0] = 0
    large: Mask = (sizes >= smallest_ml)[labels]
    return large


def _core(depth: Floats) -> Mask:
    labels, count = ndimage.label(depth >= CORE_MM)
    if count == 0:
        raise PreprocessingError("not_a_head", NOT_A_HEAD)
    largest: Mask = labels == np.argmax(np.bincount(labels.ravel())[1:]) + 1
    return largest


def _grow(core: Mask, depth: Floats, allowed: Mask) -> Mask:
    """Everything that hangs together with the core through passages wider than a foramen, out to the bone."""
    labels, _ = ndimage.label(allowed & (depth >= PASSAGE_MM))
    inside = labels == np.argmax(np.bincount(labels[core & allowed])[1:]) + 1
    grown = _dilate(inside, allowed)
    vault = allowed.copy()
    vault[: round(float(ndimage.center_of_mass(core)[0]))] = False
    for _ in range(VAULT_ROUNDS):
        grown |= _dilate(grown & vault, vault)
    filled: Mask = ndimage.binary_fill_holes(grown)
    return filled


def _dilate(mask: Mask, allowed: Mask) -> Mask:
    """Grow by two cells (a cube, then an octahedron: nearly a ball), never through what is not allowed."""
    cube = np.ones((3, 3, 3), dtype=np.bool_)
    grown: Mask = ndimage.binary_dilation(ndimage.binary_dilation(mask, cube, mask=allowed), mask=allowed)
    return grown


def _enclosure(brain: Mask, bone: Mask, above: Mask, pad: int) -> float:
    """Share of the brain's outermost cells, away from the ends of the scan and the foramen, with bone within 8 mm."""
    scanned = np.zeros_like(brain)
    scanned[pad : brain.shape[0] - pad] = True
    surface = brain & ~ndimage.binary_erosion(brain) & ndimage.binary_erosion(above & scanned, iterations=3)
    near_bone = ndimage.binary_dilation(bone, iterations=4)
    return float((surface & near_bone).sum() / max(int(surface.sum()), 1))
