"""From what a browser or a program sends (a ZIP, or files) to the bytes of single files, in memory."""

import zipfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import PurePosixPath

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from apps.core.errors import Refusal

# CT slices in a ZIP shrink to a half or a tenth; what shrinks a hundredfold is no picture.
MAX_EXPANSION = 100
# Written by operating systems and CD burners beside the images.
IGNORED_NAMES = {"DICOMDIR", ".DS_Store", "Thumbs.db", "desktop.ini"}


def unpack(uploads: Iterable["UploadedFile[bytes]"]) -> list[bytes]:
    """Return the content of every file; a ZIP gives the files in it. Raises Refusal."""
    contents: list[bytes] = []
    for upload in uploads:
        data = upload.read()
        if data[:4] in {b"PK\x03\x04", b"PK\x05\x06"}:
            contents += _unzip(data)
        elif not _ignored(PurePosixPath(upload.name or "")):
            contents.append(data)
    if not contents:
        raise Refusal("no_files", "There is no file in the upload. Send the DICOM files of one CT series.")
    return contents


def _unzip(data: bytes) -> list[bytes]:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            _check_members(members)
            wanted = [info for info in members if not _ignored(PurePosixPath(info.filename))]
            return _read_members(archive, wanted)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError) as error:
        raise Refusal("bad_zip", "The ZIP file is damaged or of an unknown kind. Make it again and send it.") from error
    except RuntimeError as error:  # zipfile's word for a password
        raise Refusal("encrypted_zip", "The ZIP file has a password. Send one without.") from error


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > settings.UPLOAD_MAX_FILES:
        limit = settings.UPLOAD_MAX_FILES
        raise Refusal("too_many_files", f"The ZIP file holds more than {limit} files. Send one CT series at a time.")
    for info in members:
        # Nothing is ever unpacked to a path; a ZIP that tries to climb is refused because it is no honest export.
        path = PurePosixPath(info.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]):
            raise Refusal(
                "unsafe_path",
                "The ZIP file holds a file with an absolute or climbing path. Make it again from the folder of the series.",
            )
    unpacked = sum(info.file_size for info in members)
    packed = sum(info.compress_size for info in members)
    if unpacked > settings.UPLOAD_MAX_BYTES or unpacked > MAX_EXPANSION * max(packed, 1):
        raise _bomb()


def _read_members(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> list[bytes]:
    contents: list[bytes] = []
    left = settings.UPLOAD_MAX_BYTES
    for info in members:
        with archive.open(info) as member:
            # The sizes in a ZIP's directory may lie, so the reading itself is bounded too.
            content = member.read(left + 1)
        left -= len(content)
        if left < 0:
            raise _bomb()
        contents.append(content)
    return contents


def _bomb() -> Refusal:
    return Refusal(
        "zip_expands",
        f"The ZIP file unpacks to more than {settings.UPLOAD_MAX_BYTES // 1024**2} MB or to over {MAX_EXPANSION} times "
        "its size, which no CT series does. Send the series as it was exported.",
    )


def _ignored(path: PurePosixPath) -> bool:
    return path.name in IGNORED_NAMES or path.name.startswith("._") or "__MACOSX" in path.parts
