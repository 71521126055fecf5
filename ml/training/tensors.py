"""Files of tensors that are known by their digests."""

import hashlib
import io
from pathlib import Path
from typing import Any

import torch

from ml.errors import MLError
from ml.training.files import file_sha256


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
