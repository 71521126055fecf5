"""What several commands read."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.errors import MLError

if TYPE_CHECKING:
    from ml.volumes import Volume


def read_folder(folder: Path) -> "Volume":
    """Read the CT series whose files lie in a folder, at any depth.

    Raises
    ------
    MLError
        ``no_files``: no such folder, or nothing in it; else as ``ml.volumes.read_series``.
    """
    from ml.volumes import read_series

    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "DICOMDIR")
    if not files:
        raise MLError("no_files", "The folder of the CT series is not there or holds no files; check the path.")
    return read_series(files)


def read_object(path: Path, what: str) -> dict[str, Any]:
    """Read a JSON file that holds one object.

    Raises
    ------
    MLError
        ``bad_json``
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise MLError("bad_json", f"The file with {what} cannot be read; check the path.") from error
    except ValueError as error:
        raise MLError("bad_json", f"The file with {what} is not JSON; export it again.") from error
    if not isinstance(content, dict):
        raise MLError("bad_json", f"The file with {what} must hold one JSON object of names and values.")
    return content


def check_writable(path: Path) -> None:
    """Make sure that a file can be written where the user asks for it.

    Raises
    ------
    MLError
        ``no_output_folder``
    """
    if not path.parent.is_dir() or path.is_dir():
        raise MLError("no_output_folder", "The output cannot be written there; name a file in an existing folder.")
