"""From the coarse brain mask to one on the volume's own voxels, exact at the bone."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ml.preprocessing.grids import Floats, Isotropic, Mask, Stack, box_factor, interpolate_axis, sample

LEAST_HU = -15.0  # of a 3 x 3 mean: below fluid, above fat
MOST_HU = 140.0  # of a voxel: above fresh blood with noise, below one that is an eighth part skull
SEED = 0.3  # of the coarse mask between two of its levels: a cap within a single thick slice stays in
REACH_MM = 4.0  # how far the coarse mask may end short of the bone
SMALLEST_PIECE_MM2 = 30.0  # smaller islands within a slice are sinuses and canals of the skull base
DEEP_CELLS = 3  # this far inside the coarse mask nothing is taken for skull any more (calcified plexus, clips)


def refine(brain: Mask, grid: Isotropic, hu: Floats, stack: Stack) -> Mask:
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
    ndarray
        bool, the shape of ``hu``; one connected part.
    """
    fields = np.stack([brain, ndimage.binary_erosion(brain, iterations=DEEP_CELLS)]).astype(np.float32)
    factors = tuple(box_factor(s, grid.step) for s in stack.spacing)
    near, deep = _on_slices(fields, grid, hu.shape, stack, factors)
    mask = np.zeros(hu.shape, dtype=np.bool_)
    for z in np.flatnonzero((near >= SEED).any(axis=(1, 2))):
        _refine_slice(mask[z], near[z], deep[z], hu[z], factors, stack.spacing)
    return _largest(mask)


def _on_slices(
    fields: Floats, grid: Isotropic, shape: tuple[int, ...], stack: Stack, factors: tuple[int, ...]
) -> Floats:
    """Interpolate fields of the cubic grid at the slices' own places, at every few pixels."""
    rows, columns = (-(-shape[axis + 1] // factors[axis]) for axis in (0, 1))
    first_v, first_u = ((f - 1) / 2 * s for f, s in zip(factors, stack.spacing, strict=True))
    v = stack.v0[:, None, None] + first_v + (np.arange(rows) * factors[0] * stack.spacing[0])[None, :, None]
    u = stack.u0[:, None, None] + first_u + (np.arange(columns) * factors[1] * stack.spacing[1])[None, None, :]
    n = stack.offsets[:, None, None]
    z, y, x = ((a - s) / grid.step for a, s in zip((n, v, u), grid.start, strict=True))
    return sample(fields, (z.astype(np.float32), y.astype(np.float32), x.astype(np.float32)))


def _refine_slice(
    out: Mask, near: Floats, deep: Floats, hu: Floats, factors: tuple[int, ...], spacing: tuple[float, float]
) -> None:
    """Fill one slice's mask: the coarse mask without its bone, grown within soft tissue as far as the bone."""
    reach = round(REACH_MM / spacing[0])
    box = tuple(_span(np.any(near > 0, axis=1 - axis), factors[axis], reach + 2, hu.shape[axis]) for axis in (0, 1))
    weight, inner = (_upsample(field, box, factors) for field in (near, deep))
    pixels = hu[box]
    mean = ndimage.uniform_filter(pixels, 3, mode="nearest")
    soft = (mean > LEAST_HU) & (pixels < MOST_HU)
    seed = (weight >= SEED) & soft
    grown = ndimage.binary_dilation(seed, iterations=reach, mask=soft) if reach else seed
    out[box] = _without_islands(grown | (inner >= 0.5), SMALLEST_PIECE_MM2 / (spacing[0] * spacing[1]))


def _without_islands(mask: Mask, smallest: float) -> Mask:
    labels, _ = ndimage.label(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    kept: Mask = (sizes >= smallest)[labels]
    return kept


def _span(occupied: Mask, factor: int, margin: int, size: int) -> slice:
    """The pixels that a run of coarse cells covers, with a margin."""
    cells = np.flatnonzero(occupied)
    return slice(max(0, int(cells[0]) * factor - margin), min(size, (int(cells[-1]) + 1) * factor + margin))


def _upsample(field: Floats, box: tuple[slice, ...], factors: tuple[int, ...]) -> Floats:
    """Linear interpolation of a coarse slice at the pixels of ``box``."""
    for axis in (0, 1):
        pixels = np.arange(box[axis].start, box[axis].stop)
        field = interpolate_axis(field, axis, (pixels - (factors[axis] - 1) / 2) / factors[axis])
    return field


def _largest(mask: Mask) -> Mask:
    labels, count = ndimage.label(mask)
    if count <= 1:
        return mask
    largest: Mask = labels == np.argmax(np.bincount(labels.ravel())[1:]) + 1
    return largest
