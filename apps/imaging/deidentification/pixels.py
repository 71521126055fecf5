"""The pixels of a cleaned picture: as they came, without anything behind the last of them."""

from django.utils.translation import gettext as _
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.tag import Tag
from pydicom.uid import RLELossless

from apps.core.errors import Refusal
from apps.imaging.deidentification.kept import PALETTES
from apps.imaging.deidentification.streams import strip_text

_PIXEL_DATA = Tag(0x7FE00010)
_SIZE = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")
_BITS_OF_A_PIXEL = (1, 8, 16, 32)


def add_pixels(dataset: Dataset, clean: Dataset) -> None:
    """Add the pixels; uncompressed ones end where the size says. Raises Refusal (pixels_incomplete)."""
    if any(type(clean.get(keyword)) is not int for keyword in _SIZE) or clean.BitsAllocated not in _BITS_OF_A_PIXEL:
        raise _incomplete()
    content = dataset[_PIXEL_DATA].value if _PIXEL_DATA in dataset else None
    if not isinstance(content, bytes) or not content:
        raise _incomplete()
    if clean.file_meta.TransferSyntaxUID.is_encapsulated:
        element = DataElement(_PIXEL_DATA, "OB", _without_text(content, clean), already_converted=True)
        element.is_undefined_length = True
    else:
        length = _expected_length(clean)
        if len(content) < length or length == 0:
            raise _incomplete()
        vr = "OW" if clean.BitsAllocated > 8 else _short_vr(clean)
        element = DataElement(_PIXEL_DATA, vr, content[:length] + b"\0" * (length % 2), already_converted=True)
    clean[_PIXEL_DATA] = element


def _without_text(content: bytes, clean: Dataset) -> bytes:
    """Return a packed picture without the text that its stream may carry; frames are joined to one fragment each."""
    if clean.file_meta.TransferSyntaxUID == RLELossless:  # it has no place for text; the ingest unpacks it
        return content
    try:
        frames = list(generate_frames(content, number_of_frames=int(clean.get("NumberOfFrames") or 1)))
        return encapsulate([strip_text(frame) for frame in frames])
    except Exception:  # a damaged stream of fragments, in many ways
        raise _incomplete() from None


def _expected_length(clean: Dataset) -> int:
    samples = clean.SamplesPerPixel
    if clean.get("PhotometricInterpretation") == "YBR_FULL_422":  # two pixels share their color
        samples = 2
    frames = int(clean.get("NumberOfFrames") or 1)
    bits: int = clean.Rows * clean.Columns * samples * clean.BitsAllocated * frames
    return (bits + 7) // 8


def _short_vr(clean: Dataset) -> str:
    """PS3.5 A.1: Implicit VR is always OW."""
    return "OW" if clean.file_meta.TransferSyntaxUID.is_implicit_VR else "OB"


def _incomplete() -> Refusal:
    return Refusal(
        "pixels_incomplete", _("The picture of a file is incomplete, the file may be cut short. Export it again.")
    )


def add_palettes(dataset: Dataset, clean: Dataset) -> None:
    """Add the color tables of a picture that needs them, as long as they say that they are."""
    if clean.get("PhotometricInterpretation") != "PALETTE COLOR":
        return
    for keyword in PALETTES:
        described = clean.get(keyword.replace("Data", "Descriptor"))
        content = dataset.get(keyword)
        if described is None or len(described) != 3 or not isinstance(content, bytes):
            raise _incomplete()
        length = (described[0] or 2**16) * (2 if described[2] > 8 else 1)
        clean[keyword] = DataElement(keyword, "OW", content[: length + length % 2])
