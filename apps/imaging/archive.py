"""From what a browser or a program sends (a ZIP, or files) to the bytes of single files, in memory."""

import zipfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import PurePosixPath

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

from apps.core.errors import Refusal

# CT slices in a ZIP shrink to a half or a tenth; what shrinks a hundredfold is no picture.
MAX_EXPANSION = 100
ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
# Each file in a ZIP has one entry of this mark in the ZIP's directory.
_ENTRY_MARK = b"PK\x01\x02"
_ENCRYPTED = 0x1
# Written by operating systems and CD burners beside the images.
_LITTER = {"dicomdir", "thumbs.db", "desktop.ini"}


def unpack(uploads: Iterable["UploadedFile[bytes]"]) -> list[bytes]:
    """Return the content of every file; a ZIP gives the files in it. Raises Refusal."""
    contents: list[bytes] = []
    left = settings.UPLOAD_MAX_BYTES
    for upload in uploads:
        data = upload.read()
        if data.startswith(ZIP_STARTS):
            found = _unzip(data, left)
            left -= sum(map(len, found))
            contents += found
        elif not is_litter(PurePosixPath(upload.name or "")):
            contents.append(data)
        if len(contents) > settings.UPLOAD_MAX_FILES:
            raise _too_many()
    if not contents:
        raise Refusal("no_files", _("There is no file in the upload. Send the DICOM files of one CT series."))
    return contents


def is_litter(path: PurePosixPath) -> bool:
    """Say whether a file lies beside the images only because a system put it there."""
    return path.name.startswith(".") or path.name.lower() in _LITTER or "__MACOSX" in path.parts


def _unzip(data: bytes, limit: int) -> list[bytes]:
    # Counted before zipfile reads the directory, which makes an object of every entry.
    if data.count(_ENTRY_MARK) > settings.UPLOAD_MAX_FILES:
        raise _too_many()
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            _check_members(members, len(data), limit)
            wanted = [info for info in members if not is_litter(PurePosixPath(info.filename))]
            return _read_members(archive, wanted, limit)
    except Refusal:
        raise
    except Exception as error:  # zipfile and its decoders raise a dozen kinds on damaged input
        raise Refusal(
            "bad_zip", _("The ZIP file is damaged or of an unknown kind. Make it again and send it.")
        ) from error


def _check_members(members: list[zipfile.ZipInfo], size: int, limit: int) -> None:
    for info in members:
        # Nothing is ever unpacked to a path; a ZIP that tries to climb is refused because it is no honest export.
        path = PurePosixPath(info.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]):
            raise Refusal(
                "unsafe_path",
                _(
                    "The ZIP file holds a file with an absolute or climbing path. "
                    "Make it again from the series' folder."
                ),
            )
        if info.flag_bits & _ENCRYPTED:
            raise Refusal("encrypted_zip", _("The ZIP file has a password. Send one without."))
    unpacked = sum(info.file_size for info in members)
    packed = min(sum(info.compress_size for info in members), size)
    if unpacked > limit or (unpacked and unpacked >= MAX_EXPANSION * packed):
        raise _bomb()


def _read_members(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], limit: int) -> list[bytes]:
    contents: list[bytes] = []
    left = limit
    for info in members:
        with archive.open(info) as member:
            # The sizes in a ZIP's directory may lie, so the reading itself is bounded too.
            content = member.read(left + 1)
        left -= len(content)
        if left < 0:
            raise _bomb()
        if content.startswith(ZIP_STARTS):
            raise Refusal("nested_zip", _("The ZIP file holds another ZIP file. Unpack it and send one series alone."))
        contents.append(content)
    return contents


def _too_many() -> Refusal:
    limit = settings.UPLOAD_MAX_FILES
    return Refusal(
        "too_many_files",
        _("The upload holds more than %(limit)d files. Send one CT series at a time.") % {"limit": limit},
    )


def _bomb() -> Refusal:
    return Refusal(
        "zip_expands",
        _(
            "The ZIP file unpacks to more than %(limit)d MB or to %(times)d times its size, which no CT series does. "
            "Send the series as it was exported."
        )
        % {"limit": settings.UPLOAD_MAX_BYTES // 1024**2, "times": MAX_EXPANSION},
    )
