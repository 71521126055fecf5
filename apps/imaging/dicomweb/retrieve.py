"""WADO-RS (PS3.18, 10.4): instances, their metadata, frames and bulk data."""

import gzip
import hashlib
import zipfile
from collections.abc import Iterable, Iterator
from io import RawIOBase
from itertools import chain
from typing import Any

from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotModified,
    StreamingHttpResponse,
)
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from django.utils.translation import gettext as _

from apps.core import store
from apps.core.errors import Refusal
from apps.imaging.dicomweb import frames as pixels
from apps.imaging.dicomweb.access import visible
from apps.imaging.dicomweb.multipart import Writer, answer
from apps.imaging.dicomweb.negotiation import EXPLICIT, ZIP, Form, instance_form, json_type, pixel_form
from apps.imaging.dicomweb.objects import Stored, rows_at, stored_at
from apps.imaging.models import SeriesMetadata

_PIXEL_DATA = "7FE00010"


def instances(
    request: HttpRequest, study: str, series: str | None = None, instance: str | None = None
) -> HttpResponseBase:
    """Send whole instances: of a study, of a series, or one."""
    found = stored_at(request, study=study, series=series, instance=instance)
    form = instance_form(request, {row.syntax for row in found}, len(found))
    etag = etag_of(form, *(row.sha256 for row in found))
    if is_known(request, etag):
        return not_modified(etag)
    if form.media_type == ZIP:
        return tagged(StreamingHttpResponse(_zipped(found), content_type=ZIP), etag)
    if form.syntax == EXPLICIT:
        # Decoded before the first byte goes out: what can't be is still answered with a sentence.
        decoded = [pixels.explicit(row.file) for row in found]
        sizes = [len(content) for content in decoded]
        return tagged(_dicom(([content] for content in decoded), sizes, EXPLICIT, form), etag)
    syntaxes = {row.syntax for row in found}
    contents = (pixels.pieces(row.file) for row in found)
    syntax = syntaxes.pop() if len(syntaxes) == 1 else ""
    return tagged(_dicom(contents, [row.size for row in found], syntax, form), etag)


def _dicom(contents: Iterable[Iterable[bytes]], sizes: list[int], syntax: str, form: Form) -> HttpResponseBase:
    part_type = f"{form.media_type};transfer-syntax={syntax}" if syntax else form.media_type
    if not form.is_multipart:
        return HttpResponse(b"".join(chain.from_iterable(contents)), content_type=part_type)
    writer = Writer(part_type)
    response = StreamingHttpResponse(writer.body_of_pieces(contents), content_type=writer.content_type)
    response["Content-Length"] = writer.length(sizes)
    return response


class _Sink(RawIOBase):
    """Takes what the ZIP writer writes, until it is sent."""

    def __init__(self) -> None:
        self.waiting: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.waiting.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken, self.waiting = b"".join(self.waiting), []
        return taken


def _zipped(found: list[Stored]) -> Iterator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for row in found:
            archive.writestr(f"{row.series_uid}/{row.uid}.dcm", store.get(row.file))
            yield sink.take()
    yield sink.take()


def study_metadata(request: HttpRequest, study: str) -> HttpResponseBase:
    """Send the metadata of all instances of a study."""
    scope = visible(request, "series__study__center")
    rows = SeriesMetadata.objects.filter(scope, series__study__study_instance_uid=study)
    found = list(rows.order_by("series__number", "series_id").values_list("content", "etag"))
    if len(found) == 1:
        return _metadata(request, *found[0])
    if not found:
        raise Http404
    etag = hashlib.sha256("".join(etag for _content, etag in found).encode()).hexdigest()[:32]
    # Each series' JSON is an array: their insides joined make one.
    insides = (gzip.decompress(content).strip()[1:-1] for content, _etag in found)
    joined = b"[" + b",".join(inside for inside in insides if inside) + b"]"
    return _metadata(request, gzip.compress(joined, compresslevel=1, mtime=0), etag)


def series_metadata(request: HttpRequest, study: str, series: str) -> HttpResponseBase:
    """Send the metadata of a series, prepared when it was stored."""
    rows = SeriesMetadata.objects.filter(
        visible(request, "series__study__center"),
        series__series_instance_uid=series,
        series__study__study_instance_uid=study,
    )
    found = list(rows.values_list("content", "etag")[:1])
    if not found:
        raise Http404
    return _metadata(request, *found[0])


def _metadata(request: HttpRequest, content: bytes | memoryview, etag: str) -> HttpResponseBase:
    content_type = json_type(request)
    etag = f'W/"{etag}"'  # weak: packed and unpacked are one and the same to a reader
    if is_known(request, etag):
        return not_modified(etag)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        response = HttpResponse(content, content_type=content_type)
        response["Content-Encoding"] = "gzip"
    else:
        response = HttpResponse(gzip.decompress(content), content_type=content_type)
    patch_vary_headers(response, ["Accept", "Accept-Encoding"])
    return tagged(response, etag)


