"""Content negotiation (PS3.18, 8.7): what the client accepts, held against what is stored."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.core.errors import Refusal

EXPLICIT = "1.2.840.10008.1.2.1"
DICOM = "application/dicom"
JSON = "application/dicom+json"
OCTETS = "application/octet-stream"
ZIP = "application/zip"
MULTIPART = "multipart/related"

# PS3.18, table 8.7.3-5: the media type of a compressed frame.
_JPEG, _JLS, _JP2, _JPX, _RLE = "image/jpeg", "image/jls", "image/jp2", "image/jpx", "image/dicom-rle"
FRAME_TYPES = {
    "1.2.840.10008.1.2.4.50": _JPEG,
    "1.2.840.10008.1.2.4.51": _JPEG,
    "1.2.840.10008.1.2.4.53": _JPEG,
    "1.2.840.10008.1.2.4.55": _JPEG,
    "1.2.840.10008.1.2.4.57": _JPEG,
    "1.2.840.10008.1.2.4.70": _JPEG,
    "1.2.840.10008.1.2.4.80": _JLS,
    "1.2.840.10008.1.2.4.81": _JLS,
    "1.2.840.10008.1.2.4.90": _JP2,
    "1.2.840.10008.1.2.4.91": _JP2,
    "1.2.840.10008.1.2.4.92": _JPX,
    "1.2.840.10008.1.2.4.93": _JPX,
    "1.2.840.10008.1.2.5": _RLE,
}
# Older names of the same types, which clients still send.
_ALIASES = {"image/x-jls": _JLS, "image/x-dicom-rle": _RLE, "image/jpg": _JPEG}

_RANGE = re.compile(r'(?:[^,"]|"[^"]*"?)+')
_PARAMETER = re.compile(r';\s*([^=;\s]+)\s*=\s*("[^"]*"|[^;]*)')


@dataclass(frozen=True)
class MediaRange:
    """One entry of an Accept header."""

    kind: str
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def is_multipart(self) -> bool:
        return self.kind == MULTIPART

    @property
    def content(self) -> str:
        """The media type of what is sent: for multipart, that of its parts."""
        kind = self.parameters.get("type", "*/*").lower() if self.is_multipart else self.kind
        return _ALIASES.get(kind, kind)

    @property
    def syntax(self) -> str:
        return self.parameters.get("transfer-syntax", "")

    @property
    def quality(self) -> float:
        try:
            return float(self.parameters.get("q", "1"))
        except ValueError:
            return 1.0


@dataclass(frozen=True)
class Form:
    """How an answer is sent. An empty transfer syntax leaves each instance as it is stored."""

    media_type: str
    syntax: str
    is_multipart: bool


def media_range(text: str) -> MediaRange:
    """Read one media type with its parameters (RFC 9110, 8.3.1)."""
    kind, semicolon, rest = text.partition(";")
    found = {name.lower(): value.strip().strip('"') for name, value in _PARAMETER.findall(semicolon + rest)}
    return MediaRange(kind.strip().lower(), found)


def accepted(request: HttpRequest) -> tuple[MediaRange, ...]:
    """Return what the client accepts, the most wanted first; the query parameter goes before the header (8.3.3.1)."""
    return _ranked(request.GET.get("accept") or request.META.get("HTTP_ACCEPT") or "*/*")


@lru_cache(64)
def _ranked(header: str) -> tuple[MediaRange, ...]:
    ranges = (media_range(text) for text in _RANGE.findall(header))
    # Of equal quality the order of the client counts, but for "anything", which stands behind all that is named.
    return tuple(sorted((r for r in ranges if r.quality > 0), key=lambda r: (-r.quality, r.kind == "*/*")))


def json_type(request: HttpRequest) -> str:
    """Return the JSON media type to answer with."""
    kinds = {found.kind for found in accepted(request)}
    if kinds & {JSON, "*/*", "application/*"}:
        return JSON
    if "application/json" in kinds:
        return "application/json"
    raise _not_acceptable(_("This is sent as %s only. Accept that type.") % JSON)


def instance_form(request: HttpRequest, stored: set[str], count: int) -> Form:
    """Choose how whole instances are sent: in one transfer syntax, or as they are stored."""
    for found in accepted(request):
        if found.content == ZIP:
            return Form(ZIP, "", is_multipart=False)
        alone = found.kind == DICOM
        if found.content not in {DICOM, "application/*", "*/*"} or (alone and count != 1):
            continue
        if found.syntax == "*" or stored == {found.syntax}:
            return Form(DICOM, "", not alone)
        if found.syntax in {"", EXPLICIT}:
            return Form(DICOM, "" if stored == {EXPLICIT} else EXPLICIT, not alone)
    raise _not_acceptable(
        _(
            "The instances can be sent as multipart/related of application/dicom, one alone as application/dicom, all "
            "as application/zip, in Explicit VR Little Endian or as stored. Accept one of these, for example with "
            "transfer-syntax=*."
        )
    )


def pixel_form(request: HttpRequest, stored: str, count: int) -> Form:
    """Choose how frames are sent: uncompressed, or in the transfer syntax in which they are stored."""
    for found in accepted(request):
        many = found.is_multipart or found.kind == "*/*"
        if count != 1 and not many:
            continue
        chosen = _pixels_as(found.content, found.syntax, stored)
        if chosen is not None:
            return Form(*chosen, many)
    sentence = _(
        "The frames can be sent as application/octet-stream in Explicit VR Little Endian or as stored (%(stored)s), "
        "several of them as multipart/related. Accept one of these, for example with transfer-syntax=*."
    )
    raise _not_acceptable(sentence % {"stored": stored})


def _pixels_as(content: str, syntax: str, stored: str) -> tuple[str, str] | None:
    """Return (media type, transfer syntax) of frames for one accepted type, None where it can't be made."""
    own = FRAME_TYPES.get(stored, OCTETS)
    if content in {OCTETS, "application/*", "*/*"}:
        if syntax in {"", EXPLICIT}:
            return OCTETS, EXPLICIT
        if syntax in {"*", stored}:
            return (own if content == "*/*" else OCTETS), stored
        return None
    if own != OCTETS and content in {own, "image/*"} and syntax in {"", "*", stored}:
        return own, stored
    return None


def image_type(request: HttpRequest, offered: Sequence[str]) -> str:
    """Choose the picture format of a rendered frame; the first one offered is the default."""
    for found in accepted(request):
        if found.kind in {"*/*", "image/*"}:
            return offered[0]
        if found.kind in _ALIASES or found.kind in offered:
            return _ALIASES.get(found.kind, found.kind)
    raise _not_acceptable(_("Pictures are made as %s. Accept one of these.") % ", ".join(offered))


def _not_acceptable(sentence: str) -> Refusal:
    return Refusal("not_acceptable", sentence, status=406)
