"""Labels in the store: npz with one uint8 array (y, x) a slice, so that one slice is read cheaply."""

from io import BytesIO

import numpy as np
import numpy.typing as npt

from apps.core import store
from apps.imaging.models import Series
from ml.arrays import from_npz

Labels = npt.NDArray[np.uint8]


def pack(labels: Labels, series: Series) -> bytes:
    """Return labels (z, y, x) as bytes that are the same for the same mask; the series binds them to its patient."""
    buffer = BytesIO()
    slices = {slice_key(index): plane for index, plane in enumerate(labels)}
    np.savez_compressed(buffer, series=np.array(series.pk), **slices)
    return buffer.getvalue()


def load(name: str, count: int) -> Labels:
    """Return the labels (z, y, x) of a stored file of `count` slices, foot to head."""
    return np.stack(from_npz(store.get(name), [slice_key(index) for index in range(count)]))


def load_slice(name: str, index: int) -> Labels:
    """Return the labels (y, x) on one slice, counted from the foot."""
    return from_npz(store.get(name), [slice_key(index)])[0]


def slice_key(index: int) -> str:
    """Return the name of a slice in the file."""
    return f"slice{index:04d}"
