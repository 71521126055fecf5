"""Taking identity out of a NIfTI file before it touches the disk, within bounds."""

import gzip
import struct
import zlib
from io import BytesIO

from django.utils.translation import gettext as _

from apps.core.errors import Refusal
from ml.volumes import Geometry, MaskError

GZIP = b"\x1f\x8b"
# The widest voxel that the standard knows for one number, and room for the header and its extensions.
_WIDEST_VOXEL = 8
_HEADER_ROOM = 1 << 20
# Places in the header of NIfTI-1 (nifti1.h). ITK reads no other version.
_HEADER_SIZE = 348
_MAGIC = slice(344, 348)
_VOXEL_OFFSET = 108
# data_type, db_name, extents, session_error and regular; descrip and aux_file; intent_name
_FREE_TEXT = (slice(4, 39), slice(148, 252), slice(328, 344))


def plain_nifti(content: bytes, grid: Geometry) -> bytes:
    """Return a NIfTI file unpacked, without its free text and its extensions, which may hold a whole DICOM header.

    Raises MaskError (no NIfTI file, damaged) and Refusal (larger than any mask of this CT).
    """
    slices, rows, columns = grid.shape
    limit = slices * rows * columns * _WIDEST_VOXEL + _HEADER_ROOM
    data = _unpacked(content, limit) if content.startswith(GZIP) else content
    if len(data) > limit:
        raise Refusal(
            "mask_too_large",
            _("The file is larger than any mask of this CT can be. Draw it on this CT series and save it as .nii.gz."),
        )
    return _stripped(data)


def _unpacked(content: bytes, limit: int) -> bytes:
    """Unpack at most a byte more than `limit`."""
    try:
        with gzip.GzipFile(fileobj=BytesIO(content)) as stream:
            return stream.read(limit + 1)
    except (OSError, EOFError, zlib.error):
        raise MaskError("mask_incomplete", _("The mask file is damaged or cut short: save or send it again.")) from None


def _stripped(data: bytes) -> bytes:
    order = next((sign for sign in "<>" if data[:4] == struct.pack(f"{sign}i", _HEADER_SIZE)), None)
    if order is None or data[_MAGIC] != b"n+1\0":
        raise _not_nifti()
    start = struct.unpack_from(f"{order}f", data, _VOXEL_OFFSET)[0]
    if not _HEADER_SIZE + 4 <= start <= len(data):  # false for "not a number" too
        raise _not_nifti()
    header = bytearray(data[:_HEADER_SIZE])
    for text in _FREE_TEXT:
        header[text] = bytes(text.stop - text.start)
    struct.pack_into(f"{order}f", header, _VOXEL_OFFSET, _HEADER_SIZE + 4)
    return bytes(header) + bytes(4) + data[int(start) :]


def _not_nifti() -> MaskError:
    return MaskError(
        "not_nifti",
        _("The mask cannot be read as a NIfTI image: save the segmentation as .nii.gz, as ITK-SNAP does."),
    )
