"""Taking identity out of a NIfTI file before it touches the disk, within bounds."""

import gzip
import struct
import zlib
from dataclasses import dataclass
from io import BytesIO

from apps.core.errors import Refusal
from ml.volumes import Geometry, MaskError

GZIP = b"\x1f\x8b"
# The widest voxel that the standard knows for one number, and room for the header and its extensions.
_WIDEST_VOXEL = 8
_HEADER_ROOM = 1 << 20


@dataclass(frozen=True)
class _Layout:
    """Where the header of one version of NIfTI keeps its size, its mark, the start of the voxels, and free text."""

    size: int
    magic: tuple[int, bytes]
    voxel_offset: tuple[int, str]
    free_text: tuple[slice, ...]


# data_type, db_name and regular; descrip and aux_file; intent_name (nifti1.h and nifti2.h)
_LAYOUTS = (
    _Layout(348, (344, b"n+1\0"), (108, "f"), (slice(4, 39), slice(148, 252), slice(328, 344))),
    _Layout(540, (4, b"n+2\0"), (168, "q"), (slice(240, 344), slice(508, 524), slice(525, 540))),
)


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
            "The file is larger than any mask of this CT can be. Draw it on this CT series and save it as .nii.gz.",
        )
    return _stripped(data)


def _unpacked(content: bytes, limit: int) -> bytes:
    """Unpack at most a byte more than `limit`."""
    try:
        with gzip.GzipFile(fileobj=BytesIO(content)) as stream:
            return stream.read(limit + 1)
    except (OSError, EOFError, zlib.error):
        raise MaskError("mask_incomplete", "The mask file is damaged or cut short: save or send it again.") from None


def _stripped(data: bytes) -> bytes:
    for layout in _LAYOUTS:
        place, mark = layout.magic
        if data[place : place + len(mark)] != mark:
            continue
        order = next((sign for sign in "<>" if data[:4] == struct.pack(f"{sign}i", layout.size)), None)
        if order is None:
            continue
        offset, kind = layout.voxel_offset
        start = struct.unpack_from(order + kind, data, offset)[0]
        if not layout.size + 4 <= start <= len(data):
            continue
        header = bytearray(data[: layout.size])
        for text in layout.free_text:
            header[text] = bytes(text.stop - text.start)
        struct.pack_into(order + kind, header, offset, layout.size + 4)
        return bytes(header) + bytes(4) + data[int(start) :]
    raise MaskError(
        "not_nifti", "The mask cannot be read as a NIfTI image: save the segmentation as .nii.gz, as ITK-SNAP does."
    )
