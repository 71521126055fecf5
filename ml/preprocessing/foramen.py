"""The foramen magnum: the end of the posterior fossa's funnel, ringed by bone.

Going down from the middle of the brain, the cavity inside the skull is followed from section to section to the spinal
canal. The foramen magnum is where that cavity has become a narrow opening that bone still surrounds on (nearly) all
sides; below it the ring opens between the occiput and the atlas, or goes on as the canal of the atlas, which is no
wider. A head is seldom straight in the scanner, so sections of several inclinations are tried.

The limits on the ring's area leave wide room around the adult foramen, whose area is about 7 to 9 cm2
(Gruber et al., Int J Osteoarchaeol 2009;19:519-530).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.preprocessing.grids import Floats, Mask

_T = TypeVar("_T", bound=np.generic)

PASSAGE_MM = (
    4.5  # half the width that a passage must have to be followed: nerves and vessels leave through smaller ones
)
MAX_RING_CM2 = 14.0
MIN_RING_CM2 = 2.0
MIN_CLOSURE = 0.85
GOOD_CLOSURE = 0.95
STEADY = 0.8  # a funnel that keeps this share of its area over KNEE_MM has become a canal
KNEE_MM = 4.0
RAY_MM = 42.0
AROUND_MM = 16.0
RAYS = 64
SLOPES = ((0.0, 0.0), (0.2, 0.0), (-0.2, 0.0), (0.0, 0.2), (0.0, -0.2), (0.4, 0.0), (-0.4, 0.0))


@dataclass(frozen=True)
class Ring:
    """A section of the skull's opening, on the coarse grid.

    Attributes
    ----------
    center
        (z, y, x) cell indices.
    slopes
        Rise of the section per cell along y and along x.
    area_cm2, closure
        Area inside the ring; share of directions in which the ray from the center meets bone.
    """

    center: tuple[float, float, float]
    slopes: tuple[float, float]
    area_cm2: float
    closure: float

    def above(self, shape: tuple[int, ...]) -> Mask:
        """The cells of a grid that lie on or above the section."""
        z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
        above: Mask = z >= self.center[0] + self.slopes[0] * (y - self.center[1]) + self.slopes[1] * (
            x - self.center[2]
        )
        return above


def find_foramen(bone: Mask, depth: Floats, core: Mask, step: float, lowest: int) -> Ring | None:
    """Find the foramen magnum on a cubic grid.

    Parameters
    ----------
    bone, core
        Skull; the deep middle of the brain.
    depth
        Distance (mm) of every cell of the cavity to its wall.
    step
        Edge of a cell, mm.
    lowest
        First section that was scanned; below lie copies of it.

    Returns
    -------
    Ring or None
        None where the scan ends above the foramen.
    """
    rows, columns = _around(core, round(AROUND_MM / step))
    near_bone, near_depth = bone[:, rows, columns], depth[:, rows, columns]
    middle = tuple(round(float(c)) for c in ndimage.center_of_mass(core[:, rows, columns]))
    found = [_knee(_rings_down(near_bone, near_depth, middle, step, lowest, slopes), step) for slopes in SLOPES]
    rings = [_moved(ring, rows.start, columns.start) for ring in found if ring is not None]
    closed = [ring for ring in rings if ring.closure >= GOOD_CLOSURE]
    # An oblique section is closed only once all of it has passed the opening: the straightest one lies highest.
    return max(closed, key=lambda r: r.center[0]) if closed else max(rings, key=lambda r: r.closure, default=None)


def _around(core: Mask, margin: int) -> tuple[slice, slice]:
    """The rows and columns that the brain takes up, seen from above: the foramen lies beneath it."""
    seen = np.any(core, axis=0)
    spans = []
    for axis in (0, 1):
        found = np.flatnonzero(np.any(seen, axis=1 - axis))
        spans.append(slice(max(0, int(found[0]) - margin), min(seen.shape[axis], int(found[-1]) + 1 + margin)))
    return spans[0], spans[1]


def _moved(ring: Ring, rows: int, columns: int) -> Ring:
    z, y, x = ring.center
    return replace(ring, center=(z, y + rows, x + columns))


def _rings_down(
    bone: Mask, depth: Floats, middle: tuple[int, ...], step: float, lowest: int, slopes: tuple[float, float]
) -> list[Ring]:
    """Measure the bone around the neural axis in parallel sections of one inclination, from the top down."""
    sections = _Sections.below(middle, depth.shape, slopes)
    bone_sections = sections.take(bone)
    rings = []
    for z, (y, x) in _path_down(sections.take(depth), middle):
        lift = slopes[0] * (y - middle[1]) + slopes[1] * (x - middle[2])
        if z + lift < lowest:
            break
        area, closure = _cast_rays(bone_sections[z], y, x, step)
        rings.append(Ring((z + lift, y, x), slopes, area, closure))
    return rings


def _knee(rings: list[Ring], step: float) -> Ring | None:
    """Where the funnel ends: the ring is narrow and closed, and below it narrows no more or opens."""
    rim = max(1, round(KNEE_MM / step))
    for i in range(len(rings) - rim):
        ring, below = rings[i], rings[i + rim]
        if ring.closure < MIN_CLOSURE or not MIN_RING_CM2 <= ring.area_cm2 <= MAX_RING_CM2:
            continue
        if below.closure < MIN_CLOSURE or below.area_cm2 >= STEADY * ring.area_cm2:
            # The rim of the opening is a few mm thick: rather a little of the cord kept than of the medulla lost.
            return next(r for r in reversed(rings[i : i + rim + 1]) if r.closure >= MIN_CLOSURE)
    return None


@dataclass(frozen=True, eq=False)
class _Sections:
    """Inclined sections of an array, as a shift of every column of cells; only those up to the middle of the brain."""

    index: NDArray[np.intp]

    @classmethod
    def below(cls, middle: tuple[int, ...], shape: tuple[int, ...], slopes: tuple[float, float]) -> _Sections:
        y, x = np.ogrid[: shape[1], : shape[2]]
        rise = np.rint(slopes[0] * (y - middle[1]) + slopes[1] * (x - middle[2])).astype(np.intp)
        z = np.arange(middle[0] + 1)[:, None, None]
        return cls(np.clip(z + rise[None], 0, shape[0] - 1))

    def take(self, array: NDArray[_T]) -> NDArray[_T]:
        return np.take_along_axis(array, self.index, axis=0)


def _path_down(depth: Floats, middle: tuple[int, ...]) -> list[tuple[int, tuple[float, float]]]:
    """Centers of the cavity's sections, from the middle of the brain down to where its deepest branch ends."""
    wide = depth >= PASSAGE_MM
    start = middle[0]
    labels, _ = ndimage.label(wide[start])
    current = labels == labels[middle[1], middle[2]] if wide[start, middle[1], middle[2]] else labels > 0
    if not current.any():
        return []
    reached = [current]
    for z in range(start - 1, -1, -1):
        labels, _ = ndimage.label(wide[z])
        hit = np.unique(labels[reached[-1]])
        current = np.isin(labels, hit[hit > 0])
        if not current.any():
            break
        reached.append(current)
    return _deepest_branch(reached, start)


