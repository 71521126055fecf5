"""A refused mask beside the CT that it was sent for: a picture of both, and what differs in words and millimeters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from apps.core.errors import Refusal
from ml.volumes import Block, Geometry, GridDifference, MaskError, grid_difference

# Refusals of a mask that can be read and lies elsewhere.
PICTURED = ("mask_shape", "mask_other_grid")
# Less is the rounding of the numbers in the files' headers.
_SEEN_MM = 0.05
# Parts of the larger side of what is drawn.
_MARGIN, _LETTER = 0.16, 0.1

Point = tuple[float, float]


@dataclass(frozen=True)
class View:
    """The blocks from one side, in mm: `across` to the right of the picture and `down`."""

    title: str
    # Of the picture: left, top, width, height.
    box: str
    # Points of the blocks' outlines, as SVG writes them.
    ct: str
    mask: str
    drawn: str
    # (x, y, letter) at the picture's edges, the letters being DICOM's: right, left, anterior, posterior, head, feet.
    ends: tuple[tuple[float, float, str], ...]
    letter_mm: float


def refused(error: MaskError, path: Path, grid: Geometry) -> Exception:
    """Return the refusal of a mask with its picture, or the error itself where a picture cannot help."""
    found = grid_difference(path, grid) if error.code in PICTURED else None
    if found is None:
        return error
    return Refusal(error.code, str(error), figure=picture(found))


def picture(difference: GridDifference) -> str:
    """Return the figure as HTML. It holds places and letters, nothing of the patient and nothing of the file's text."""
    context = {"views": views(difference), "sentences": list(sentences(difference))}
    return render_to_string("annotation/partials/difference.html", {"difference": context})


def views(difference: GridDifference) -> tuple[View, View]:
    """Return the view from the patient's right, and the one from the feet, as CTs are shown."""
    # Who stands at the patient's right side sees the face at the right, and the head on top.
    side = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0]])
    below = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    return (
        _view(_("Seen from the patient’s right"), difference, side, "PAHF"),
        _view(_("Seen from the feet, as CTs are shown"), difference, below, "RLAP"),
    )


def _view(title: str, found: GridDifference, axes: np.ndarray, letters: Sequence[str]) -> View:
    """Look at the blocks: `axes` (2, 3) say what runs across and down, `letters` stand left, right, above and below."""
    points = np.concatenate([block.corners @ axes.T for block in (found.ct, found.mask)])
    low, high = points.min(axis=0), points.max(axis=0)
    side = float((high - low).max())
    width = side * (1 + 2 * _MARGIN)
    x, y = ((low + high) / 2 - width / 2).tolist()
    middle, inset = width / 2, side * _MARGIN / 2
    places = ((inset, middle), (width - inset, middle), (middle, inset), (middle, width - inset))
    return View(
        title=title,
        box=" ".join(f"{number:.1f}" for number in (x, y, width, width)),
        ct=_outline(found.ct, axes),
        mask=_outline(found.mask, axes),
        drawn="" if found.drawn is None else _outline(found.drawn, axes),
        ends=tuple(
            (round(x + right, 1), round(y + down, 1), letter)
            for (right, down), letter in zip(places, letters, strict=True)
        ),
        letter_mm=round(side * _LETTER, 1),
    )


def _outline(block: Block, axes: np.ndarray) -> str:
    """Return the outline of a block from one side: its corners' convex hull, counted around."""
    points = sorted({(round(x, 1), round(y, 1)) for x, y in (block.corners @ axes.T).tolist()})
    around = _half(points)[:-1] + _half(points[::-1])[:-1]
    return " ".join(f"{x + 0.0:.1f},{y + 0.0:.1f}" for x, y in around)


def _half(points: Sequence[Point]) -> list[Point]:
    """Return one side of the hull of sorted points, without points on a straight line."""
    kept: list[Point] = []
    for x, y in points:
        while len(kept) > 1:
            (ax, ay), (bx, by) = kept[-2:]
            if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                break
            kept.pop()
        kept.append((x, y))
    return kept


def sentences(difference: GridDifference) -> Iterator[str]:
    """Say what differs, axis by axis: the way of counting, the size, the place; then where the outline lies."""
    for axis in range(3):
        if difference.reverse[axis]:
            yield _reversed(axis)
        sizes = {"mask": f"{difference.mask.size[axis]:.1f}", "ct": f"{difference.ct.size[axis]:.1f}"}
        if abs(difference.mask.size[axis] - difference.ct.size[axis]) > _SEEN_MM:
            yield _sized(axis) % sizes
        shift = float(difference.shift[axis])
        if abs(shift) > _SEEN_MM:
            yield _moved(axis, forward=shift > 0) % {"mm": f"{abs(shift):.1f}"}
    within = difference.drawn_within
    if within is not None and within < 0.5 / 100:
        yield _("What is drawn in it lies outside the CT.")
    elif within is not None and within < 1 - 0.5 / 100:
        yield _("%(percent)d %% of the block that is drawn in it lies within the CT.") % {"percent": 100 * within}


def _reversed(axis: int) -> str:
    return (
        _("Flipped: it counts its columns from the other side."),
        _("Flipped: it counts its rows from the other end, front or back."),
        _("Flipped: it counts its slices from the other end, head or feet."),
    )[axis]


def _sized(axis: int) -> str:
    return (
        _("From side to side it measures %(mask)s mm, the CT %(ct)s mm."),
        _("From front to back it measures %(mask)s mm, the CT %(ct)s mm."),
        _("From head to feet it measures %(mask)s mm, the CT %(ct)s mm."),
    )[axis]


def _moved(axis: int, *, forward: bool) -> str:
    return (
        (_("Its middle lies %(mm)s mm to the patient’s right."), _("Its middle lies %(mm)s mm to the patient’s left.")),
        (_("Its middle lies %(mm)s mm to the front."), _("Its middle lies %(mm)s mm to the back.")),
        (_("Its middle lies %(mm)s mm toward the feet."), _("Its middle lies %(mm)s mm toward the head.")),
    )[axis][forward]
