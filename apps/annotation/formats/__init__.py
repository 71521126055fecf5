"""Uploaded masks as files that hold nothing but the grid and the voxels: the kind told, the free text taken out."""

from apps.annotation.formats.metaimage import is_metaimage, plain_metaimage
from apps.annotation.formats.nifti import plain_nifti
from apps.annotation.formats.nrrd import NRRD, plain_nrrd
from ml.volumes import Geometry

# The widest number that any of the formats knows, and room for the header.
_WIDEST_VOXEL = 8
_HEADER_ROOM = 1 << 20


def plain_mask(content: bytes, grid: Geometry) -> tuple[bytes, str]:
    """Return a mask file unpacked and without any text of persons or programs, and the suffix of its format.

    What comes back is made anew of numbers and known words, so nothing else of the upload reaches a disk. The format is
    told from the first bytes, never from a name. Raises MaskError (no mask, damaged, voxels in another file) and
    Refusal (larger than any mask of this CT); never unpacks more than such a mask holds.
    """
    slices, rows, columns = grid.shape
    limit = slices * rows * columns * _WIDEST_VOXEL + _HEADER_ROOM
    if content.startswith(NRRD):
        return plain_nrrd(content, limit), ".nrrd"
    if is_metaimage(content):
        return plain_metaimage(content, limit), ".mha"
    return plain_nifti(content, limit), ".nii"
