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
from itertools import dropwhile, pairwise, takewhile
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.preprocessing.grids import Mask
from ml.preprocessing.morphology import center_of_mass
from ml.preprocessing.parts import Parts, parts_of

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


def find_foramen(bone: Mask, wide: Mask, core: Mask, step: float) -> Ring | None:
    """Find the foramen magnum on a cubic grid.

    Parameters
    ----------
    bone, core
        Skull; the deep middle of the brain.
    wide
        Where the cavity's wall is at least ``PASSAGE_MM`` away.
    step
        Edge of a cell, mm.

    Returns
    -------
    Ring or None
        None where the scan ends above the foramen.
    """
    rows, columns = _around(core, round(AROUND_MM / step))
    near_bone, near_wide = bone[:, rows, columns], wide[:, rows, columns]
    center = tuple(round(c) for c in center_of_mass(core[:, rows, columns]))
    found = [_knee(_rings_down(near_bone, near_wide, center, step, slopes), step) for slopes in SLOPES]
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
    bone: Mask, wide: Mask, middle: tuple[int, ...], step: float, slopes: tuple[float, float]
) -> list[Ring]:
    """Measure the bone around the neural axis in parallel sections of one inclination, from the top down."""
    sections = _Sections.below(middle, wide.shape, slopes)
    largest = MAX_RING_CM2 * 100 / step**2
    # Above the foramen are the sections where the cavity, or another branch of it, is wider than any foramen: a way out
    # through the floor of a temporal fossa, open between thick slices, has the posterior fossa beside it.
    narrow = dropwhile(lambda section: section.widest > largest, _path_down(sections.take(wide), middle))

    def height(section: _Opening) -> float:
        lift = slopes[0] * (section.y - middle[1]) + slopes[1] * (section.x - middle[2])
        return section.number - sections.under + lift

    path = list(takewhile(lambda section: height(section) >= 0, narrow))
    return [
        Ring((height(section), section.y, section.x), slopes, area, closure)
        for section, area, closure in zip(path, *_cast_rays(bone, sections, path, step), strict=True)
    ]


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
    """Inclined sections of an array, as a shift of every column of cells; only those up to the middle of the brain.

    Attributes
    ----------
    rise
        (y, x) cells by which the sections lie higher than at the middle.
    under
        How many sections begin below the array; what they meet there is a copy of its lowest plane.
    count
        Number of sections.
    """

    rise: NDArray[np.intp]
    under: int
    count: int

    @classmethod
    def below(cls, middle: tuple[int, ...], shape: tuple[int, ...], slopes: tuple[float, float]) -> _Sections:
        y, x = np.ogrid[: shape[1], : shape[2]]
        rise = np.rint(slopes[0] * (y - middle[1]) + slopes[1] * (x - middle[2])).astype(np.intp)
        under = int(rise.max())
        return cls(rise, under, middle[0] + 1 + under)

    def take(self, array: Mask) -> Mask:
        """The sections (section, y, x) of a (z, y, x) array."""
        low, high = self.under - int(self.rise.min()), int(self.rise.max())
        held = np.pad(array[: self.count - self.under + high], ((low, high), (0, 0), (0, 0)), mode="edge")
        taken = np.empty((self.count, *self.rise.shape), dtype=np.bool_)
        # The slopes rise along one axis only: equal shifts are blocks of whole rows or columns.
        rises, axis = (self.rise[:, 0], 1) if np.ptp(self.rise[:, 0]) else (self.rise[0], 2)
        ends = np.flatnonzero(np.diff(rises, append=rises[-1] + 1)) + 1
        for start, end in zip([0, *ends], ends, strict=False):
            block = (slice(None),) * axis + (slice(start, end),)
            first = low - self.under + int(rises[start])
            taken[block] = held[first : first + self.count][block]
        return taken


class _Opening(NamedTuple):
    """The cavity in one section: the section's number, the center, the cells of the widest branch there."""

    number: int
    y: float
    x: float
    widest: int


def _path_down(wide: Mask, middle: tuple[int, ...]) -> list[_Opening]:
    """Centers of the cavity's sections, from the middle of the brain down to where its deepest branch ends."""
    parts = parts_of(wide, planar=True)
    plane, top = parts.planes, len(wide) - 1
    start = int(parts.at(top, middle[1], middle[2]))
    reached = plane == top if start < 0 else np.arange(len(plane)) == start
    if not reached.any():
        return []
    branch = _deepest_branch(parts, reached)
    sums = (parts.sizes, *parts.moments())
    cells, rows, columns = (np.bincount(plane[branch], each[branch], len(wide)) for each in sums)
    widest = cells.copy()
    np.maximum.at(widest, plane[reached], parts.sizes[reached])
    return [
        _Opening(z, rows[z] / cells[z], columns[z] / cells[z], int(widest[z])) for z in range(top, -1, -1) if cells[z]
    ]


def _deepest_branch(parts: Parts, reached: Mask) -> Mask:
    """Trace the cavity upward from its lowest section, so that blind ends (temporal fossae) are left out.

    Parameters
    ----------
    parts
        Of single planes.
    reached
        (parts,) those of the highest plane to begin from; those that are reached from them going down are added.
    """
    upper, lower = parts.planes_below()
    ends = np.searchsorted(parts.planes[upper], np.arange(parts.shape[0] + 1))
    links = [(upper[a:b], lower[a:b]) for a, b in pairwise(ends.tolist())]
    for above, below in reversed(links):
        reached[below[reached[above]]] = True
    bottom = np.flatnonzero(reached)
    lowest = bottom[parts.planes[bottom] == parts.planes[bottom[0]]]
    branch = np.zeros_like(reached)
    branch[lowest[parts.sizes[lowest].argmax()]] = True
    for above, below in links:
        found = above[branch[below]]
        branch[found] = reached[found]
    return branch


def _cast_rays(bone: Mask, sections: _Sections, path: list[_Opening], step: float) -> tuple[list[float], list[float]]:
    """Area (cm2) within the first bone met by rays from each opening, and the share of the rays that meet bone."""
    angle = np.linspace(0, 2 * np.pi, RAYS, endpoint=False)[:, None]
    radius = np.arange(1.0, RAY_MM / step + 0.25, 0.5)
    number, y, x, _ = np.array(path).reshape(-1, 4).T[:, :, None, None]
    rows = np.clip(np.rint(y + radius * np.sin(angle)).astype(np.intp), 0, bone.shape[1] - 1)
    columns = np.clip(np.rint(x + radius * np.cos(angle)).astype(np.intp), 0, bone.shape[2] - 1)
    height = number.astype(np.intp) - sections.under + sections.rise[rows, columns]
    hits = bone[np.clip(height, 0, len(bone) - 1), rows, columns]
    met = hits.any(axis=2)
    squares = np.where(met, (radius[hits.argmax(axis=2)] * step) ** 2, 0).sum(axis=1)
    count = np.count_nonzero(met, axis=1)
    # A gap in the ring is given the mean square of the rays that meet bone.
    area = np.where(count > 0, np.pi * squares / np.maximum(count, 1) / 100, np.inf)
    return area.tolist(), (count / RAYS).tolist()
