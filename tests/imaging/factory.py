"""Scans as a hospital sends them, as bytes, and a look at everything that the platform keeps."""

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.urls import reverse
from pydicom.dataset import Dataset

from apps.accounts.models import User
from apps.imaging.ingest.receive import receive
from apps.imaging.models import Series
from apps.patients.models import Patient
from tests.ml.dicom_factory import make_series, table_positions

SIDE = 16
# Wide enough for four slices to reach over a head: what covers less is refused by the geometry report.
GAP_MM = 16.0


def make_scan(slices: int = 4, *, seed: int = 0, side: int = SIDE, gap: float = GAP_MM, **tags: Any) -> list[Dataset]:
    """Make a small CT series, different for each seed."""
    hu = np.random.default_rng(seed).integers(-20, 80, (slices, side, side))
    return make_series(hu, table_positions([gap] * (slices - 1)), **tags)


def to_bytes(datasets: Iterable[Dataset]) -> list[bytes]:
    """Return each data set as the bytes of a DICOM file."""
    return [_file(dataset) for dataset in datasets]


def _file(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def scan_files(slices: int = 4, **keywords: Any) -> list[bytes]:
    """Return a small CT series as files."""
    return to_bytes(make_scan(slices, **keywords))


def zip_of(
    files: Mapping[str, bytes] | Sequence[bytes], *, compression: int = zipfile.ZIP_DEFLATED, comment: bytes = b""
) -> bytes:
    """Pack files, given with or without names, into a ZIP."""
    named = files if isinstance(files, Mapping) else {f"series/{i:04d}": data for i, data in enumerate(files)}
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.comment = comment
        for name, data in named.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def uploads(files: Iterable[bytes], name: str = "slice") -> list[SimpleUploadedFile]:
    return [SimpleUploadedFile(f"{name}{number}.dcm", data) for number, data in enumerate(files)]


def ct_url(patient: Patient) -> str:
    return reverse("imaging:upload", args=[patient.study_id])


def ct_api_url(patient: Patient) -> str:
    return reverse("api-series-list", args=[patient.study_id])


def stored_files() -> dict[str, bytes]:
    """Return every file in the store."""
    root = Path(default_storage.location)
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def dump_tables(*, without: Iterable[str] = ()) -> dict[str, list[str]]:
    """Return every row of every table as text."""
    with connection.cursor() as cursor:
        names = [name for name in connection.introspection.table_names(cursor) if name not in set(without)]
        tables = {}
        for name in names:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(name)}")
            tables[name] = sorted(map(repr, cursor.fetchall()))
    return tables


def everything() -> tuple[dict[str, list[str]], set[str]]:
    """Return what is kept: all rows (but for sign-ins) and the names of all files."""
    return dump_tables(without=["django_session", "accounts_user"]), set(stored_files())


def receive_series(*, actor: User, patient: Patient, files: Sequence[bytes]) -> Series:
    """Take the files of one series in, and return it."""
    receipt = receive(actor=actor, patient=patient, files=files).raise_if_nothing_came()
    (series,) = receipt.series
    return series
