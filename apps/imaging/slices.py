"""One slice as a PNG for the page."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.pixels.utils import pixel_array

from apps.imaging.models import Series
from apps.imaging.selectors import load_slice

# name: (width, level) in HU
WINDOWS = {"brain": (90, 45), "subdural": (200, 75), "bone": (2500, 480)}
OVERLAY_COLOR = (230, 159, 0)

# Added by the annotation app: the mask (z, y, x) of a series, if there is one.
Overlay = Callable[[Series], npt.NDArray[np.bool_] | None]
overlays: list[Overlay] = []


def render_slice(series: Series, index: int, *, window: str, overlay: bool) -> bytes | None:
    """Return a PNG of slice `index` (counted from the foot), or None where there is no such slice."""
    dataset = load_slice(series, index)
    if dataset is None:
        return None
    hu = pixel_array(dataset).astype(np.float32) * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    width, level = WINDOWS.get(window, WINDOWS["brain"])
    gray = (np.clip((hu - (level - width / 2)) / width, 0, 1) * 255).astype(np.uint8)
    image = Image.fromarray(gray)
    if overlay:
        image = _with_outline(image, series, index)
    buffer = BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _with_outline(image: Image.Image, series: Series, index: int) -> Image.Image:
    """Draw the outline of the mask, and leave the tissue inside it to be seen."""
    for provider in overlays:
        volume_mask = provider(series)
        if volume_mask is None or not volume_mask[index].any():
            continue
        mask = volume_mask[index]
        inner = mask.copy()
        inner[1:-1, 1:-1] &= mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
        colored = np.array(image.convert("RGB"))
        colored[mask & ~inner] = OVERLAY_COLOR
        return Image.fromarray(colored)
    return image
