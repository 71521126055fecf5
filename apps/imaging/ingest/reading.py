"""From the bytes of files to DICOM data sets, one by one, in memory and within bounds."""

import logging
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

import pydicom
from django.conf import settings
from django.utils.translation import gettext as _
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import DeflatedExplicitVRLittleEndian, MediaStorageDirectoryStorage

from apps.core.errors import Refusal
from apps.imaging.derived import takers
from ml.volumes.headers import numbers, text

_META_LENGTH = slice(140, 144)  # value of (0002,0000), the first element behind the preamble
_META_START = 144
TOO_LARGE = "series_too_large"


@dataclass(frozen=True)
class Opened:
    """One file of an upload: its data set, or what is wrong with it."""

    number: int
    dataset: Dataset | None = None
    problem: Refusal | None = None


def silence_pydicom() -> None:
    """Keep pydicom from repeating the values of odd elements, which may name a patient, in warnings and logs."""
    # Importing pydicom sets the level of its logger, so the logging settings alone do not last.
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    warnings.filterwarnings("ignore", module=r"pydicom\b")


def open_files(files: Sequence[bytes]) -> Iterator[Opened]:
    """Open each file; what cannot be opened is named by its number. The directory of a disk is passed over.

    Raises Refusal where the pictures unpack to more than an upload may hold.
    """
    room = settings.UPLOAD_MAX_BYTES
    for number, content in enumerate(files, start=1):
        try:
            dataset = _open(content)
        except Refusal as problem:
            if problem.code == TOO_LARGE:  # of the whole upload, not of this file alone
                raise
            yield Opened(number, problem=problem)
            continue
        if dataset.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
            continue
        room -= _unpacked_size(dataset)
        if room < 0:
            raise _too_large()
        yield Opened(number, dataset)


def _open(content: bytes) -> Dataset:
    if not content:
        raise Refusal("empty_file", _("The file is empty. Export it again."))
    _check_deflated(content)
    try:
        return pydicom.dcmread(BytesIO(content))
    except InvalidDicomError:
        return _open_without_preamble(content)
    except Exception:  # a damaged header makes pydicom raise almost anything, its message may repeat a value
        raise _unreadable() from None


def _open_without_preamble(content: bytes) -> Dataset:
    """Open what was written without the preamble and the "DICM" of the standard, as old programs do."""
    try:
        dataset = pydicom.dcmread(BytesIO(content), force=True)
        known = bool(text(dataset, "SOPClassUID") and text(dataset, "SOPInstanceUID"))
    except Exception:  # any bytes at all may come here
        known = False
    if not known:
        raise Refusal("not_dicom", _("The file is not a DICOM file. Send only the DICOM files of the scan."))
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        dataset.file_meta = dataset.file_meta or FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = _native_syntax(bool(implicit), bool(little))
    return dataset


def _native_syntax(implicit: bool, little: bool) -> pydicom.uid.UID:
    if implicit:
        return pydicom.uid.ImplicitVRLittleEndian
    return pydicom.uid.ExplicitVRLittleEndian if little else pydicom.uid.ExplicitVRBigEndian


def _check_deflated(content: bytes) -> None:
    """Refuse a deflated file that unpacks without bound, as pydicom would unpack it whole."""
    if str(DeflatedExplicitVRLittleEndian).encode() not in content[:4096]:
        return
    start = _META_START + int.from_bytes(content[_META_LENGTH], "little")
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        unpacked = len(stream.decompress(content[start:], settings.UPLOAD_MAX_BYTES))
    except zlib.error:
        unpacked = 0
    if not unpacked:
        raise _unreadable()
    if unpacked >= settings.UPLOAD_MAX_BYTES:
        raise _too_large()


def _unpacked_size(dataset: Dataset) -> int:
    """Return how many bytes a picture takes once it is decoded; what is no image is not decoded as a whole."""
    if text(dataset, "SOPClassUID") in takers:
        return 0
    sides = [numbers(dataset, keyword) for keyword in ("Rows", "Columns")]
    pixels = sides[0][0] * sides[1][0] if all(len(side) == 1 for side in sides) else 0
    frames, samples = (numbers(dataset, keyword) or [1.0] for keyword in ("NumberOfFrames", "SamplesPerPixel"))
    return int(2 * pixels * max(frames[0], 1) * max(samples[0], 1))


def _unreadable() -> Refusal:
    return Refusal("unreadable", _("The file cannot be read, it may be damaged or cut short. Export it again."))


def _too_large() -> Refusal:
    limit = settings.UPLOAD_MAX_BYTES // 1024**2
    return Refusal(
        TOO_LARGE,
        _("The pictures of the upload unpack to more than %(limit)d MB. Send fewer of them at a time.")
        % {"limit": limit},
        status=413,
    )
