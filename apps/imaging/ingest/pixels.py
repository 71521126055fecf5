"""Pixels on the way in: decoded once, to know that it can be done and to tell one picture from another."""

import hashlib
import struct

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, ExplicitVRLittleEndian, RLELossless

from apps.core.errors import Refusal
from apps.imaging.ingest.jpeg import decode_12_bit
from apps.imaging.ingest.kinds import frame_count
from ml.volumes.headers import numbers

Array = npt.NDArray[np.generic]
_ITEM = b"\xfe\xff\x00\xe0"


def decode(dataset: Dataset) -> Array:
    """Return the stored values (y, x), or (y, x, 3) of a color picture; Refusal names what cannot be decoded.

    A picture that only GDCM itself can decode is left uncompressed in the data set: no viewer could show it as it came.
    So is one of run lengths (RLE), which saves little on a CT and may hide bytes behind its last run.
    """
    try:
        packed = decode_12_bit(dataset)
        stored: Array = pixel_array(dataset) if packed is None else packed
        if packed is not None or dataset.file_meta.TransferSyntaxUID == RLELossless:
            dataset.PixelData = stored.tobytes()
            dataset["PixelData"].is_undefined_length = False
            dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    except Exception:  # each decoder has errors of its own
        raise Refusal(
            "undecodable",
            _(
                "The picture cannot be decoded (packed as: %(syntax)s); it is damaged, cut short or packed in an "
                "unusual way. Export it uncompressed."
            )
            % {"syntax": _syntax_name(dataset)},
        ) from None
    return stored


def _syntax_name(dataset: Dataset) -> str:
    syntax = UID(str(dataset.file_meta.get("TransferSyntaxUID", "")))
    # The name of a transfer syntax of the standard; anything else could be text of the sender.
    return syntax.name if syntax.is_transfer_syntax else _("unknown")


def to_little_endian(dataset: Dataset, stored: Array) -> None:
    """Have an uncompressed picture written as Explicit VR Little Endian, whatever it came as."""
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    if syntax.is_encapsulated or syntax == ExplicitVRLittleEndian:
        return
    if not syntax.is_little_endian:
        dataset.PixelData = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian


def digest_of(dataset: Dataset, stored: Array) -> str:
    """Return SHA-256 over what a picture shows and where: values, their scale in Hounsfield units, and position.

    Not over the file: the same slice packed or labelled in another way has the same digest.
    """
    places = (*numbers(dataset, "ImagePositionPatient"), *numbers(dataset, "ImageOrientationPatient"))
    scale = (*numbers(dataset, "RescaleSlope"), *numbers(dataset, "RescaleIntercept"))
    digest = hashlib.sha256(repr((stored.shape, [f"{v:.3f}" for v in places], [f"{v:g}" for v in scale])).encode())
    # By the values and not by how they are held: half the bytes wherever they fit.
    narrow = stored.min() >= -(2**15) and stored.max() < 2**15
    digest.update(np.ascontiguousarray(stored, "<i2" if narrow else "<i4").data)
    return digest.hexdigest()


def frame_parts(dataset: Dataset, content: bytes) -> list[list[list[int]]]:
    """Return where the one frame of a cleaned data set lies in its file: [[[offset, length], ...]].

    The pixels are the last element of what is written here. Empty where there is more than one frame.
    """
    if frame_count(dataset) > 1:
        return []
    value: bytes = dataset.PixelData
    if not UID(dataset.file_meta.TransferSyntaxUID).is_encapsulated:
        samples = (numbers(dataset, "SamplesPerPixel") or [1.0])[0]
        # A picture of an odd number of bytes is followed by one that fills the word.
        length = int(dataset.Rows * dataset.Columns * samples * dataset.BitsAllocated) // 8
        return [[[len(content) - len(value), length]]]
    start = content.rindex(value)
    fragments = list(_items(content, start, start + len(value)))
    return [fragments[1:]]  # the first item is the offset table


def _items(content: bytes, start: int, end: int) -> "list[list[int]]":
    found = []
    while start + 8 <= end and content[start : start + 4] == _ITEM:
        (length,) = struct.unpack_from("<I", content, start + 4)
        found.append([start + 8, length])
        start += 8 + length
    return found
