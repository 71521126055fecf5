"""Connected parts of a mask, from its runs along x: several times fewer things to join than there are cells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ml.preprocessing.grids import Mask

Integers = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Parts:
    """The runs of a (z, y, x) mask and the part that each belongs to.

    Attributes
    ----------
    shape
        Of the mask.
    starts, ends
        (runs,) flat indices, ascending, ends exclusive, in the mask with one empty row and column added to each plane.
    part
        (runs,) number of the part, from 0.
    sizes
        (parts,) cells.
    """

    shape: tuple[int, int, int]
    starts: Integers
    ends: Integers
    part: Integers
    sizes: Integers

    @property
    def lengths(self) -> Integers:
        """Cells of each run."""
        return self.ends - self.starts

    def at(self, z: Integers | int, y: Integers | int, x: Integers | int) -> Integers:
        """Numbers of the parts at cells, -1 where the mask is empty."""
        flat = np.asarray(z * self._plane + y * self._row + x)
        run = np.searchsorted(self.starts, flat, side="right") - 1
        inside = (run >= 0) & (flat < self.ends[run]) if len(self.ends) else np.zeros(flat.shape, dtype=np.bool_)
        return np.where(inside, self.part[run] if len(self.part) else -1, -1)

    def shared(self, mask: Mask) -> Integers:
        """How many cells (parts,) of another mask, all of whose cells lie in this one, each part holds."""
        inner = _runs(mask)
        run = np.searchsorted(self.starts, inner[0], side="right") - 1
        counts = np.bincount(self.part[run], weights=inner[1] - inner[0], minlength=len(self.sizes))
        return counts.astype(np.intp)

    def mask(self, kept: Mask) -> Mask:
        """The mask of the parts for which ``kept`` (parts,) is true."""
        runs = kept[self.part]
        z, y, x = self.shape
        edges = np.stack([self.starts[runs], self.ends[runs]], axis=1).ravel()
        inside = np.zeros(len(edges) + 1, dtype=np.bool_)
        inside[1::2] = True
        filled = np.repeat(inside, np.diff(edges, prepend=0, append=z * (y + 1) * (x + 1)))
        return filled.reshape(z, y + 1, x + 1)[:, :-1, :-1]

    def largest(self) -> Mask:
        """The mask of the largest part; empty where there is none."""
        kept = np.zeros(len(self.sizes), dtype=np.bool_)
        kept[np.argmax(self.sizes) if len(kept) else slice(0)] = True
        return self.mask(kept)

    def moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sums (parts,) of the rows and of the columns of each part's cells."""
        lengths = self.lengths
        y, first = np.divmod(self.starts % self._plane, self._row)
        sums = [np.bincount(self.part, weights=w * lengths) for w in (y, first + (lengths - 1) / 2)]
        return sums[0].astype(np.float64), sums[1].astype(np.float64)

    @cached_property
    def planes(self) -> Integers:
        """The plane (parts,) that each part of single planes lies in: ascending, as the runs are."""
        plane = np.empty(len(self.sizes), dtype=np.intp)
        plane[self.part] = self.starts // self._plane
        return plane

    def planes_below(self) -> tuple[Integers, Integers]:
        """The parts (upper, lower) that touch from one plane to the next lower one, ascending."""
        upper, lower = _touching(self.starts, self.ends, -self._plane)
        codes = np.unique(self.part[upper] * len(self.sizes) + self.part[lower])
        first, second = np.divmod(codes, max(len(self.sizes), 1))
        return first, second

    def joined(self, kept: Mask) -> Parts:
        """The parts of the parts of single planes for which ``kept`` is true, now joined from plane to plane."""
        runs = kept[self.part]
        starts, ends = self.starts[runs], self.ends[runs]
        return _joined(self.shape, starts, ends, [self._row, self._plane])

    @property
    def _row(self) -> int:
        return self.shape[2] + 1

    @property
    def _plane(self) -> int:
        return (self.shape[1] + 1) * self._row


def parts_of(mask: Mask, *, planar: bool = False) -> Parts:
    """Find the parts of a mask whose cells share faces.

    Parameters
    ----------
    mask
        (z, y, x).
    planar
        Parts of each plane for itself, as if the planes were far from one another.
    """
    z, y, x = mask.shape
    return _joined((z, y, x), *_runs(mask), [x + 1] if planar else [x + 1, (y + 1) * (x + 1)])


def _runs(mask: Mask) -> tuple[Integers, Integers]:
    """Starts and ends of the runs, as in `Parts`."""
    z, y, x = mask.shape
    padded = np.zeros((z, y + 1, x + 1), dtype=np.bool_)
    padded[:, :-1, :-1] = mask
    flat = padded.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat.size and flat[0]:
        edges = np.concatenate([[0], edges])
    return edges[::2], edges[1::2]


def _joined(shape: tuple[int, int, int], starts: Integers, ends: Integers, offsets: list[int]) -> Parts:
    """Number the runs so that those that touch at one of the offsets have the same number."""
    pairs = [_touching(starts, ends, offset) for offset in offsets]
    first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
    if len(starts):
        graph = coo_array((np.ones(len(first), dtype=np.bool_), (first, second)), shape=(len(starts), len(starts)))
        count, part = connected_components(graph, directed=False)
    else:
        count, part = 0, np.zeros(0, dtype=np.int32)
    sizes = np.bincount(part, weights=ends - starts, minlength=count).astype(np.intp)
    return Parts(shape, starts, ends, part.astype(np.intp), sizes)


def _touching(starts: Integers, ends: Integers, offset: int) -> tuple[Integers, Integers]:
    """Pairs of runs of which the second overlaps the first one moved by ``offset`` cells."""
    low = np.searchsorted(ends, starts + offset, side="right")
    count = np.searchsorted(starts, ends + offset, side="left") - low
    first = np.repeat(np.arange(len(starts)), count)
    within = np.arange(len(first)) - np.repeat(np.cumsum(count) - count, count)
    return first, np.repeat(low, count) + within
