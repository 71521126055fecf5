"""One slice as a PNG for the page."""

from io import BytesIO
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.pixels.utils import pixel_array

from apps.imaging.models import Series
from apps.imaging.selectors import load_slice

# name: (width, level) in HU
WINDOWS = {"brain": (90, 45), "subdural": (200, 75), "bone": (2500, 480)}
OVERLAY_COLOR = (230, 159, 0)


class Overlay(Protocol):
    """What a later app can draw over the slices of a series."""

    def areas(self, series: Series) -> list[float]:
        """Return the area on each slice in mm2, foot to head; an empty list where there is nothing to draw."""

    def region(self, series: Series, index: int) -> npt.NDArray[np.bool_] | None:
        """Return the region (y, x) on one slice, or None where there is none."""


# The annotation app adds its masks.
overlays: list[Overlay] = []


def mask_areas(series: Series) -> list[float]:
    """Return the area of the first overlay that there is on each slice, mm2."""
    return next((areas for overlay in overlays if (areas := overlay.areas(series))), [])


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
    regions = (overlay.region(series, index) for overlay in overlays)
    region = next((found for found in regions if found is not None), None)
    if region is None:
        return image
    colored = np.array(image.convert("RGB"))
    colored[region & ~_inner(region)] = OVERLAY_COLOR
    return Image.fromarray(colored)


def _inner(region: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the pixels whose four neighbors all belong to the region; beyond the picture nothing does."""
    framed = np.pad(region, 1)
    inner: npt.NDArray[np.bool_] = framed[:-2, 1:-1] & framed[2:, 1:-1] & framed[1:-1, :-2] & framed[1:-1, 2:]
    return inner
