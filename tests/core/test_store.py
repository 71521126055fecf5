"""Files by content: once each, whole, and gone again when the rows for them could not be written."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from hypothesis import given
from hypothesis import strategies as st

from apps.core import store


def path_of(name: str) -> Path:
    return Path(default_storage.path(name))


def stray_files(name: str) -> list[str]:
    return [path.name for path in path_of(name).parent.iterdir() if path.name != Path(name).name]


@given(st.binary(max_size=200))
def test_what_was_put_is_got_under_its_sha256(content: bytes) -> None:
    with store.writing() as files:
        name, digest = files.put(content, ".bin")
    assert store.get(name) == content
    assert digest == hashlib.sha256(content).hexdigest()
    assert name == f"{digest[:2]}/{digest[2:4]}/{digest}.bin"


def test_the_second_put_writes_nothing() -> None:
    with store.writing() as files:
        name, _ = files.put(b"once", ".bin")
    before = path_of(name).stat()
    with store.writing() as files:
        assert files.put(b"once", ".bin")[0] == name
        assert files.made == []
    assert path_of(name).stat().st_mtime_ns == before.st_mtime_ns


def test_files_of_a_failed_block_are_removed_and_older_ones_stay() -> None:
    with store.writing() as files:
        old, _ = files.put(b"old", ".bin")
    with pytest.raises(KeyError), store.writing() as files:
        files.put(b"old", ".bin")
        new, _ = files.put(b"new and unwanted", ".bin")
        raise KeyError
    assert default_storage.exists(old)
    assert not default_storage.exists(new)


def test_a_file_that_a_killed_process_left_half_written_is_made_whole() -> None:
    content = b"0123456789" * 1000
    with store.writing() as files:
        name, _ = files.put(content, ".bin")
    path_of(name).chmod(0o600)
    path_of(name).write_bytes(content[:777])
    with store.writing() as files:
        assert files.put(content, ".bin")[0] == name
    assert store.get(name) == content


def test_many_writers_of_one_content_leave_one_whole_file() -> None:
    content = b"the same tensor" * 100_000
    names: list[str] = []
    start = threading.Barrier(6)

    def write() -> None:
        start.wait()
        with store.writing() as files:
            names.append(files.put(content, ".bin")[0])

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == 6 and len(set(names)) == 1
    assert store.get(names[0]) == content
    assert stray_files(names[0]) == []


def test_everything_lies_below_the_one_folder() -> None:
    with store.writing() as files:
        name, _ = files.put(b"somewhere", ".bin")
    assert path_of(name).is_relative_to(settings.VAR)
