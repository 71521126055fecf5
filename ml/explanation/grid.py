"""A map of the network's input, brought to the voxels of the CT."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import map_coordinates

from ml.errors import MLError
from ml.preprocessing.box import SHAPE
from ml.volumes import Geometry


def map_on_ct(map: ArrayLike, affine: Sequence[Sequence[float]] | ArrayLike, volume: Geometry) -> NDArray[np.float32]:
    """Interpolate a map on the network's input linearly at the center of every voxel of a CT.

    Parameters
    ----------
    map
        (z, y, x), the whole box of 160 x 192 x 192 mm on any number of voxels; z to the head, y to the back, x to the
        patient's left.
    affine
        (4, 4) from ``Preprocessed.report``: indices (x, y, z) of the box on 80 x 192 x 192 voxels to LPS, mm.
    volume
        The `Volume`, or its `Geometry`; slices may be tilted and unevenly spaced.

    Returns
    -------
    ndarray
        (slices, rows, columns) float32, the slices from foot to head; 0 outside the box.

    Raises
    ------
    MLError
        ``bad_map``: the map is not three-dimensional, or the affine not an invertible (4, 4).
    """
    array, to_lps = np.asarray(map, dtype=np.float32), np.asarray(affine, dtype=np.float64)
    if array.ndim != 3 or not array.size or to_lps.shape != (4, 4) or not np.linalg.det(to_lps):
        raise MLError("bad_map", "Give a map (z, y, x) and the affine (4 x 4) that preprocessing reported.")
    size = np.array(array.shape)
    # A voxel of a coarser map covers several of the box, so that edges agree and not centers.
    scale = size / np.array(SHAPE)
    to_box = np.linalg.inv(to_lps)[2::-1]
    steps = np.stack(
        [volume.column_direction * volume.pixel_spacing[0], volume.row_direction * volume.pixel_spacing[1]]
    )
    down, across = (scale[:, None] * (to_box[:, :3] @ steps.T)).T
    rows, columns = (np.arange(count, dtype=np.float64) for count in volume.matrix)
    on_ct = np.empty(volume.shape, dtype=np.float32)
    for plane, position in zip(on_ct, volume.positions, strict=True):
        first = scale * (to_box @ np.append(position, 1) + 0.5) - 0.5
        places = first[:, None, None] + down[:, None, None] * rows[:, None] + across[:, None, None] * columns
        map_coordinates(array, places, output=plane, order=1, mode="nearest")
        limit = size[:, None, None]
        plane[((places < -0.5) | (places > limit - 0.5)).any(axis=0)] = 0
    return on_ct
