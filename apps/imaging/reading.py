"""From the bytes of files to DICOM data sets, in memory and within bounds."""

import logging
import warnings
import zlib
from collections.abc import Sequence
from io import BytesIO

import pydicom
from django.conf import settings
from django.utils.translation import gettext as _
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, MediaStorageDirectoryStorage

from apps.core.errors import Refusal
from ml.volumes import SeriesError
from ml.volumes.headers import numbers, open_datasets

_META_LENGTH = slice(140, 144)  # value of (0002,0000), the first element behind the preamble
_META_START = 144


def silence_pydicom() -> None:
    """Keep pydicom from repeating the values of odd elements, which may name a patient, in warnings and logs."""
    # Importing pydicom sets the level of its logger, so the logging settings alone do not last.
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    warnings.filterwarnings("ignore", module=r"pydicom\b")


def read_datasets(files: Sequence[bytes]) -> list[Dataset]:
    """Open DICOM files; the directory of an exported disk (DICOMDIR) is passed over.

    Raises SeriesError (no DICOM, damaged) and Refusal (no file, or pictures too large in all).
    """
    for number, content in enumerate(files, start=1):
        _check_deflated(content, number, len(files))
    datasets = [dataset for dataset in open_datasets(map(BytesIO, files), pixels=True) if not _is_directory(dataset)]
    if not datasets:
        raise Refusal("no_files", _("There is no image in the upload. Send the DICOM files of one CT series."))
    _check_size(datasets)
    return datasets


def _check_deflated(content: bytes, number: int, total: int) -> None:
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
        raise SeriesError(
            "unreadable",
            _("File %(number)d of %(total)d cannot be read, it may be damaged or cut short: export it again.")
            % {"number": number, "total": total},
        )
    if unpacked >= settings.UPLOAD_MAX_BYTES:
        raise _too_large()


def _is_directory(dataset: Dataset) -> bool:
    return bool(dataset.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage)


def _check_size(datasets: list[Dataset]) -> None:
    """Refuse pictures that unpack to more than an upload may hold: compressed ones could fill the memory."""
    pixels = 0.0
    for dataset in datasets:
        sides = [numbers(dataset, "Rows"), numbers(dataset, "Columns")]
        pixels += sides[0][0] * sides[1][0] if all(len(side) == 1 for side in sides) else 0
    if 2 * pixels > settings.UPLOAD_MAX_BYTES:
        raise _too_large()


def _too_large() -> Refusal:
    limit = settings.UPLOAD_MAX_BYTES // 1024**2
    return Refusal(
        "series_too_large",
        _("The pictures of the upload unpack to more than %(limit)d MB. Send one series of the head, and nothing else.")
        % {"limit": limit},
        status=413,
    )
