"""Files, kept by their content: the name is the SHA-256, so writing twice is writing once.

A file is written before the row that names it. A death between the two leaves a file that nobody names and nothing
else; the sweep (apps/core/sweep.py) takes it away after a while. Nothing is removed when a transaction fails: another
writer may have come to rely on the same content.
"""

import hashlib

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage


def put(content: bytes, suffix: str) -> tuple[str, str]:
    """Store bytes and return (name, SHA-256).

    What is there already is written again: so a file that a disk has damaged is made whole, and the sweep sees a new
    one.
    """
    digest = hashlib.sha256(content).hexdigest()
    name = f"{digest[:2]}/{digest[2:4]}/{digest}{suffix}"
    default_storage.save(name, ContentFile(content))
    return name, digest


def get(name: str) -> bytes:
    """Return the bytes of a stored file."""
    with default_storage.open(name) as file:
        content: bytes = file.read()
    return content


def read_range(name: str, offset: int, length: int) -> bytes:
    """Return a part of a stored file without reading the rest of it; OSError where the file is too short."""
    content: bytes = default_storage.read_range(name, offset, length)  # type: ignore[attr-defined]
    if len(content) != length:
        raise OSError(f"the stored file ends before byte {offset + length}")
    return content