def instance_metadata(request: HttpRequest, study: str, series: str, instance: str) -> HttpResponseBase:
    """Send one instance's metadata, with the address of its pixels."""
    content_type = json_type(request)
    found = list(rows_at(request, study, series, instance).values_list("metadata", "sha256")[:1])
    if not found:
        raise Http404
    text, digest = found[0]
    etag = etag_of("metadata", digest)
    if is_known(request, etag):
        return not_modified(etag)
    address = request.build_absolute_uri(request.path.removesuffix("metadata") + f"bulkdata/{_PIXEL_DATA}")
    pixel_data = f',"{_PIXEL_DATA}":{{"vr":"OW","BulkDataURI":"{address}"}}}}'
    return tagged(HttpResponse(f"[{text.rstrip()[:-1]}{pixel_data}]", content_type=content_type), etag)


def frames(request: HttpRequest, study: str, series: str, instance: str, numbers: str) -> HttpResponseBase:
    """Send frames of an instance, counted from 1."""
    row = pixel_row(request, study, series, instance)
    indices = frame_indices(numbers, row["frames"])
    form = pixel_form(request, row["transfer_syntax_uid"], len(indices))
    return _pixels(request, form, row, indices, together=False)


def bulkdata(request: HttpRequest, study: str, series: str, instance: str, tag: str = _PIXEL_DATA) -> HttpResponseBase:
    """Send the one bulk data of an instance, its pixels: uncompressed in one piece, compressed frame by frame."""
    row = pixel_row(request, study, series, instance)
    if tag.upper() != _PIXEL_DATA:
        raise Http404
    form = pixel_form(request, row["transfer_syntax_uid"], 1)
    return _pixels(request, form, row, list(range(row["frames"])), together=form.syntax == EXPLICIT)


def pixel_row(request: HttpRequest, study: str, series: str, instance: str) -> dict[str, Any]:
    """Return what reading the pixels of one instance needs, or raise Http404."""
    rows = rows_at(request, study, series, instance)
    found = list(rows.values("file", "sha256", "transfer_syntax_uid", "frames", "frame_parts")[:1])
    if not found:
        raise Http404
    return dict(found[0])


def frame_indices(numbers: str, count: int) -> list[int]:
    """Read a list of frame numbers; Http404 for a frame that there is not."""
    texts = numbers.split(",")
    if not all(text.isascii() and text.isdigit() and len(text) < 10 for text in texts) or len(texts) > count:
        sentence = _("Frames are named by whole numbers from 1, each once, with commas between them.")
        raise Refusal("frames_not_understood", sentence, status=400)
    if not all(1 <= int(text) <= count for text in texts):
        raise Http404
    return [int(text) - 1 for text in texts]


def _pixels(
    request: HttpRequest, form: Form, row: dict[str, Any], indices: list[int], *, together: bool
) -> HttpResponseBase:
    etag = etag_of(form, row["sha256"], indices, together)
    if is_known(request, etag):
        return not_modified(etag)
    if together and row["transfer_syntax_uid"] == EXPLICIT:
        # Frames of bits are packed without a gap here, and each from a byte on when they are sent one by one.
        contents = [pixels.load(row["file"]).PixelData]
    else:
        contents = _contents(form, row, indices)
        contents = [b"".join(contents)] if together else contents
    part_type = f"{form.media_type};transfer-syntax={form.syntax}"
    if form.is_multipart or len(contents) != 1:
        return tagged(answer(contents, part_type), etag)
    return tagged(HttpResponse(contents[0], content_type=part_type), etag)


def _contents(form: Form, row: dict[str, Any], indices: list[int]) -> list[bytes]:
    file, parts, stored = row["file"], row["frame_parts"], row["transfer_syntax_uid"]
    if form.syntax != stored:
        return pixels.decoded(file, indices)
    if parts:
        return pixels.read_parts(file, [parts[index] for index in indices])
    return pixels.decoded(file, indices) if stored == EXPLICIT else pixels.encapsulated(file, indices, row["frames"])


def etag_of(*what: object) -> str:
    """Return the ETag of an answer made of immutable parts."""
    return '"' + hashlib.sha256(repr(what).encode()).hexdigest()[:32] + '"'


def is_known(request: HttpRequest, etag: str) -> bool:
    """Say whether the client holds this very answer (RFC 9110, 13.1.2: weak comparison)."""
    given = request.headers.get("If-None-Match", "")
    known = {tag.removeprefix("W/") for tag in parse_etags(given)} if given else set()
    return etag.removeprefix("W/") in known or known == {"*"}


def not_modified(etag: str) -> HttpResponseBase:
    return tagged(HttpResponseNotModified(), etag)


def tagged(response: HttpResponseBase, etag: str) -> HttpResponseBase:
    response["ETag"] = etag
    return response