def _deepest_branch(reached: list[Mask], start: int) -> list[tuple[int, tuple[float, float]]]:
    """Trace the cavity upward from its lowest section, so that blind ends (temporal fossae) are left out."""
    labels, _ = ndimage.label(reached[-1])
    branch = labels == np.argmax(np.bincount(labels.ravel())[1:]) + 1
    path = []
    for below in range(len(reached) - 1, -1, -1):
        if below < len(reached) - 1:
            labels, _ = ndimage.label(reached[below])
            hit = np.unique(labels[branch])
            branch = np.isin(labels, hit[hit > 0])
        y, x = ndimage.center_of_mass(branch)
        path.append((start - below, (float(y), float(x))))
    return path[::-1]


def _cast_rays(bone: Mask, y: float, x: float, step: float) -> tuple[float, float]:
    """Area (cm2) within the first bone met by rays from a point, and the share of the rays that meet bone."""
    angle = np.linspace(0, 2 * np.pi, RAYS, endpoint=False)[:, None]
    radius = np.arange(1.0, RAY_MM / step + 0.25, 0.5)[None, :]
    rows = np.clip(np.rint(y + radius * np.sin(angle)), 0, bone.shape[0] - 1).astype(np.intp)
    columns = np.clip(np.rint(x + radius * np.cos(angle)), 0, bone.shape[1] - 1).astype(np.intp)
    hits = bone[rows, columns]
    met = hits.any(axis=1)
    if not met.any():
        return float("inf"), 0.0
    length = radius[0][hits.argmax(axis=1)] * step
    # A gap in the ring is given the mean length of the rays that meet bone.
    area = np.pi * float(np.mean(length[met] ** 2)) / 100
    return area, float(met.mean())
