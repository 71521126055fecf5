"""How a mask's grid lies beside the CT that it was sent for, where it does not lie on it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 (the name its own manual uses)

from ml.volumes.errors import MaskError
from ml.volumes.geometry import FloatArray, Geometry
from ml.volumes.mask_files import check_complete
from ml.volumes.masks import open_header, whole_labels

# A place as far as this is no place in a scanner, and could not be drawn beside the CT.
_FARTHEST_MM = 10_000.0
# Which end of each index axis a corner takes: first or last voxel.
_ENDS = np.array([(z, y, x) for z in (0, 1) for y in (0, 1) for x in (0, 1)])


@dataclass(frozen=True, eq=False)
class Block:
    """A block of voxels in the patient.

    Parameters
    ----------
    corners
        (8, 3) float64, mm, LPS: the outer corners of its outermost voxels, so half a voxel beyond their centers.
    """

    corners: FloatArray

    @property
    def low(self) -> FloatArray:
        """(3,) mm, LPS: the farthest to the right, the front and the feet that it reaches."""
        low: FloatArray = self.corners.min(axis=0)
        return low

    @property
    def high(self) -> FloatArray:
        """(3,) mm, LPS: the farthest to the left, the back and the head that it reaches."""
        high: FloatArray = self.corners.max(axis=0)
        return high

    @property
    def middle(self) -> FloatArray:
        """(3,) mm, LPS: halfway between `low` and `high`."""
        return (self.low + self.high) / 2

    @property
    def size(self) -> FloatArray:
        """(3,) mm: how far it reaches from side to side, from front to back, from feet to head."""
        return self.high - self.low


@dataclass(frozen=True, eq=False)
class GridDifference:
    """The CT's block of voxels, the mask's, and what is drawn in the mask.

    Parameters
    ----------
    ct, mask
        All voxels of either.
    drawn
        The smallest block of the mask's voxels that holds all labels; None where nothing is drawn, or no labels.
    reverse
        For left-right, front-back and feet-head: whether the mask counts its voxels the other way than the CT. All
        False where its axes do not run along the CT's.
    """

    ct: Block
    mask: Block
    drawn: Block | None
    reverse: tuple[bool, bool, bool]

    @property
    def shift(self) -> FloatArray:
        """(3,) mm, LPS: from the middle of the CT to the middle of the mask."""
        return self.mask.middle - self.ct.middle

    @property
    def drawn_within(self) -> float | None:
        """Part of the drawn block, 0 to 1, that lies within the CT's `low` and `high`; None where nothing is drawn."""
        if self.drawn is None:
            return None
        low, high = np.maximum(self.drawn.low, self.ct.low), np.minimum(self.drawn.high, self.ct.high)
        return float(np.prod(np.clip(high - low, 0, None) / self.drawn.size))


def grid_difference(path: Path | str, volume: Geometry) -> GridDifference | None:
    """Compare the grid of a mask's file with the CT's.

    Parameters
    ----------
    path
        A file as `read_mask` takes it.
    volume
        The `Volume`, or its `Geometry`, of the CT.

    Returns
    -------
    GridDifference or None
        None where the file cannot be read, has other than three axes, or names no place.
    """
    try:
        reader = open_header(path)
        if reader.GetDimension() != 3 or reader.GetNumberOfComponents() != 1:
            return None
        mask = _block(reader, np.zeros(3), np.array(reader.GetSize()) - 1)
        if not np.all(np.abs(mask.corners) < _FARTHEST_MM):
            return None
        check_complete(path, reader)
        drawn = _drawn(reader)
    except (MaskError, RuntimeError):
        return None
    return GridDifference(_block_of_ct(volume), mask, drawn, _reverse(reader, volume))


def _block_of_ct(volume: Geometry) -> Block:
    last = np.array(volume.shape) - 1
    index = np.where(_ENDS, last + 0.5, -0.5)
    return Block(volume.voxel_to_lps(*index.T))


def _block(reader: sitk.ImageFileReader, first: FloatArray, last: FloatArray) -> Block:
    """Return the block from the first to the last voxel (i, j, k) of a file."""
    index = np.where(_ENDS[:, ::-1], last + 0.5, first - 0.5)
    steps = _directions(reader) * np.array(reader.GetSpacing())[:, None]
    return Block(np.array(reader.GetOrigin()) + index @ steps)


def _directions(reader: sitk.ImageFileReader) -> FloatArray:
    """(3, 3) LPS: the unit vector along each axis of a file, one a row."""
    return np.reshape(reader.GetDirection(), (3, 3)).T


def _drawn(reader: sitk.ImageFileReader) -> Block | None:
    # The view below lives no longer than the image.
    image = reader.Execute()
    try:
        labels = whole_labels(sitk.GetArrayViewFromImage(image), allow_empty=True)
    except MaskError:
        return None
    # Voxels are (k, j, i).
    spans = [np.flatnonzero(np.any(labels, axis=others)) for others in ((0, 1), (0, 2), (1, 2))]
    if not all(len(span) for span in spans):
        return None
    first, last = ([float(span[end]) for span in spans] for end in (0, -1))
    return _block(reader, np.array(first), np.array(last))


def _reverse(reader: sitk.ImageFileReader, volume: Geometry) -> tuple[bool, bool, bool]:
    wanted = np.stack([volume.row_direction, volume.column_direction, volume.normal])
    cosines = wanted @ _directions(reader).T
    axes = np.argmax(np.abs(cosines), axis=1)
    # Of the CT's axes, the one that runs most along left-right, front-back and feet-head.
    along = np.argmax(np.abs(wanted), axis=0)
    if sorted(axes) != [0, 1, 2] or sorted(along) != [0, 1, 2]:
        return (False, False, False)
    signs = cosines[range(3), axes] < 0
    return (bool(signs[along[0]]), bool(signs[along[1]]), bool(signs[along[2]]))
