"""Smaller versions of a preprocessed image."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike

from ml.preprocessing.errors import PreprocessingError
from ml.preprocessing.grids import Floats


def resize(image: ArrayLike, shape: tuple[int, int, int]) -> Floats:
    """Resample a preprocessed image to fewer voxels over the same field.

    Each new voxel is the mean of what it covers: the low-pass filter that a coarser grid needs, keeping total
    intensity; where the factor is no whole number, windows overlap by up to one voxel.

    Parameters
    ----------
    image
        (z, y, x), 0..1.
    shape
        New (z, y, x), none larger than the image's.

    Raises
    ------
    PreprocessingError
        ``bad_shape``.
    """
    array = np.ascontiguousarray(image, dtype=np.float32)
    if array.ndim != 3 or len(shape) != 3 or any(not 1 <= n <= m for n, m in zip(shape, array.shape, strict=True)):
        raise PreprocessingError(
            "bad_shape",
            f"An image of shape {array.shape} cannot be made {tuple(shape)}: give three sizes, none larger.",
        )
    smaller: Floats = torch.nn.functional.adaptive_avg_pool3d(torch.from_numpy(array)[None, None], shape)[0, 0].numpy()
    return smaller
