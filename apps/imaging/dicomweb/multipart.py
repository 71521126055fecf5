"""multipart/related (RFC 2387): writing answers, and reading requests without letting a byte touch the disk."""

import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpResponse
from django.utils.translation import gettext as _

from apps.core.errors import Refusal

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,199}[0-9A-Za-z'()+_,./:=?-]")
_MAX_HEAD = 8192


@dataclass(frozen=True)
class Part:
    """One part of a request: the media type that it claims, and its bytes."""

    content_type: str
    content: bytes


class Writer:
    """The frame around the parts of one answer."""

    def __init__(self, part_type: str) -> None:
        # Random, so that no content can hold it by intent or by chance.
        boundary = secrets.token_hex(16)
        media_type = part_type.partition(";")[0]
        self.content_type = f'multipart/related; type="{media_type}"; boundary={boundary}'
        self.head = f"--{boundary}\r\nContent-Type: {part_type}\r\n\r\n".encode()
        self.tail = b"\r\n"
        self.end = f"--{boundary}--\r\n".encode()

    def length(self, sizes: Sequence[int]) -> int:
        """Return the bytes of the whole body for parts of these sizes."""
        return sum(sizes) + len(sizes) * (len(self.head) + len(self.tail)) + len(self.end)

    def body(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the body piece by piece."""
        return self.body_of_pieces([part] for part in parts)

    def body_of_pieces(self, parts: Iterable[Iterable[bytes]]) -> Iterator[bytes]:
        """Yield the body where each part comes as the pieces of which it is made."""
        before = self.head
        for part in parts:
            yield before
            yield from part
            before = self.tail + self.head
        yield self.tail + self.end


def answer(parts: Iterable[bytes], part_type: str) -> HttpResponse:
    """Return a whole multipart response."""
    writer = Writer(part_type)
    return HttpResponse(b"".join(writer.body(parts)), content_type=writer.content_type)


def parse(body: bytes, boundary: str) -> list[Part]:
    """Split a request body; Refusal where it is malformed or cut short."""
    if not _BOUNDARY.fullmatch(boundary):
        raise _malformed(_("The boundary of the multipart message is missing or not valid. Name it in Content-Type."))
    mark = b"--" + boundary.encode()
    # A delimiter begins a line; so does the first one, which stands at the very start or after a preamble.
    position = 0 if body.startswith(mark) else body.find(b"\r\n" + mark) + 2
    if position == 1:
        raise _malformed(_("The boundary that Content-Type names does not stand in the message. Send it again."))
    delimiter, parts = b"\r\n" + mark, []
    position += len(mark)
    while not body.startswith(b"--", position):
        end = body.find(delimiter, position)
        if end < 0:
            raise _malformed(_("The message ends before its last boundary: it was cut short. Send it again."))
        parts.append(_part(body, position, end))
        if len(parts) > settings.UPLOAD_MAX_FILES:
            sentence = _("The message holds more than %d instances. Send one series at a time.")
            raise Refusal("too_many_files", sentence % settings.UPLOAD_MAX_FILES, status=413)
        position = end + len(delimiter)
    return parts


def _part(body: bytes, start: int, end: int) -> Part:
    """Take one part apart; `start` lies behind its delimiter, where padding and the line's end stand."""
    stop = body.find(b"\r\n\r\n", start, min(end, start + _MAX_HEAD))
    if stop < 0 or body[start : body.find(b"\r\n", start)].strip(b" \t"):
        raise _malformed(_("A part of the multipart message has no header. Give each part its Content-Type."))
    content_type = ""
    for line in body[start:stop].split(b"\r\n"):
        name, _colon, value = line.partition(b":")
        if name.strip().lower() == b"content-type":
            content_type = value.strip().decode("latin-1")
    return Part(content_type, body[stop + 4 : end])


def _malformed(sentence: str) -> Refusal:
    return Refusal("multipart_malformed", sentence, status=400)
