"""Rendered pictures and thumbnails (PS3.18, 8.3.5 and 10.4.1.1.3)."""

import re
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.utils.translation import gettext as _
from PIL import Image, ImageOps
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array

from apps.core.errors import Refusal
from apps.imaging.dicomweb.access import visible
from apps.imaging.dicomweb.frames import load, undecodable
from apps.imaging.dicomweb.negotiation import image_type
from apps.imaging.dicomweb.objects import rows_at
from apps.imaging.dicomweb.retrieve import etag_of, frame_indices, is_known, not_modified, tagged
from apps.imaging.models import Series

Floats = npt.NDArray[np.float64]

_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF"}
_FUNCTIONS = {"linear", "linear-exact", "sigmoid"}
_LARGEST = 4096
_THUMBNAIL = 128
_DEFAULT_QUALITY = 90


@dataclass(frozen=True)
class Look:
    """How a picture is to look: (center, width, function), the viewport's six numbers, JPEG quality."""

    window: tuple[float, float, str] | None = None
    size: tuple[int, int] | None = None
    # Left, top, width and height of the part that is shown; a negative width or height flips it.
    region: tuple[float, float, float, float] | None = None
    quality: int = _DEFAULT_QUALITY


def rendered(
    request: HttpRequest,
    study: str,
    series: str | None = None,
    instance: str | None = None,
    number: str | None = None,
    thumbnail: bool = False,
) -> HttpResponseBase:
    """Send a picture of a frame; of more than one, of the middle one."""
    media_type = image_type(request, tuple(_FORMATS))
    look = read_look(request.GET, thumbnail)
    row = _middle(request, study, series, instance)
    count = row["frames"]
    index = (count - 1) // 2 if number is None else _single(number, count)
    etag = etag_of(row["sha256"], index, look, media_type)
    if is_known(request, etag):
        return not_modified(etag)
    picture = render(load(row["file"]), index, look)
    buffer = BytesIO()
    options: dict[str, Any] = {"quality": look.quality} if media_type == "image/jpeg" else {}
    picture.save(buffer, _FORMATS[media_type], **options)
    return tagged(HttpResponse(buffer.getvalue(), content_type=media_type), etag)


def _single(number: str, count: int) -> int:
    if "," in number:
        sentence = _("A picture shows one frame. Name a single frame.")
        raise Refusal("frames_not_understood", sentence, status=400)
    return frame_indices(number, count)[0]


