"""The bytes of frames and of whole instances: as they are stored where that serves, decoded where it must be."""

from collections.abc import Iterator, Sequence
from io import BytesIO

import pydicom
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pack_bits, pixel_array

from apps.core import store
from apps.core.errors import Refusal
from apps.imaging.dicomweb.negotiation import EXPLICIT

Parts = Sequence[Sequence[Sequence[int]]]


def read_parts(file: str, frames: Parts) -> list[bytes]:
    """Read frames by where they lie in their file, and nothing else of it."""
    return [b"".join(store.read_range(file, *part) for part in parts) for parts in frames]


def pieces(file: str) -> Iterator[bytes]:
    """Yield a stored file in pieces small enough that memory is used again: half the time of a whole file at once."""
    with default_storage.open(file) as opened:
        yield from opened.chunks()


def decoded(file: str, indices: Sequence[int]) -> list[bytes]:
    """Return frames (counted from 0) uncompressed, little endian, in the bits that their header allots."""
    dataset = load(file)
    return [_decoded(dataset, index) for index in indices]


def _decoded(dataset: Dataset, index: int) -> bytes:
    try:
        pixels = pixel_array(dataset, index=index)
    except Exception:  # each decoder has errors of its own
        raise undecodable() from None
    return pack_bits(pixels, pad=False) if dataset.BitsAllocated == 1 else pixels.tobytes()


def encapsulated(file: str, indices: Sequence[int], count: int) -> list[bytes]:
    """Return compressed frames (counted from 0) out of a file whose parts are not known."""
    dataset = load(file)
    return [pydicom.encaps.get_frame(dataset.PixelData, index, number_of_frames=count) for index in indices]


def explicit(file: str) -> bytes:
    """Return a whole instance in Explicit VR Little Endian, under its own UID."""
    dataset = load(file)
    if str(dataset.file_meta.TransferSyntaxUID) == EXPLICIT:
        return store.get(file)
    try:
        dataset.decompress(generate_instance_uid=False)
    except Exception:
        raise undecodable() from None
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def load(file: str) -> Dataset:
    """Read an instance from the store."""
    return pydicom.dcmread(BytesIO(store.get(file)))


def undecodable() -> Refusal:
    sentence = _("This picture can't be decoded here. Ask for it as it is stored, with transfer-syntax=*.")
    return Refusal("not_acceptable", sentence, status=406)
