"""The network's input: a brain in a box of fixed size in millimeters.

The box is 192 mm (left-right) x 192 mm (front-back) x 160 mm (height) around the middle of the brain, so one voxel is
1 x 1 x 2 mm = 2 uL. A box fitted to each brain would fill the grid better, but would hide how large a hematoma is: the
same 30 mL would cover more voxels in a small head. An adult skull's cavity is at most about 190 mm long and, from the
vertex to the foramen magnum, about 155 mm high; a brain that does not fit is named in the report.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.preprocessing.grids import Floats, Mask, Stack, crop, reduce_plane, reduce_slices, sample
from ml.volumes import Volume

SHAPE = (80, 192, 192)
VOXEL_MM = (2.0, 1.0, 1.0)
WINDOW_HU = (0.0, 90.0)
FAR_MM = 10.0
LEAST_SHARE = 0.05  # of a voxel that the mask must fill for its mean to be taken
NO_COMPONENT = 1e-6  # of a unit vector: a tenth of a micrometer over a head


def brain_box(mask: Mask, volume: Volume) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Corners of the brain's bounding box along the patient's axes: two (3,) points, LPS mm."""
    outline = mask.copy()
    outline[:, :, 1:-1] &= ~(mask[:, :, :-2] & mask[:, :, 2:])
    z, y, x = np.nonzero(outline)
    points = volume.voxel_to_lps(z, y, x)
    return points.min(axis=0), points.max(axis=0)


def output_affine(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the output grid lies: (4, 4), from indices (x, y, z) to LPS mm, around the middle of a bounding box.

    The axes are the patient's: x to the left, y to the back, z to the head, whatever the tilt of the slices.
    """
    steps = np.array(VOXEL_MM[::-1])
    affine = np.diag([*steps, 1.0])
    affine[:3, 3] = (low + high) / 2 - steps * (np.array(SHAPE[::-1]) - 1) / 2
    return affine


def render(volume: Volume, mask: Mask, stack: Stack, affine: NDArray[np.float64]) -> Floats:
    """Window, mask and resample the brain.

    Parameters
    ----------
    volume, mask, stack
        The series, the brain on its voxels, its geometry.
    affine
        (4, 4), from `output_affine`.

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
    box = _slices_around(mask)
    low, high = WINDOW_HU
    weight = mask[box].astype(np.float32)
    windowed = (np.clip(volume.hu[box], low, high) - low) * (weight / (high - low))
    fields = []
    for field in (windowed, weight):
        plane, thin = reduce_plane(field, crop(stack, box), min(VOXEL_MM))
        plane, thin = reduce_slices(plane, thin, max(VOXEL_MM))
        fields.append(plane)
    fields.append(_distance_maps(fields[1] >= 0.5, thin.spacing))
    n, v, u = _points(volume, affine)
    value, share, distance = sample(np.stack(fields), thin.indices(n, v, u), outside=0.0)
    half = volume.slice_extents[box[0]] / 2
    scanned = (n >= thin.offsets[0] - half[0]) & (n <= thin.offsets[-1] + half[-1])
    inside = (distance > 0) & (share > LEAST_SHARE) & scanned
    image = np.where(inside, value / np.maximum(share, np.float32(LEAST_SHARE)), np.float32(0))
    return np.clip(image, 0, 1)


def _distance_maps(mask: Mask, spacing: tuple[float, float]) -> Floats:
    """Distance (mm) of each voxel to the mask's edge within its slice, positive inside, limited to ``FAR_MM``."""
    maps = np.full(mask.shape, -FAR_MM, dtype=np.float32)
    for z in np.flatnonzero(mask.any(axis=(1, 2))):
        inside = ndimage.distance_transform_edt(mask[z], sampling=spacing)
        outside = ndimage.distance_transform_edt(~mask[z], sampling=spacing)
        maps[z] = np.clip(inside - outside, -FAR_MM, FAR_MM)
    return maps


def _slices_around(mask: Mask) -> tuple[slice, slice, slice]:
    """The bounding box of a mask in its own grid, with room for the averaging of neighbors."""
    spans = []
    for axis in range(3):
        found = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        margin = 1 if axis == 0 else 4
        spans.append(slice(max(0, int(found[0]) - margin), min(mask.shape[axis], int(found[-1]) + 1 + margin)))
    return spans[0], spans[1], spans[2]


def _points(volume: Volume, affine: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """The output grid's points along the volume's own axes (n, v, u), mm, as arrays that broadcast to (z, y, x)."""
    x, y, z = (affine[i, 3] + affine[i, i] * np.arange(n) for i, n in enumerate(SHAPE[::-1]))
    axes = (x[None, None, :], y[None, :, None], z[:, None, None])
    along = []
    for direction in (volume.normal, volume.column_direction, volume.row_direction):
        # Components that are zero are left out: most series then need far fewer products.
        terms = [c * axis for c, axis in zip(direction, axes, strict=True) if abs(c) > NO_COMPONENT]
        along.append(sum(terms[1:], terms[0]))
    return along[0], along[1], along[2]
