"""Files that are whole or absent: written beside their place, then renamed."""

import hashlib
import json
import os
import secrets
from pathlib import Path


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write a file such that a crash at any moment leaves either the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: workers of several machines may write the same file at the same time.
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
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
