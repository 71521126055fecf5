"""Compressed pictures without the text that their streams may carry: comments, application data, and what lies behind.

JPEG and JPEG-LS: ITU-T T.81 annex B and T.87 annex C; JPEG 2000: ITU-T T.800 annex A. A marker of the coded data itself
cannot occur inside it, as each of these codes keeps such bytes from arising.
"""

import struct

_SOI, _EOI, _SOS = 0xFFD8, 0xFFD9, 0xFFDA
_JPEG_TEXT = frozenset({0xFFFE, *range(0xFFE0, 0xFFF0)})
_SOC, _SOT, _SOD, _EOC = 0xFF4F, 0xFF90, 0xFF93, 0xFFD9
_J2K_TEXT = frozenset({0xFF64})
_PART_LENGTH = 6  # place of Psot in a SOT segment, behind the marker


class DamagedStreamError(Exception):
    """The stream does not follow its standard."""


def strip_text(frame: bytes) -> bytes:
    """Return a frame without comments and application data, ended where its picture ends.

    Raises DamagedStreamError.
    """
    start = _word(frame, 0)
    if start == _SOI:
        return _strip_jpeg(frame)
    if start == _SOC:
        return _strip_j2k(frame)
    raise DamagedStreamError


def _strip_jpeg(frame: bytes) -> bytes:
    kept = [frame[:2]]
    place = 2
    while True:
        marker, end = _segment(frame, place)
        if marker == _EOI:
            return _even(b"".join([*kept, frame[place : place + 2]]))
        if marker not in _JPEG_TEXT:
            kept.append(frame[place:end])
        place = end
        if marker == _SOS:
            # Behind the head of a scan come its coded data, up to the next marker that is no restart.
            place = _end_of_scan(frame, end)
            kept.append(frame[end:place])


def _end_of_scan(frame: bytes, place: int) -> int:
    while True:
        place = frame.find(b"\xff", place)
        if place < 0 or place + 1 >= len(frame):
            raise DamagedStreamError
        follower = frame[place + 1]
        # T.81: FF00 is a stuffed FF, FFD0 to FFD7 restarts; T.87: below 0x80 it is stuffed data.
        if follower >= 0x80 and follower != 0xFF and not 0xD0 <= follower <= 0xD7:
            return place
        place += 1 if follower == 0xFF else 2


def _strip_j2k(frame: bytes) -> bytes:
    kept, place = _head(frame, 2, _SOT)
    out = [frame[:2], kept]
    while _word(frame, place) == _SOT:
        part, place = _tile_part(frame, place)
        out.append(part)
    if _word(frame, place) != _EOC:
        raise DamagedStreamError
    return _even(b"".join([*out, frame[place : place + 2]]))


def _tile_part(frame: bytes, place: int) -> tuple[bytes, int]:
    """Return one tile part without comments in its head, and where the next begins."""
    _, end = _segment(frame, place)
    (length,) = struct.unpack_from(">I", frame, place + _PART_LENGTH)
    # Zero: it reaches to the end of the picture.
    over = place + length if length else frame.rindex(b"\xff\xd9")
    if not end <= over <= len(frame):
        raise DamagedStreamError
    head, data = _head(frame, end, _SOD)
    start = bytearray(frame[place:end])
    if length:
        struct.pack_into(">I", start, _PART_LENGTH, len(start) + len(head) + over - data)
    return bytes(start) + head + frame[data:over], over


def _head(frame: bytes, place: int, last: int) -> tuple[bytes, int]:
    """Return the segments up to the marker `last` without comments, and that marker's place."""
    kept = []
    while (marker := _word(frame, place)) != last:
        _, end = _segment(frame, place)
        if marker not in _J2K_TEXT:
            kept.append(frame[place:end])
        place = end
    return b"".join(kept), place


def _segment(frame: bytes, place: int) -> tuple[int, int]:
    """Return the marker at a place, and where its segment ends."""
    marker = _word(frame, place)
    while marker == 0xFFFF:  # fill bytes
        place += 1
        marker = _word(frame, place)
    if marker < 0xFF00:
        raise DamagedStreamError
    end = place + 2 if marker == _EOI else place + 2 + _word(frame, place + 2)
    if end > len(frame):
        raise DamagedStreamError
    return marker, end


def _word(frame: bytes, place: int) -> int:
    if place + 2 > len(frame):
        raise DamagedStreamError
    return int.from_bytes(frame[place : place + 2], "big")


def _even(frame: bytes) -> bytes:
    return frame + b"\0" * (len(frame) % 2)
