"""Files that are whole or absent: written beside their place, then renamed."""

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import torch

from ml.errors import MLError


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write a file such that a crash at any moment leaves either the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a text file as a whole."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: object) -> None:
    """Write a JSON file as a whole; NaN and infinity are refused."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False))


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def serialize(content: dict[str, Any]) -> tuple[memoryview, str]:
    """Return tensors and plain values as bytes for :func:`load_tensors`, and their SHA-256."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    data = buffer.getbuffer()
    return data, hashlib.sha256(data).hexdigest()


def load_tensors(path: Path, sha256: str, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read what :func:`serialize` made, after comparing its digest; nothing in the file is executed.

    Raises
    ------
    MLError
        ``damaged_file``: absent, or not the file that was written. (torch itself does not notice a changed byte.)
    """
    if not path.is_file() or file_sha256(path) != sha256:
        raise MLError(
            "damaged_file", "A file of model weights is missing or damaged; restore the run folder or train again."
        )
    content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return content
