"""What the formats with a header of text have in common: numbers written anew, and voxels within bounds."""

import math
from collections.abc import Sequence

from apps.annotation.formats import refusals
from ml.volumes.text_headers import TextHeader, unpack


def lengths(text: str, count: int) -> list[int]:
    """Read so many lengths of axes; ValueError where they are none."""
    found = [int(word) for word in text.split()]
    if len(found) != count or min(found, default=0) < 1:
        raise ValueError
    return found


def numbers(text: str, count: int, *, separator: str | None = None) -> list[float]:
    """Read so many finite numbers; ValueError where they are none."""
    found = [float(word) for word in text.split(separator)]
    if len(found) != count or not all(map(math.isfinite, found)):
        raise ValueError
    return found


def written(values: Sequence[float], separator: str = " ") -> str:
    """Write numbers so that they are read the same."""
    return separator.join(map(repr, values))


def voxels(content: bytes, header: TextHeader, needed: int, limit: int) -> bytes:
    """Return the bytes of the voxels, unpacked, and nothing of what stands behind them."""
    if needed > limit:
        raise refusals.too_large()
    data: bytes | None = content[header.start :]
    if header.is_packed:
        data = unpack(content[header.start :], limit)
        if data is not None and len(data) > limit:
            raise refusals.too_large()
    if data is None or len(data) < needed:
        raise refusals.incomplete()
    return data[:needed]
