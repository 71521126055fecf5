"""Files by content: once each, whole, and read in parts."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from hypothesis import given
from hypothesis import strategies as st

from apps.core import store

ROOT = Path(__file__).resolve().parents[2]
# SHA-256 of "abc", from FIPS 180-2, appendix B.1.
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def path_of(name: str) -> Path:
    return Path(default_storage.path(name))


def stray_files(name: str) -> list[str]:
    return [path.name for path in path_of(name).parent.iterdir() if path.name != Path(name).name]


def test_the_name_is_the_sha256() -> None:
    assert store.put(b"abc", ".bin") == (f"ba/78/{ABC}.bin", ABC)


@given(st.binary(max_size=200))
def test_what_was_put_is_got(content: bytes) -> None:
    name, digest = store.put(content, ".bin")
    assert store.get(name) == content
    assert digest == hashlib.sha256(content).hexdigest()


@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_range_is_that_part_of_the_file(content: bytes, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(content)))
    length = data.draw(st.integers(0, len(content) - offset))
    name, _ = store.put(content, ".bin")
    assert store.read_range(name, offset, length) == content[offset : offset + length]


@pytest.mark.parametrize(("offset", "length"), [(0, 4), (2, 2), (3, 1), (99, 1)])
def test_a_range_beyond_the_end_is_never_cut_short_in_silence(offset: int, length: int) -> None:
    name, _ = store.put(b"abc", ".bin")
    with pytest.raises(OSError, match="ends before"):
        store.read_range(name, offset, length)


def test_an_absent_file_is_an_error() -> None:
    for read in (store.get, lambda name: store.read_range(name, 0, 1)):
        with pytest.raises(FileNotFoundError):
            read(f"00/00/{'0' * 64}.bin")


def test_the_second_put_makes_the_file_new() -> None:
    """So the sweep, which goes by age, leaves alone what somebody has just come to rely on."""
    name, _ = store.put(b"twice", ".bin")
    os.utime(path_of(name), (1, 1))
    assert store.put(b"twice", ".bin")[0] == name
    assert path_of(name).stat().st_mtime > time.time() - 60
    assert stray_files(name) == []


def test_a_damaged_file_is_made_whole() -> None:
    content = b"0123456789" * 1000
    name, _ = store.put(content, ".bin")
    path_of(name).write_bytes(content[:777])
    assert store.put(content, ".bin")[0] == name
    assert store.get(name) == content


def test_many_writers_of_one_content_leave_one_whole_file() -> None:
    content = b"the same tensor" * 100_000
    names: list[str] = []
    start = threading.Barrier(6)

    def write() -> None:
        start.wait()
        names.append(store.put(content, ".bin")[0])

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == 6 and len(set(names)) == 1
    assert store.get(names[0]) == content
    assert stray_files(names[0]) == []


WRITER = """
import sys
from apps.core import store
for number in range(10**6):
    store.put(number.to_bytes(4, "big") * 250_000, ".bin")
    if number == 3:
        print("writing", flush=True)
"""


def test_a_killed_writer_leaves_only_whole_files_under_their_names(tmp_path: Path) -> None:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "platform"), str(ROOT)]),
        "DJANGO_SETTINGS_MODULE": "ichor.settings.embedded",
        "ICHOR_VAR": str(tmp_path),
    }
    command = [sys.executable, "-c", f"import django; django.setup()\n{WRITER}"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, cwd=ROOT) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        writer.send_signal(signal.SIGKILL)
    named = [path for path in (tmp_path / "store").rglob("*.bin") if not path.name.startswith(".part-")]
    assert len(named) >= 4
    for path in named:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem


def test_everything_lies_below_the_one_folder() -> None:
    name, _ = store.put(b"somewhere", ".bin")
    assert path_of(name).is_relative_to(settings.VAR)
