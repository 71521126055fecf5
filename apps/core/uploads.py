"""Uploads are held in memory: a scan as it comes from a hospital names its patient, and that must not reach a disk."""

from io import BytesIO
from typing import Any, NoReturn

from django.conf import settings
from django.core.files.uploadedfile import InMemoryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.core.errors import Refusal

TOO_LARGE = "ichor.upload_too_large"
TOO_MANY = "ichor.upload_too_many_files"


class MemoryOnlyUploadHandler(FileUploadHandler):
    """Keep every part in memory, and drop the request once its files are too many or too large."""

    def __init__(self, request: HttpRequest | None = None) -> None:
        super().__init__(request)
        self.total = 0
        self.count = 0

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.count += 1
        if self.count > settings.UPLOAD_MAX_FILES:
            self._stop(TOO_MANY)
        self.buffer = BytesIO()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.total += len(raw_data)
        if self.total > settings.UPLOAD_MAX_BYTES:
            self._stop(TOO_LARGE)
        self.buffer.write(raw_data)

    def _stop(self, reason: str) -> NoReturn:
        if self.request is not None:
            self.request.META[reason] = "1"
        raise StopUpload(connection_reset=False)

    def file_complete(self, file_size: int) -> InMemoryUploadedFile:
        self.buffer.seek(0)
        return InMemoryUploadedFile(
            self.buffer, self.field_name, self.file_name or "", self.content_type, file_size, self.charset
        )


def uploaded_files(request: HttpRequest, field: str) -> "list[UploadedFile[bytes]]":
    """Return the files of one field; refuse a request that was cut because it is too large, or that holds none."""
    files = request.FILES.getlist(field)
    if request.META.get(TOO_LARGE):
        limit = settings.UPLOAD_MAX_BYTES // 1024**2
        raise Refusal(
            "upload_too_large",
            _("The upload is larger than %(limit)d MB. Send one series at a time.") % {"limit": limit},
            status=413,
        )
    if request.META.get(TOO_MANY):
        raise Refusal(
            "too_many_files",
            _("The upload holds more than %(limit)d files. Send one CT series at a time.")
            % {"limit": settings.UPLOAD_MAX_FILES},
            status=413,
        )
    if not files:
        raise Refusal("nothing_uploaded", _("No file was chosen. Choose a ZIP file or the files of one CT series."))
    return files
