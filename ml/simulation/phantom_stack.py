"""The stack of slices that a scanner would lay over a head: plane normal, gaps and positions for each pattern."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.simulation.phantom_spec import PhantomSpec, SpacingPattern

Vector = NDArray[np.float64]

LOWER_SLICES_MIXED = 14


@dataclass(frozen=True, eq=False)
class SliceStack:
    """Slices from foot to head.

    `positions` (z, 3) centers of the first voxels, LPS mm; `offsets` (z,) along `normal`, mm; `thickness` (z,) mm.
    """

    positions: Vector
    row_direction: Vector
    column_direction: Vector
    normal: Vector
    offsets: Vector
    thickness: Vector
    pixel_mm: float
    shape: tuple[int, int]

    @property
    def gaps(self) -> Vector:
        """Distances between neighboring planes along the normal, mm, shape (z - 1,)."""
        return np.diff(self.offsets)

    @property
    def extents(self) -> Vector:
        """What each slice stands for along the normal, mm: half of both gaps, at the ends the one gap. Shape (z,)."""
        padded = np.concatenate([self.gaps[:1], self.gaps, self.gaps[-1:]])
        return (padded[:-1] + padded[1:]) / 2


def stack_slices(spec: PhantomSpec, *, low: float, high: float, center: Vector) -> SliceStack:
    """Lay slices over a head.

    Parameters
    ----------
    low, high
        Offsets along the normal that the first slice has and that the last one reaches or passes, mm.
    center
        Where the middle of the image lies in the patient's x and y, LPS mm. With a tilted gantry the table still moves
        along z alone, so x and y are the same in every slice and the stack is sheared.
    """
    angle = np.deg2rad(spec.gantry_tilt_degrees)
    row_direction = np.array([1.0, 0.0, 0.0])
    column_direction = np.array([0.0, np.cos(angle), -np.sin(angle)])
    normal = np.array([0.0, np.sin(angle), np.cos(angle)])
    gaps, thickness = _gaps(spec.spacing, high - low)
    offsets = low + np.concatenate([[0.0], np.cumsum(gaps)])
    middles = np.tile(np.array([center[0], center[1], 0.0]), (len(offsets), 1))
    middles[:, 2] = (offsets - normal[1] * center[1]) / normal[2]
    half = np.array([spec.columns - 1, spec.rows - 1]) / 2 * spec.pixel_mm
    positions = middles - half[0] * row_direction - half[1] * column_direction
    return SliceStack(
        positions, row_direction, column_direction, normal, offsets, thickness, spec.pixel_mm, (spec.rows, spec.columns)
    )


def _gaps(pattern: SpacingPattern, length: float) -> tuple[Vector, Vector]:
    if pattern is SpacingPattern.MIXED_4_7MM:
        lower = (LOWER_SLICES_MIXED - 1) * 4.0 + 1.08
        upper = int(np.ceil((length - lower) / 7.0))
        gaps = np.array([4.0] * (LOWER_SLICES_MIXED - 1) + [1.08] + [7.0] * upper)
        return gaps, np.array([4.0] * LOWER_SLICES_MIXED + [7.0] * (upper + 1))
    step = 5.0 if pattern is SpacingPattern.UNIFORM_5MM else 2.5
    count = int(np.ceil(length / step))
    return np.full(count, step), np.full(count + 1, step)
