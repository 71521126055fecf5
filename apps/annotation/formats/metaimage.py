"""MetaImage (``.mha``) without its free fields: Comment, Name, ID and whatever a program adds."""

import math
import re
from collections.abc import Mapping

from apps.annotation.formats import refusals
from apps.annotation.formats.text import lengths, numbers, voxels, written
from ml.volumes.text_headers import is_true, metaimage_header

# The fields with which programs begin.
_BEGINNING = re.compile(rb"(ObjectType|Comment|NDims)[ \t]*=")
_BYTES_OF = {
    "MET_CHAR": 1, "MET_UCHAR": 1, "MET_SHORT": 2, "MET_USHORT": 2, "MET_INT": 4, "MET_UINT": 4, "MET_LONG": 4,
    "MET_ULONG": 4, "MET_LONG_LONG": 8, "MET_ULONG_LONG": 8, "MET_FLOAT": 4, "MET_DOUBLE": 8,
}  # fmt: skip


def is_metaimage(content: bytes) -> bool:
    """Tell a MetaImage by its first bytes."""
    return _BEGINNING.match(content) is not None


def plain_metaimage(content: bytes, limit: int) -> bytes:
    """Return a MetaImage unpacked, of its grid, its type and its voxels alone.

    Raises MaskError (``not_a_mask``, ``mask_detached``, ``mask_encoding``, ``mask_not_labels``, ``mask_incomplete``)
    and Refusal (``mask_too_large``).
    """
    header = metaimage_header(content)
    if header is None:
        raise refusals.not_a_mask()
    if not header.is_attached:
        raise refusals.detached()
    if not is_true(header.fields.get("BinaryData", "")):
        raise refusals.other_encoding()
    if header.fields.get("ElementNumberOfChannels", "1") != "1":
        raise refusals.not_labels()
    try:
        plain, needed = _plain_header(header.fields)
    except (KeyError, ValueError):
        raise refusals.not_a_mask() from None
    return plain + voxels(content, header, needed, limit)


def _plain_header(fields: Mapping[str, str]) -> tuple[bytes, int]:
    """Write the header anew; return it and the bytes that its voxels take. KeyError or ValueError where it is none."""
    count = int(fields["NDims"])
    if not 2 <= count <= 4 or int(fields.get("HeaderSize", "0")):
        raise ValueError
    sizes, kind = lengths(fields["DimSize"], count), fields["ElementType"]
    is_big_endian = is_true(fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "")))
    lines = (
        "ObjectType = Image",
        f"NDims = {count}",
        "BinaryData = True",
        f"BinaryDataByteOrderMSB = {is_big_endian}",
        "CompressedData = False",
        f"TransformMatrix = {written(numbers(fields['TransformMatrix'], count * count))}",
        f"Offset = {written(numbers(fields['Offset'], count))}",
        f"ElementSpacing = {written(numbers(fields['ElementSpacing'], count))}",
        f"DimSize = {written(sizes)}",
        f"ElementType = {kind}",
        "ElementDataFile = LOCAL\n",
    )
    return "\n".join(lines).encode("ascii"), math.prod(sizes) * _BYTES_OF[kind]
