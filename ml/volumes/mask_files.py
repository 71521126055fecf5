"""Files of masks: NIfTI, NRRD and MetaImage, whole and in one piece, or refused."""

import gzip
import math
import zlib
from pathlib import Path

import SimpleITK as sitk  # noqa: N813 (the name its own manual uses)

from ml.volumes.errors import MaskError
from ml.volumes.text_headers import SPACES, TextHeader, metaimage_header, nrrd_header, unpack

_READERS = {".nii": "NiftiImageIO", ".nii.gz": "NiftiImageIO", ".nrrd": "NrrdImageIO", ".mha": "MetaImageIO"}
SUFFIXES = tuple(_READERS)
_CHUNK = 1 << 20


def open_mask(path: Path | str) -> sitk.ImageFileReader:
    """Open a mask as far as its header, so that a file of another size is refused before it is unpacked.

    Raises MaskError (``not_a_mask``, ``mask_detached``, ``mask_other_grid``) and RuntimeError of SimpleITK where it
    cannot read the header.
    """
    name = str(path).lower()
    kind = next((reader for suffix, reader in _READERS.items() if name.endswith(suffix)), None)
    if kind is None or not Path(path).is_file():
        raise not_a_mask()
    if kind != "NiftiImageIO":
        header = _text_header(path)[0]
        if kind == "NrrdImageIO" and header.fields.get("space", "").lower() not in SPACES:
            raise MaskError(
                "mask_other_grid",
                "The file does not say how its axes lie in the patient: save the segmentation in the space "
                "left-posterior-superior, as 3D Slicer does.",
            )
    reader = sitk.ImageFileReader()
    reader.SetImageIO(kind)
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return reader


def check_complete(path: Path | str, reader: sitk.ImageFileReader) -> None:
    """Refuse a file that was cut short or damaged on its way (``mask_incomplete``).

    ITK takes such files silently: it fills up a NIfTI with background, and does not look at the checksum of the others.
    """
    if reader.GetImageIO() == "NiftiImageIO":
        header, bits = (float(reader.GetMetaData(key)) for key in ("vox_offset", "bitpix"))
        needed = int(header) + math.prod(reader.GetSize()) * int(bits) // 8
        found = _count_bytes(Path(path), needed + _CHUNK)
    else:
        size_of_one = sitk.Image([1, 1], reader.GetPixelID()).GetSizeOfPixelComponent()
        needed = math.prod(reader.GetSize()) * size_of_one
        found = _count_voxel_bytes(path, needed)
    if found < needed:
        raise MaskError("mask_incomplete", "The mask file is damaged or cut short: save or send it again.")


def not_a_mask() -> MaskError:
    """Return the error for a file in another format."""
    return MaskError(
        "not_a_mask",
        "The mask cannot be read as NIfTI, NRRD or MetaImage: save the segmentation as .nii.gz, .nrrd or .mha, "
        "as ITK-SNAP and 3D Slicer do.",
    )


def _text_header(path: Path | str) -> tuple[TextHeader, bytes]:
    """Return the header of a NRRD or MetaImage and the file's bytes; refuse one whose voxels lie elsewhere."""
    data = Path(path).read_bytes()
    header = nrrd_header(data) if str(path).lower().endswith(".nrrd") else metaimage_header(data)
    if header is None:
        raise not_a_mask()
    if not header.is_attached:
        raise MaskError(
            "mask_detached",
            "The file is a header alone, its voxels lie in another file: save the segmentation as one file, "
            ".nrrd or .mha.",
        )
    return header, data


def _count_voxel_bytes(path: Path | str, needed: int) -> int:
    """Count the unpacked bytes behind a header of text, up to about those needed; none where they are damaged."""
    header, data = _text_header(path)
    if not header.is_packed:
        return len(data) - header.start
    return len(unpack(data[header.start :], needed + _CHUNK) or b"")


def _count_bytes(path: Path, limit: int) -> int:
    """Count the unpacked bytes of a NIfTI, up to about `limit`; none where they are damaged."""
    count = 0
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as stream:
            while count < limit and (chunk := stream.read(_CHUNK)):
                count += len(chunk)
    except (OSError, EOFError, zlib.error):
        return 0
    return count
