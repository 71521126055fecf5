"""The network's input: what of the brain lies in the box, windowed and resampled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ml.preprocessing.box import SHAPE, VOXEL_MM
from ml.preprocessing.grids import (
    Box,
    Floats,
    Mask,
    Stack,
    box_factor,
    crop,
    interpolate_axis,
    reduce_block,
    reduced,
    sample,
    thin_groups,
)
from ml.preprocessing.morphology import squared_distance
from ml.preprocessing.refine import Brain
from ml.volumes import Volume

WINDOW_HU = (0.0, 90.0)
FAR_MM = 10.0
LEAST_SHARE = 0.05  # of a voxel that the mask must fill for its mean to be taken
NO_COMPONENT = 1e-4  # of a unit vector: a fiftieth of a millimeter over a head
AVERAGED = 4  # pixels around the brain: room for the averaging of neighbors
TELL_MM = 0.06  # the unit of distances where pixels are not square: their squares are whole numbers of its square

Places = NDArray[np.float64]
Corners = tuple[Places, Places]


def brain_corners(volume: Volume, brain: Brain) -> Corners:
    """Corners of the brain's bounding box along the patient's axes, LPS mm."""
    firsts = brain.clean.argmax(axis=2)
    z, y = np.nonzero(np.take_along_axis(brain.clean, firsts[:, :, None], axis=2)[:, :, 0])
    lasts = brain.clean.shape[2] - 1 - brain.clean[z, y, ::-1].argmax(axis=1)
    rows, ends = (i + span.start for i, span in zip((y, np.stack([firsts[z, y], lasts])), brain.box[1:], strict=True))
    dv, du = volume.pixel_spacing
    places = ends[:, :, None] * (du * volume.row_direction) + rows[:, None] * (dv * volume.column_direction)
    slices, starts = np.unique(z, return_index=True)
    corners = volume.voxel_to_lps(slices + brain.box[0].start, 0, 0)
    low = (corners + np.minimum.reduceat(places.min(axis=0), starts)).min(axis=0)
    high = (corners + np.maximum.reduceat(places.max(axis=0), starts)).max(axis=0)
    return low, high


def render(volume: Volume, brain: Brain, stack: Stack, affine: NDArray[np.float64], corners: Corners) -> Floats:
    """Window, mask and resample the brain.

    Parameters
    ----------
    volume, brain, stack
        The series, the brain on its voxels, its geometry.
    affine, corners
        (4, 4) from `output_affine`, and the brain's corners, of which it was made.

    Returns
    -------
    ndarray
        float32 (80, 192, 192) as (z, y, x), 0..1 for 0..90 HU; 0 outside the brain.

    Notes
    -----
    Image times mask, and mask, are averaged and interpolated alike and then divided, so that neither the skull nor the
    background bleeds into the edge of the brain (normalized convolution, Knutsson and Westin, CVPR 1993). The edge
    itself is interpolated between slices by its distance maps (shape-based interpolation, Raya and Udupa, IEEE Trans
    Med Imaging 1990;9:32-42): thick slices would otherwise leave steps of a slice's height.
    """
    around, mask = _with_margin(brain, volume.shape)
    fields, thin = _fields(volume.hu[around], mask, crop(stack, around))
    box = _output_box(affine, corners, float(volume.slice_extents.max()))
    n, v, u = _points(volume, affine, box)
    if n.shape[2] == v.shape[2] == u.shape[0] == u.shape[1] == 1:
        sampled = _sample_lines(fields, thin, n[:, :, 0], v[:, :, 0], u[0, 0])
    else:
        sampled = sample(np.moveaxis(fields, 1, 0), thin.indices(n, v, u))
    half = volume.slice_extents[around[0]] / 2
    scanned = (n >= thin.offsets[0] - half[0]) & (n <= thin.offsets[-1] + half[-1])
    image = np.zeros(SHAPE, dtype=np.float32)
    # Plane by plane, so that what is between stays in the processor's cache.
    for plane, value, share, distance, seen in zip(image[box], *sampled, scanned, strict=True):
        inside = (distance > 0) & (share > LEAST_SHARE) & seen
        np.clip(np.divide(value, np.maximum(share, LEAST_SHARE), out=plane), 0, 1, out=plane)
        plane *= inside
    return image


def _output_box(affine: NDArray[np.float64], corners: Corners, margin: float) -> Box:
    """The part of the image that a brain with these corners, LPS mm, can fill."""
    spans = []
    for axis in (2, 1, 0):
        low, high = ((c[axis] - affine[axis, 3]) / affine[axis, axis] for c in corners)
        room = margin / affine[axis, axis] + 1
        size = SHAPE[2 - axis]
        spans.append(slice(max(0, int(np.floor(low - room))), min(size, int(np.ceil(high + room)) + 1)))
    return spans[0], spans[1], spans[2]


def _fields(hu: Floats, mask: Mask, stack: Stack) -> tuple[Floats, Stack]:
    """Image times mask, mask, and the distance (mm) to the mask's edge in the slice; (slice, 3, y, x)."""
    factors = (box_factor(stack.spacing[0], min(VOXEL_MM)), box_factor(stack.spacing[1], min(VOXEL_MM)))
    groups = thin_groups(stack.offsets, max(VOXEL_MM))
    thin = reduced(stack, groups, factors)
    fields = np.zeros((len(groups), 3, mask.shape[1] // factors[0], mask.shape[2] // factors[1]), dtype=np.float32)
    low, high = WINDOW_HU
    for field, group in zip(fields, groups, strict=True):
        # Only as far as the brain reaches in these slices.
        seen: Mask = np.logical_or.reduce(mask[group], axis=0)
        occupied: list[Mask] = [np.logical_or.reduce(seen, axis=1 - axis) for axis in (0, 1)]
        blocks = [_span(*each) for each in zip(occupied, factors, strict=True)]
        near = tuple(slice(b.start * f, b.stop * f) for b, f in zip(blocks, factors, strict=True))
        part = field[:, *blocks]
        for pixels, inside in zip(hu[group], mask[group], strict=True):
            windowed = np.clip(pixels[near], low, high)
            windowed *= inside[near]
            part[0] += reduce_block(windowed, factors, np.add)
            part[1] += reduce_block(inside[near].view(np.uint8), factors, np.add)
        part[:2] /= factors[0] * factors[1] * (group.stop - group.start)
        part[0] -= low * part[1]
        part[0] /= high - low
    fields[:, 2] = _distance_map(fields[:, 1] >= 0.5, thin.spacing)
    return fields, thin


def _span(occupied: Mask, factor: int) -> slice:
    """The whole blocks of ``factor`` pixels that hold all that is occupied."""
    found = np.flatnonzero(occupied)
    if not len(found):
        return slice(0, 0)
    return slice(int(found[0]) // factor, min(int(found[-1]) // factor + 1, len(occupied) // factor))


def _distance_map(mask: Mask, spacing: tuple[float, float]) -> Floats:
    """Distance (mm) of pixels (z, y, x) to the mask's edge within their slice, positive inside, up to ``FAR_MM``."""
    unit = spacing[0] if spacing[0] == spacing[1] else TELL_MM
    far = round((FAR_MM / unit) ** 2)
    units = [(edge / unit) ** 2 for edge in spacing]
    inside, outside = np.sqrt(squared_distance(np.stack([mask, ~mask]), far, (0, 0, *units)), dtype=np.float32)
    signed: Floats = (inside - outside) * np.float32(unit)
    return signed


def _sample_lines(fields: Floats, stack: Stack, n: Places, v: Places, u: Places) -> Floats:
    """Linear interpolation where the image's lines run along the rows of the slices, as in nearly all head CTs.

    Each line of the image is then a weighted sum of four lines of the slices, all of them one sparse product.

    Parameters
    ----------
    fields
        (slice, field, y, x) on ``stack``.
    n, v
        Broadcastable to (z, y) of the image, mm.
    u
        (x,) of the image, mm.

    Returns
    -------
    ndarray
        (field, z, y, x).
    """
    count, kinds, rows, _ = fields.shape
    lines = np.empty((count, rows, kinds, len(u)), dtype=np.float32)
    for z, field in enumerate(fields):
        places = (u - stack.u0[z]) / stack.spacing[1]
        lines[z] = interpolate_axis(field, 2, places).transpose(1, 0, 2)
        lines[z][:, :, (places < 0) | (places > field.shape[2] - 1)] = 0
    index, place, _ = np.broadcast_arrays(*stack.indices(n, v, np.zeros((1, 1))))
    sums = _weights(index.ravel(), place.ravel(), count, rows) @ lines.reshape(count * rows, -1)
    return np.moveaxis(sums.reshape(*index.shape, kinds, len(u)), 2, 0)


def _weights(index: Floats, place: Floats, count: int, rows: int) -> csr_array:
    """Weights of the lines (slice, row) around each fractional slice index and row; none beyond the first and last."""
    low = np.minimum(index.astype(np.intp), max(count - 2, 0))
    first = np.floor(place).astype(np.intp)
    columns, weights = [], []
    for z, of_slice in ((low, 1 - (index - low)), (np.minimum(low + 1, count - 1), index - low)):
        for y, of_row in ((first, 1 - (place - first)), (first + 1, place - first)):
            columns.append(z * rows + np.clip(y, 0, rows - 1))
            weights.append(np.where((y >= 0) & (y < rows), of_slice * of_row, 0))
    data = np.stack(weights, axis=1).ravel().astype(np.float32)
    ends = np.arange(0, 4 * len(index) + 1, 4)
    return csr_array((data, np.stack(columns, axis=1).ravel(), ends), shape=(len(index), count * rows))


def _with_margin(brain: Brain, shape: tuple[int, ...]) -> tuple[Box, Mask]:
    """The bounding box of the clean brain and ``AVERAGED`` pixels, and a slice where there is one, more; its mask."""
    seen: Mask = np.logical_or.reduce(brain.clean, axis=0)
    occupied = (np.array([plane.any() for plane in brain.clean]), seen.any(axis=1), seen.any(axis=0))
    wide, inner, own = [], [], []
    for each, first, size, room in zip(occupied, brain.box, shape, (1, AVERAGED, AVERAGED), strict=True):
        found = np.flatnonzero(each)
        start, stop = int(found[0]), int(found[-1]) + 1
        own.append(slice(start, stop))
        wide.append(slice(max(0, start + first.start - room), min(size, stop + first.start + room)))
        inner.append(slice(start + first.start - wide[-1].start, stop + first.start - wide[-1].start))
    mask = np.zeros([span.stop - span.start for span in wide], dtype=np.bool_)
    mask[tuple(inner)] = brain.clean[tuple(own)]
    return (wide[0], wide[1], wide[2]), mask


def _points(volume: Volume, affine: NDArray[np.float64], box: Box) -> tuple[Places, Places, Places]:
    """A box of the image's points along the volume's own axes (n, v, u), mm, as arrays that broadcast to (z, y, x)."""
    x, y, z = (affine[i, 3] + affine[i, i] * np.arange(span.start, span.stop) for i, span in enumerate(box[::-1]))
    axes = (x[None, None, :], y[None, :, None], z[:, None, None])
    along = []
    for direction in (volume.normal, volume.column_direction, volume.row_direction):
        # Components that are zero are left out: most series then need far fewer products.
        terms = [c * axis for c, axis in zip(direction, axes, strict=True) if abs(c) > NO_COMPONENT]
        along.append(sum(terms[1:], terms[0]))
    return along[0], along[1], along[2]
