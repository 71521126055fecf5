"""The map of an explanation: how it is kept, and how one slice of it is drawn over the CT."""

from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import binary_erosion

from apps.annotation.files import slice_key
from apps.annotation.models import Mask
from apps.annotation.selectors import load_slice_hematoma
from apps.core import store
from ml.arrays import from_npz

Levels = npt.NDArray[np.uint8]

# Colors of the levels 0, 1/4 ... 1 of viridis, whose lightness rises with the level for every kind of color vision.
STOPS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
# Nothing is drawn up to this level, all of the color from the other one on.
_CLEAR, _FULL = 0.08, 0.5


def pack(levels: npt.NDArray[np.float32]) -> bytes:
    """Return the file of a map (slices, rows, columns), 0 to 1: an array a slice, so that one is read alone."""
    buffer = BytesIO()
    scaled = np.rint(levels * 255).astype(np.uint8)
    np.savez_compressed(buffer, **{slice_key(index): plane for index, plane in enumerate(scaled)})
    return buffer.getvalue()


def shares_of(levels: npt.NDArray[np.float32], extents: npt.NDArray[np.float64]) -> list[float]:
    """Return the part of the map's mass on each slice; the slices reach over `extents` mm."""
    mass = levels.sum(axis=(1, 2), dtype=np.float64) * extents
    total = float(mass.sum())
    return [round(float(value), 4) for value in mass / total] if total else [0.0] * len(mass)


def load_slice(file: str, index: int) -> Levels:
    """Return one slice of a map, counted from the foot; only that one is unpacked."""
    return from_npz(store.get(file), [slice_key(index)])[0]


def load_map(file: str) -> Levels:
    """Return a whole map (slices, rows, columns), foot to head."""
    return np.stack(from_npz(store.get(file)))


def draw(levels: Levels, mask: Mask | None, index: int) -> bytes:
    """Return a PNG of one slice, transparent where the map is low; the outline of a mask is left free in it."""
    if mask is not None and mask.slice_areas_mm2[index]:
        region = load_slice_hematoma(mask, index)
        levels = np.where(region & ~binary_erosion(region), 0, levels).astype(np.uint8)
    image = Image.fromarray(levels, "P")
    image.putpalette(_palette())
    buffer = BytesIO()
    image.save(buffer, "PNG", transparency=_alpha(), compress_level=1)
    return buffer.getvalue()


def _palette() -> bytes:
    places = np.linspace(0, 1, len(STOPS))
    channels = [np.interp(np.linspace(0, 1, 256), places, channel) for channel in zip(*STOPS, strict=True)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8).tobytes()


def _alpha() -> bytes:
    return np.rint(np.interp(np.linspace(0, 1, 256), [_CLEAR, _FULL], [0, 255])).astype(np.uint8).tobytes()
