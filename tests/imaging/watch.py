"""Seeing every file that Python opens for writing."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND
_seen: list[list[Path]] = []
_installed: list[bool] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _seen or event != "open":
        return
    path, mode, flags = arguments
    writes = bool(flags & _WRITING) if isinstance(flags, int) else any(sign in str(mode) for sign in "wax+")
    if not writes or isinstance(path, int) or path is None:
        return
    name = os.fsdecode(path)
    # Byte code of a module that is imported just now holds nothing of an upload.
    if "__pycache__" not in name and name != os.devnull:
        _seen[-1].append(Path(name).absolute())


@contextmanager
def written_paths() -> Iterator[list[Path]]:
    """Collect the paths opened for writing in the block. An audit hook cannot be taken back; it sleeps afterwards."""
    if not _installed:
        sys.addaudithook(_hook)
        _installed.append(True)
    paths: list[Path] = []
    _seen.append(paths)
    try:
        yield paths
    finally:
        _seen.pop()
