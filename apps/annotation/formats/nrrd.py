"""NRRD (``.nrrd``, ``.seg.nrrd``) without its comments, its keys and values, and fields that say nothing of place."""

import math
import re
from collections.abc import Mapping

from apps.annotation.formats import refusals
from apps.annotation.formats.text import lengths, numbers, voxels, written
from ml.volumes import MaskError
from ml.volumes.text_headers import SPACES, nrrd_header

NRRD = b"NRRD"
# Names of types by their bytes (teem.sourceforge.net/nrrd/format.html, section 5).
_NAMES = {
    1: "signed char,int8,int8_t,uchar,unsigned char,uint8,uint8_t",
    2: "short,short int,signed short,signed short int,int16,int16_t,"
    "ushort,unsigned short,unsigned short int,uint16,uint16_t",
    4: "int,signed int,int32,int32_t,uint,unsigned int,uint32,uint32_t,float",
    8: "longlong,long long,long long int,signed long long,signed long long int,int64,int64_t,"
    "ulonglong,unsigned long long,unsigned long long int,uint64,uint64_t,double",
}
_BYTES_OF = {name: width for width, names in _NAMES.items() for name in names.split(",")}
_ENDIAN = {"little": "little", "big": "big"}
_DIRECTION = re.compile(r"none|\([^()]*\)")
# An axis of several numbers a voxel that are segments, not colors.
_LAYERS = ("", "list", "none", "???")


def plain_nrrd(content: bytes, limit: int) -> bytes:
    """Return a NRRD unpacked, of its grid, its type and its voxels alone.

    Raises MaskError (``not_a_mask``, ``mask_detached``, ``mask_encoding``, ``mask_layers``, ``mask_not_labels``,
    ``mask_other_grid``, ``mask_incomplete``) and Refusal (``mask_too_large``).
    """
    header = nrrd_header(content)
    if header is None:
        raise refusals.not_a_mask()
    if not header.is_attached:
        raise refusals.detached()
    if not header.is_packed and header.fields.get("encoding", "").lower() != "raw":
        raise refusals.other_encoding()
    if header.fields.get("space", "").lower() not in SPACES:
        raise refusals.unplaced()
    try:
        plain, needed = _plain_header(header.fields)
    except MaskError:
        raise
    except (KeyError, ValueError):
        raise refusals.not_a_mask() from None
    return plain + voxels(content, header, needed, limit)


def _plain_header(fields: Mapping[str, str]) -> tuple[bytes, int]:
    """Write the header anew; return it and the bytes that its voxels take. KeyError or ValueError where it is none."""
    if int(fields.get("byteskip", "0")) or int(fields.get("lineskip", "0")):
        raise ValueError
    sizes, directions = _axes(fields)
    kind = fields["type"].lower()
    needed = math.prod(sizes) * _BYTES_OF[kind]
    lines = [
        "NRRD0004",
        f"type: {kind}",
        "dimension: 3",
        f"space: {fields['space'].lower()}",
        f"sizes: {written(sizes)}",
        f"space directions: {' '.join(map(_vector, directions))}",
        "encoding: raw",
        f"space origin: {_vector(fields['spaceorigin'])}",
    ]
    if _BYTES_OF[kind] > 1:
        lines.append(f"endian: {_ENDIAN[fields['endian'].lower()]}")
    return "\n".join([*lines, "", ""]).encode("ascii"), needed


def _axes(fields: Mapping[str, str]) -> tuple[list[int], list[str]]:
    """Return size and direction of the three axes in space; a fourth may hold one layer of segments, no more."""
    directions = _DIRECTION.findall(fields["spacedirections"])
    sizes = lengths(fields["sizes"], int(fields["dimension"]))
    kinds = fields.get("kinds", "").lower().split() or [""] * len(sizes)
    axes = list(zip(sizes, directions, kinds, strict=True))
    for size, direction, kind in axes:
        if direction == "none" and size > 1:
            raise refusals.layered() if kind in _LAYERS else refusals.not_labels()
    placed = [(size, direction) for size, direction, _ in axes if direction != "none"]
    if len(placed) != 3:
        raise ValueError
    return [size for size, _ in placed], [direction for _, direction in placed]


def _vector(text: str) -> str:
    return f"({written(numbers(text.strip().removeprefix('(').removesuffix(')'), 3, separator=','), ',')})"
