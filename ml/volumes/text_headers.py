"""The headers of NRRD and MetaImage files, lines of text before the voxels, and the voxels' compression."""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

# The NRRD spaces that say which way is left, front and up; ITK turns the others to the first.
SPACES = frozenset(
    ("left-posterior-superior", "lps", "right-anterior-superior", "ras", "left-anterior-superior", "las")
)
# Far above any header; what goes on beyond it is none.
_ROOM = 1 << 20
_BLANK_LINE = re.compile(rb"\n\r?\n")
# The last field of a MetaImage header; the voxels begin behind its line.
_LAST_FIELD = re.compile(rb"^ElementDataFile[ \t]*[=:][^\r\n]*(?:\r?\n|\Z)", re.MULTILINE)
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


@dataclass(frozen=True)
class TextHeader:
    """What a header says.

    Parameters
    ----------
    fields
        Field by name: of NRRD in lower case without blanks, of MetaImage as written. Comments and the pairs of keys
        and values that NRRD knows beside its fields are left out.
    start
        Where the voxels begin in the file.
    is_attached
        Whether the voxels are in the same file. Where not, the header names a path, which must not be opened.
    is_packed
        Whether they are compressed, by gzip or zlib.
    """

    fields: Mapping[str, str]
    start: int
    is_attached: bool
    is_packed: bool


def nrrd_header(data: bytes) -> TextHeader | None:
    """Read a NRRD header (teem.sourceforge.net/nrrd/format.html); None if there is none."""
    end = _BLANK_LINE.search(data, 0, _ROOM)
    if not data.startswith(b"NRRD000") or (end is None and len(data) > _ROOM):
        return None
    start = end.end() if end else len(data)  # a header alone, its voxels elsewhere, may do without the blank line
    lines = data[:start].decode("latin-1").splitlines()[1:]
    pairs = (line.split(": ", 1) for line in lines if ": " in line and not line.startswith("#"))
    # The colon of a field comes first; "key:=value" may hold another one.
    fields = {name.replace(" ", "").lower(): text.strip() for name, text in pairs if ":=" not in name}
    return TextHeader(fields, start, "datafile" not in fields, fields.get("encoding", "").lower() in ("gzip", "gz"))


def metaimage_header(data: bytes) -> TextHeader | None:
    """Read the header of a MetaImage (itk.org/Wiki/ITK/MetaIO/Documentation); None if there is none."""
    end = _LAST_FIELD.search(data, 0, _ROOM)
    if end is None:
        return None
    lines = data[: end.end()].decode("latin-1").splitlines()
    pairs = (re.split("[=:]", line, maxsplit=1) for line in lines if re.search("[=:]", line))
    fields = {name.strip(): text.strip() for name, text in pairs}
    is_attached = fields["ElementDataFile"].upper() == "LOCAL"
    return TextHeader(fields, end.end(), is_attached, is_true(fields.get("CompressedData", "")))


def is_true(text: str) -> bool:
    """Tell whether MetaImage takes a text for a yes."""
    return text[:1] in {"T", "t", "1"}


def unpack(packed: bytes, limit: int) -> bytes | None:
    """Unpack gzip or zlib, at most a byte more than `limit`; None where it is damaged or cut short."""
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        data = inflater.decompress(packed, limit + 1)
    except zlib.error:
        return None
    return data if inflater.eof or len(data) > limit else None
