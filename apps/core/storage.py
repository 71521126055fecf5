"""The folder in which files are kept on one machine."""

import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from django.core.files import File
from django.core.files.storage import FileSystemStorage


class WholeFileStorage(FileSystemStorage):
    """A file stands under its name only when it is whole, as in an object store: written beside, then renamed.

    Whoever reads while it is written sees nothing, and a process that is killed leaves no part of it under its name.
    What was saved is on the disk when the call returns, so that no row outlives its file in a power cut.
    """

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """Return the name as it is: names are digests of contents, so a file is only ever written over by itself."""
        return name

    def _save(self, name: str, content: File) -> str:  # type: ignore[type-arg]
        target = Path(self.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, part = tempfile.mkstemp(dir=target.parent, prefix=".part-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                for chunk in content.chunks():
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, target)  # noqa: PTH105
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)
        return name

    def read_range(self, name: str, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`; fewer where the file ends before."""
        with Path(self.path(name)).open("rb", buffering=0) as file:
            return os.pread(file.fileno(), length, offset)

    def files(self) -> Iterator[tuple[str, datetime]]:
        """Yield (name, time of the last writing) of every file, names in order."""
        yield from _files_below(Path(self.location), "")

    def delete_older(self, name: str, before: datetime) -> bool:
        """Delete a file unless it was written after `before`; say whether that was done."""
        path = Path(self.path(name))
        try:
            if path.stat().st_mtime >= before.timestamp():
                return False
            path.unlink()
        except FileNotFoundError:
            return False
        return True


def _files_below(folder: Path, prefix: str) -> Iterator[tuple[str, datetime]]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _files_below(folder / entry.name, f"{prefix}{entry.name}/")
            continue
        try:
            modified = entry.stat(follow_symlinks=False).st_mtime
        except FileNotFoundError:  # a writer's part, renamed in between
            continue
        yield prefix + entry.name, datetime.fromtimestamp(modified, UTC)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
