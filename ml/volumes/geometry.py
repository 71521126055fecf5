"""Where the voxels of a stack of CT slices lie in the patient, and how far apart the slices really are."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# Positions are written with two or more decimals, so equal gaps may differ by two rounding errors.
_SAME_GAP_MM = 0.025


@dataclass(frozen=True, eq=False, kw_only=True)
class Geometry:
    """A stack of parallel slices, each with a position of its own.

    Nothing here assumes even gaps, nor that the stack runs along its normal: with a tilted gantry the table moves along
    the patient while the planes are tilted, so the stack is sheared.

    Parameters
    ----------
    positions
        (z, 3) float64, mm, LPS: ImagePositionPatient, the center of the first voxel of each slice, from foot to head.
    row_direction, column_direction
        (3,) orthogonal unit vectors, LPS: the way the column index (x) and the row index (y) increase.
    pixel_spacing
        mm between rows (y) and between columns (x), the order of the DICOM attribute PixelSpacing.
    sop_instance_uids
        SOPInstanceUID of each slice, in the order of `positions`.
    series_instance_uid, study_instance_uid
        The DICOM series and study.
    matrix
        Rows and columns of each slice.

    Notes
    -----
    Coordinates are those of the DICOM patient: x to the left, y to the back, z to the head (PS3.3, C.7.6.2).
    """

    positions: FloatArray
    row_direction: FloatArray
    column_direction: FloatArray
    pixel_spacing: tuple[float, float]
    sop_instance_uids: tuple[str, ...]
    series_instance_uid: str
    study_instance_uid: str
    matrix: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of slices, rows and columns: (z, y, x)."""
        return (len(self.positions), *self.matrix)

    @cached_property
    def normal(self) -> FloatArray:
        """(3,) unit vector at right angles to the slices, pointing to the head."""
        return slice_normal(self.row_direction, self.column_direction)

    @cached_property
    def offsets(self) -> FloatArray:
        """(z,) mm: each slice plane's place along `normal`, measured from the origin of the patient's coordinates."""
        offsets: FloatArray = self.positions @ self.normal
        return offsets

    @cached_property
    def gaps(self) -> FloatArray:
        """(z-1,) mm: distance between neighboring slice planes along `normal`."""
        return np.diff(self.offsets)

    @cached_property
    def slice_extents(self) -> FloatArray:
        """(z,) mm along `normal` that each slice stands for: half of both its gaps, an end slice its one gap."""
        padded = np.concatenate([self.gaps[:1], self.gaps, self.gaps[-1:]])
        return (padded[:-1] + padded[1:]) / 2

    @cached_property
    def tilt_degrees(self) -> float:
        """Angle between the slices and the axial plane; positive where the planes rise toward the face."""
        angle = float(np.degrees(np.arctan2(np.hypot(self.normal[0], self.normal[1]), self.normal[2])))
        return -angle if self.normal[1] < 0 else angle

    def voxel_to_lps(self, z: npt.ArrayLike, y: npt.ArrayLike, x: npt.ArrayLike) -> FloatArray:
        """Place voxel indices in the patient.

        Parameters
        ----------
        z, y, x
            Slice, row and column indices, broadcast against each other. Fractions are allowed; a whole number is a
            voxel's center. Between two slices a point moves in a straight line, beyond the ends it goes on as between
            the last two.

        Returns
        -------
        ndarray
            (..., 3) float64, mm, LPS.
        """
        z_, y_, x_ = np.broadcast_arrays(*(np.asarray(index, dtype=np.float64) for index in (z, y, x)))
        in_plane = x_[..., None] * (self.pixel_spacing[1] * self.row_direction) + y_[..., None] * (
            self.pixel_spacing[0] * self.column_direction
        )
        return self._corner(z_) + in_plane

    def lps_to_voxel(self, points: npt.ArrayLike) -> FloatArray:
        """Find the voxel indices of points in the patient; the inverse of `voxel_to_lps`.

        Parameters
        ----------
        points
            (..., 3) mm, LPS.

        Returns
        -------
        ndarray
            (..., 3) float64 fractional indices (z, y, x).
        """
        lps = np.asarray(points, dtype=np.float64)
        along = lps @ self.normal
        below = np.clip(np.searchsorted(self.offsets, along, side="right") - 1, 0, len(self.gaps) - 1)
        z = below + (along - self.offsets[below]) / self.gaps[below]
        from_corner = lps - self._corner(z)
        y = from_corner @ self.column_direction / self.pixel_spacing[0]
        x = from_corner @ self.row_direction / self.pixel_spacing[1]
        return np.stack([z, y, x], axis=-1)

    def _corner(self, z: FloatArray) -> FloatArray:
        """First voxel's center at fractional slice indices `z` (...,): (..., 3)."""
        below = np.clip(np.floor(z).astype(np.intp), 0, len(self.positions) - 2)
        step = self.positions[below + 1] - self.positions[below]
        corner: FloatArray = self.positions[below] + (z - below)[..., None] * step
        return corner


def slice_normal(row_direction: FloatArray, column_direction: FloatArray) -> FloatArray:
    """Return the unit normal of a slice plane that points to the head, whichever way its rows and columns run."""
    normal = np.cross(row_direction, column_direction)
    if normal[2] < 0:
        normal = -normal
    return normal / np.linalg.norm(normal)


def describe_gaps(geometry: Geometry) -> list[tuple[int, float]]:
    """Summarize the distances between slice planes as runs of equal gaps, from foot to head.

    Parameters
    ----------
    geometry
        A `Geometry` or `Volume`.

    Returns
    -------
    list of (count, mm)
        For example ``[(13, 4.0), (1, 1.08), (13, 7.0)]``: 13 gaps of 4 mm, one of 1.08 mm, then 13 of 7 mm. Gaps are
        along the normal of the slices, to 0.01 mm; gaps that differ by the rounding of the positions form one run.
    """
    runs: list[list[float]] = []
    for gap in geometry.gaps.tolist():
        if runs and abs(gap - _mean(runs[-1])) <= _SAME_GAP_MM:
            runs[-1].append(gap)
        else:
            runs.append([gap])
    return [(len(run), round(_mean(run), 2)) for run in runs]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
