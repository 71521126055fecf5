"""Files, kept by their content: the name is the SHA-256, so writing twice is writing once."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage


class Store:
    """Writes files and remembers which of them it made, so that they can be taken back."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def put(self, content: bytes, suffix: str) -> tuple[str, str]:
        """Store bytes and return (name, SHA-256); nothing is written when they are there already.

        A file that a disk has damaged is written anew.
        """
        digest = hashlib.sha256(content).hexdigest()
        name = f"{digest[:2]}/{digest[2:4]}/{digest}{suffix}"
        known = default_storage.exists(name)
        if known and _is_whole(name, digest):
            return name, digest
        default_storage.save(name, ContentFile(content))
        if not known:
            self.made.append(name)
        return name, digest


@contextmanager
def writing() -> Iterator[Store]:
    """Write files for rows that are yet to come; if the block fails, the files it made are removed again.

    The caller holds the patient's row lock, and each file's content is bound to its patient, so no other writer can
    have come to rely on a file that is removed here.
    """
    store = Store()
    try:
        yield store
    except BaseException:
        for name in store.made:
            default_storage.delete(name)
        raise


def _is_whole(name: str, digest: str) -> bool:
    try:
        return hashlib.sha256(get(name)).hexdigest() == digest
    except FileNotFoundError:  # another writer has just removed the part
        return False


def get(name: str) -> bytes:
    """Return the bytes of a stored file."""
    with default_storage.open(name) as file:
        content: bytes = file.read()
    return content