def _middle(request: HttpRequest, study: str, series: str | None, instance: str | None) -> dict[str, Any]:
    """Return the instance that stands for what was asked: of a study, from its chosen or else its largest series."""
    if series is None:
        found = Series.objects.filter(visible(request, "study__center"), study__study_instance_uid=study)
        uids = list(found.order_by("-is_chosen", "-instance_count", "pk").values_list("series_instance_uid")[:1])
        if not uids:
            raise Http404
        series = uids[0][0]
    rows = rows_at(request, study, series, instance).order_by("index", "number", "pk")
    listed = list(rows.values("file", "sha256", "frames"))
    if not listed:
        raise Http404
    return dict(listed[len(listed) // 2])


def read_look(parameters: QueryDict, thumbnail: bool) -> Look:
    """Read the rendering parameters; Refusal names the one that is not understood."""
    for name in parameters:
        if name not in {"accept", "charset", "window", "viewport", "quality"}:
            raise _refuse(_("A picture takes the parameters window, viewport and quality only."))
    window = _window(str(parameters["window"])) if "window" in parameters else None
    size, region = _viewport(str(parameters["viewport"])) if "viewport" in parameters else (None, None)
    if thumbnail and size is None:
        size = (_THUMBNAIL, _THUMBNAIL)
    quality = parameters.get("quality", str(_DEFAULT_QUALITY))
    if not re.fullmatch(r"\d{1,3}", quality) or not 1 <= int(quality) <= 100:
        raise _refuse(_("The quality is not a whole number from 1 to 100."))
    return Look(window, size, region, int(quality))


def _numbers(text: str) -> list[float]:
    """Return the numbers of a comma-separated list; empty where one of them is none."""
    parts = text.split(",")
    valid = all(re.fullmatch(r"[+-]?\d{1,7}(\.\d{1,7})?", part) for part in parts)
    return [float(part) for part in parts] if valid else []


def _window(text: str) -> tuple[float, float, str]:
    values, _comma, function = text.rpartition(",")
    if function not in _FUNCTIONS:
        values, function = text, "linear"
    numbers = _numbers(values)
    if len(numbers) != 2 or numbers[1] < 1:
        sentence = _("The window is not center,width or center,width,function with a width of at least 1.")
        raise _refuse(sentence)
    return numbers[0], numbers[1], function


def _viewport(text: str) -> tuple[tuple[int, int], tuple[float, float, float, float] | None]:
    numbers = _numbers(text)
    whole = len(numbers) in {2, 6} and all(1 <= side <= _LARGEST and side == int(side) for side in numbers[:2])
    if not whole or (len(numbers) == 6 and 0 in numbers[4:]):
        sentence = _("The viewport is not width,height (1 to %d) or width,height,x,y,width,height.")
        raise _refuse(sentence % _LARGEST)
    region = (numbers[2], numbers[3], numbers[4], numbers[5]) if len(numbers) == 6 else None
    return (int(numbers[0]), int(numbers[1])), region


def render(dataset: Dataset, index: int, look: Look) -> Image.Image:
    """Return a picture of one frame (counted from 0): modality and window applied, cut and scaled to the viewport."""
    try:
        stored = pixel_array(dataset, index=index)
    except Exception:  # each decoder has errors of its own
        raise undecodable() from None
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        stored = apply_color_lut(stored, dataset)
        stored = (stored >> 8 if stored.dtype == np.uint16 else stored).astype(np.uint8)
    if stored.ndim == 3:
        picture = Image.fromarray(stored.astype(np.uint8))
    else:
        picture = Image.fromarray(_gray(dataset, stored, look))
    return _fitted(picture, look)


def _gray(dataset: Dataset, stored: npt.NDArray[Any], look: Look) -> npt.NDArray[np.uint8]:
    slope = _first(dataset, "RescaleSlope", 1.0)
    values = stored.astype(np.float64) * slope + _first(dataset, "RescaleIntercept", 0.0)
    center, width, function = look.window or _own_window(dataset, values)
    gray = windowed(values, center, width, function)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        gray = 1 - gray
    return np.rint(gray * 255).astype(np.uint8)


def _own_window(dataset: Dataset, values: Floats) -> tuple[float, float, str]:
    """Return the first window that the object names; without one, all that it holds."""
    low, high = float(values.min()), float(values.max())
    width = _first(dataset, "WindowWidth", 0.0)
    function = str(dataset.get("VOILUTFunction", "LINEAR")).lower().replace("_", "-")
    if width < 1 or "WindowCenter" not in dataset:
        return (low + high) / 2, max(high - low, 1.0), "linear-exact"
    return _first(dataset, "WindowCenter", 0.0), width, function if function in _FUNCTIONS else "linear"


def windowed(values: Floats, center: float, width: float, function: str) -> Floats:
    """Map values to 0..1 (PS3.3, C.11.2.1.2 and C.11.2.1.3)."""
    if function == "sigmoid":
        return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -700, 700)))
    if function == "linear-exact":
        return np.clip((values - center) / width + 0.5, 0, 1)
    if width <= 1:
        return (values > center - 0.5).astype(np.float64)
    return np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1)


def _first(dataset: Dataset, keyword: str, default: float) -> float:
    value = dataset.get(keyword)
    if value is None or value == "":
        return default
    return float(value if isinstance(value, int | float | str) else value[0])


def _fitted(picture: Image.Image, look: Look) -> Image.Image:
    if look.region is not None:
        left, top, width, height = look.region
        picture = picture.crop((round(left), round(top), round(left + abs(width)), round(top + abs(height))))
        picture = ImageOps.mirror(picture) if width < 0 else picture
        picture = ImageOps.flip(picture) if height < 0 else picture
    if look.size is None:
        return picture
    return ImageOps.contain(picture, look.size)


def _refuse(sentence: str) -> Refusal:
    return Refusal("rendering_not_understood", sentence, status=400)
