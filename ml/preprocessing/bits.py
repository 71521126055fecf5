"""Masks as the bits of whole numbers: to grow one is to shift all of its cells at once."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from ml.preprocessing.grids import Mask


class Bits:
    """Masks of one shape, each of them one whole number, so that ``|``, ``&`` and ``^`` work on all cells.

    A cell is a bit, the last axis runs fastest. An empty cell ends each row, an empty row each plane: what grows out of
    an array lands there, or above the highest bit, and is cleared.

    Parameters
    ----------
    shape
        Of the masks, with any number of axes.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._inside = tuple(slice(n) for n in shape)
        self._padded = (shape[0], *(n + 1 for n in shape[1:]))
        self.steps = tuple(math.prod(self._padded[axis + 1 :]) for axis in range(len(shape)))
        """For each axis, how many bits lie between two neighbors."""

    @cached_property
    def all(self) -> int:
        """The mask of all cells."""
        return self.pack(np.True_)

    def pack(self, mask: Mask | np.bool_) -> int:
        """Turn a mask into a number."""
        padded = np.zeros(self._padded, dtype=np.bool_)
        padded[self._inside] = mask
        return int.from_bytes(np.packbits(padded, bitorder="little").tobytes(), "little")

    def mask(self, bits: int) -> Mask:
        """Turn a number into a mask."""
        count = math.prod(self._padded)
        packed = np.frombuffer(bits.to_bytes((count + 7) // 8, "little"), dtype=np.uint8)
        cells = np.unpackbits(packed, count=count, bitorder="little").view(np.bool_)
        return cells.reshape(self._padded)[self._inside]

    def grow(self, bits: int, within: int) -> int:
        """Add the cells that share a face with the mask; keep those that lie ``within`` another."""
        grown = bits
        for step in self.steps:
            grown |= bits << step | bits >> step
        return grown & within

    def grow_cube(self, bits: int, within: int) -> int:
        """Add the cells that share a corner with the mask; keep those that lie ``within`` another."""
        for step in self.steps:
            bits |= bits << step | bits >> step
        return bits & within
