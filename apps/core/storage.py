"""The folder in which files are kept on one machine."""

import os
import tempfile
from pathlib import Path

from django.core.files import File
from django.core.files.storage import FileSystemStorage


class WholeFileStorage(FileSystemStorage):
    """A file stands under its name only when it is whole, as in an object store: written beside, then renamed.

    Whoever reads while it is written sees nothing, and a process that is killed leaves no part of it under its name.
    """

    def _save(self, name: str, content: File) -> str:  # type: ignore[type-arg]
        target = Path(self.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, part = tempfile.mkstemp(dir=target.parent, prefix=".part-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                for chunk in content.chunks():
                    file.write(chunk)
            os.replace(part, target)  # noqa: PTH105
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
        return name
