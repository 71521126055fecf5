"""NIfTI without its free text and its extensions, which may hold a whole DICOM header."""

import gzip
import math
import struct
import zlib
from io import BytesIO

from apps.annotation.formats import refusals

GZIP = b"\x1f\x8b"
# Places in the header of NIfTI-1 (nifti1.h). ITK reads no other version.
_HEADER_SIZE = 348
_MAGIC = slice(344, 348)
_DIMENSIONS = 40
_DATATYPE = 70
_VOXEL_OFFSET = 108
# data_type, db_name, extents, session_error and regular; descrip and aux_file; intent_name
_FREE_TEXT = (slice(4, 39), slice(148, 252), slice(328, 344))
# Bytes of a voxel by the code of its type, colors too: they are refused with a sentence of their own.
_BYTES_OF = {2: 1, 4: 2, 8: 4, 16: 4, 32: 8, 64: 8, 128: 3, 256: 1, 512: 2, 768: 4, 1024: 8, 1280: 8, 1792: 16, 2304: 4}


def plain_nifti(content: bytes, limit: int) -> bytes:
    """Return a NIfTI file unpacked, of its grid, its type and its voxels alone.

    Raises MaskError (``not_a_mask``, ``mask_incomplete``) and Refusal (``mask_too_large``).
    """
    data = _unpacked(content, limit) if content.startswith(GZIP) else content
    if len(data) > limit:
        raise refusals.too_large()
    return _stripped(data)


def _unpacked(content: bytes, limit: int) -> bytes:
    """Unpack at most a byte more than `limit`."""
    try:
        with gzip.GzipFile(fileobj=BytesIO(content)) as stream:
            return stream.read(limit + 1)
    except (OSError, EOFError, zlib.error):
        raise refusals.incomplete() from None


def _stripped(data: bytes) -> bytes:
    order = next((sign for sign in "<>" if data[:4] == struct.pack(f"{sign}i", _HEADER_SIZE)), None)
    if order is None or data[_MAGIC] != b"n+1\0":
        raise refusals.not_a_mask()
    start = struct.unpack_from(f"{order}f", data, _VOXEL_OFFSET)[0]
    if not _HEADER_SIZE + 4 <= start <= len(data):  # false for "not a number" too
        raise refusals.not_a_mask()
    header = bytearray(data[:_HEADER_SIZE])
    for text in _FREE_TEXT:
        header[text] = bytes(text.stop - text.start)
    struct.pack_into(f"{order}f", header, _VOXEL_OFFSET, _HEADER_SIZE + 4)
    return bytes(header) + bytes(4) + data[int(start) : int(start) + _voxel_bytes(data, order)]


def _voxel_bytes(data: bytes, order: str) -> int:
    """Return how many bytes the voxels take by the header; what stands behind them is none of them."""
    count, *lengths = struct.unpack_from(f"{order}8h", data, _DIMENSIONS)
    (datatype,) = struct.unpack_from(f"{order}h", data, _DATATYPE)
    if not 1 <= count <= 7 or datatype not in _BYTES_OF:
        raise refusals.not_a_mask()
    voxels: int = math.prod(max(length, 1) for length in lengths[:count])
    return voxels * _BYTES_OF[datatype]
