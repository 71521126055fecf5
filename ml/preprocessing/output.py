"""The network's input: what of the brain lies in the box, windowed and resampled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ml.preprocessing.box import SHAPE, VOXEL_MM
from ml.preprocessing.grids import (
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
from ml.volumes import Volume

WINDOW_HU = (0.0, 90.0)
FAR_MM = 10.0
LEAST_SHARE = 0.05  # of a voxel that the mask must fill for its mean to be taken
NO_COMPONENT = 1e-4  # of a unit vector: a fiftieth of a millimeter over a head
AVERAGED = 4  # pixels around the brain: room for the averaging of neighbors
TELL_MM = 0.06  # the unit of distances where pixels are not square: their squares are whole numbers of its square

Places = NDArray[np.float64]


def brain_box(mask: Mask, volume: Volume) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Corners of the brain's bounding box along the patient's axes: two (3,) points, LPS mm."""
    box = _slices_around(mask, 0)
    z, y = np.nonzero(mask[box].any(axis=2))
    rows = mask[box][z, y]
    ends = np.stack([rows.argmax(axis=1), rows.shape[1] - 1 - rows[:, ::-1].argmax(axis=1)])
    points = volume.voxel_to_lps(z + box[0].start, y + box[1].start, ends + box[2].start).reshape(-1, 3)
    return points.min(axis=0), points.max(axis=0)


def render(
    volume: Volume, mask: Mask, stack: Stack, affine: NDArray[np.float64], corners: tuple[Places, Places]
) -> Floats:
    """Window, mask and resample the brain.

    Parameters
    ----------
    volume, mask, stack
        The series, the brain on its voxels, its geometry.
    affine, corners
        (4, 4) from `output_affine`, and what it was made of.

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
    around = _slices_around(mask, AVERAGED)
    fields, thin = _fields(volume.hu[around], mask[around], crop(stack, around))
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
        plane[:] = np.clip(value / np.maximum(share, LEAST_SHARE), 0, 1) * inside
    return image


def _output_box(
    affine: NDArray[np.float64], corners: tuple[Places, Places], margin: float
) -> tuple[slice, slice, slice]:
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
    windowed = np.empty(hu.shape[1:], dtype=np.float32)
    for field, group in zip(fields, groups, strict=True):
        for pixels, inside in zip(hu[group], mask[group], strict=True):
            np.clip(pixels, low, high, out=windowed)
            windowed *= inside
            field[0] += reduce_block(windowed, factors, np.add)
            field[1] += reduce_block(inside.view(np.uint8), factors, np.add)
        field[:2] /= factors[0] * factors[1] * (group.stop - group.start)
    fields[:, 2] = _distance_map(fields[:, 1] >= 0.5, thin.spacing)
    fields[:, 0] -= low * fields[:, 1]
    fields[:, 0] /= high - low
    return fields, thin


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


def _slices_around(mask: Mask, margin: int) -> tuple[slice, slice, slice]:
    """The bounding box of a mask in its own grid with ``margin`` pixels, and a slice where there is one, more."""
    seen: Mask = np.logical_or.reduce(mask, axis=0)
    planes = np.array([plane.any() for plane in mask])
    rooms = (min(margin, 1), margin, margin)
    spans = []
    for occupied, size, room in zip((planes, seen.any(axis=1), seen.any(axis=0)), mask.shape, rooms, strict=True):
        found = np.flatnonzero(occupied)
        spans.append(slice(max(0, int(found[0]) - room), min(size, int(found[-1]) + 1 + room)))
    return spans[0], spans[1], spans[2]


def _points(
    volume: Volume, affine: NDArray[np.float64], box: tuple[slice, slice, slice]
) -> tuple[Places, Places, Places]:
    """A box of the image's points along the volume's own axes (n, v, u), mm, as arrays that broadcast to (z, y, x)."""
    x, y, z = (affine[i, 3] + affine[i, i] * np.arange(span.start, span.stop) for i, span in enumerate(box[::-1]))
    axes = (x[None, None, :], y[None, :, None], z[:, None, None])
    along = []
    for direction in (volume.normal, volume.column_direction, volume.row_direction):
        # Components that are zero are left out: most series then need far fewer products.
        terms = [c * axis for c, axis in zip(direction, axes, strict=True) if abs(c) > NO_COMPONENT]
        along.append(sum(terms[1:], terms[0]))
    return along[0], along[1], along[2]
