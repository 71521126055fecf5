"""Files in an S3-compatible bucket, for installations of several machines."""

from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus
from io import BytesIO
from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError
from django.core.files import File
from storages.backends.s3 import S3Storage
from storages.utils import clean_name

# The largest object that one request may write. In one request an object comes whole or not at all; one in several
# parts leaves parts behind when its writer dies.
_ONE_REQUEST = 5 * 1024**3


class S3WholeStorage(S3Storage):
    """A private bucket, or a folder in one; `endpoint` is the address of a server that is not Amazon's."""

    def __init__(self, *, bucket: str, folder: str = "", endpoint: str = "") -> None:
        # A server of one's own seldom has a host name for each bucket, nor the newest kind of checksums.
        own_server: dict[str, Any] = {
            "s3": {"addressing_style": "path"},
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
        }
        super().__init__(
            bucket_name=bucket,
            location=folder,
            endpoint_url=endpoint or None,
            default_acl=None,
            file_overwrite=True,
            client_config=Config(
                signature_version="s3v4",
                connect_timeout=10,
                retries={"mode": "standard", "total_max_attempts": 4},
                **(own_server if endpoint else {}),
            ),
            transfer_config=TransferConfig(multipart_threshold=_ONE_REQUEST, use_threads=False),
        )

    def _open(self, name: str, mode: str = "rb") -> File:  # type: ignore[type-arg]
        """Read an object in one request; the library's own way takes three and a temporary file."""
        if mode != "rb":
            raise ValueError("A stored file is written once and whole: use save().")
        return File(BytesIO(self._get(name)), name)

    def read_range(self, name: str, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`; fewer where the file ends before."""
        if length <= 0:
            return b""
        try:
            return self._get(name, Range=f"bytes={offset}-{offset + length - 1}")
        except ClientError as error:
            if error.response["Error"]["Code"] == "InvalidRange":
                return b""
            raise

    def files(self) -> Iterator[tuple[str, datetime]]:
        """Yield (name, time of the last writing) of every file, names in order."""
        prefix = f"{self.location}/" if self.location else ""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket_name, Prefix=prefix)
        for page in pages:
            for entry in page.get("Contents", ()):
                yield entry["Key"].removeprefix(prefix), entry["LastModified"]

    def delete_older(self, name: str, before: datetime) -> bool:
        """Delete a file unless it was written after `before`; say whether that was done."""
        key = self._normalize_name(clean_name(name))
        try:
            if self._client.head_object(Bucket=self.bucket_name, Key=key)["LastModified"] >= before:
                return False
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_FOUND:
                return False
            raise
        self._client.delete_object(Bucket=self.bucket_name, Key=key)
        return True

    @property
    def _client(self) -> Any:
        return self.connection.meta.client

    def _get(self, name: str, **options: str) -> bytes:
        key = self._normalize_name(clean_name(name))
        try:
            answer = self._client.get_object(Bucket=self.bucket_name, Key=key, **options)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                raise FileNotFoundError(name) from error
            raise
        content: bytes = answer["Body"].read()
        return content
