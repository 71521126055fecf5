"""Uploads stay in memory, and one that is too large is refused with a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import InMemoryUploadedFile, SimpleUploadedFile
from django.test import RequestFactory

from apps.accounts.policy import Role
from apps.core.errors import Refusal
from apps.core.uploads import uploaded_files

MEGABYTE = 1024**2


@pytest.fixture
def watched(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which every temporary file of this process would be made."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    yield tmp_path


def request_with(*contents: bytes) -> Any:
    files = [SimpleUploadedFile(f"f{i}.dcm", content) for i, content in enumerate(contents)]
    return RequestFactory().post("/", {"files": files})


def test_a_large_file_never_touches_the_disk(watched: Path) -> None:
    content = bytes(range(256)) * 4 * 4096 * 2  # 8 MB: Django's own handlers would write it to a temporary file
    found = uploaded_files(request_with(content, b"small"), "files")
    assert all(isinstance(file, InMemoryUploadedFile) for file in found)
    assert [file.read() for file in found] == [content, b"small"]
    assert list(watched.iterdir()) == []


def test_the_limit_counts_all_files_of_a_request(settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = MEGABYTE
    half = b"x" * (MEGABYTE // 2)
    assert len(uploaded_files(request_with(half, half), "files")) == 2
    with pytest.raises(Refusal) as refused:
        uploaded_files(request_with(half, half, b"x"), "files")
    assert (refused.value.status, refused.value.code) == (413, "upload_too_large")
    assert refused.value.sentence == "The upload is larger than 1 MB. Send one series at a time."


def test_no_file_is_a_sentence() -> None:
    with pytest.raises(Refusal, match="No file was chosen") as refused:
        uploaded_files(RequestFactory().post("/", {"other": "x"}), "files")
    assert refused.value.status == 422


@pytest.mark.django_db
@pytest.mark.parametrize("door", ["page", "api"])
def test_too_large_is_a_413_through_every_door(
    door: str, users: Any, patient: Any, client_as: Any, api_as: Any, settings: Any, watched: Path
) -> None:
    settings.UPLOAD_MAX_BYTES = MEGABYTE
    coordinator, file = users[Role.COORDINATOR], SimpleUploadedFile("scan.dcm", b"x" * (3 * MEGABYTE))
    if door == "page":
        answer = client_as(coordinator).post(
            f"/patients/{patient.study_id}/ct/", {"files": file}, headers={"accept": "text/html"}
        )
    else:
        answer = api_as(coordinator).post(
            f"/api/v1/patients/{patient.study_id}/series/", {"files": file}, format="multipart"
        )
    assert answer.status_code == 413
    assert "larger than 1 MB" in answer.content.decode()
    assert list(watched.iterdir()) == []
    assert not patient.series.exists()


@pytest.mark.django_db
def test_too_many_files_are_refused(users: Any, patient: Any, client_as: Any, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = 3
    files = [SimpleUploadedFile(f"{i}", b"x") for i in range(4)]
    answer = client_as(users[Role.COORDINATOR]).post(f"/patients/{patient.study_id}/ct/", {"files": files})
    assert answer.status_code == 400


def test_too_many_files_get_a_sentence(settings: Any) -> None:
    settings.UPLOAD_MAX_FILES = 3
    with pytest.raises(Refusal) as refused:
        uploaded_files(request_with(*[b"x"] * 4), "files")
    assert (refused.value.status, refused.value.code) == (413, "too_many_files")
    assert len(uploaded_files(request_with(*[b"x"] * 3), "files")) == 3
