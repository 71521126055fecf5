"""An empty file store for each test."""

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def empty_store(settings: Any, tmp_path: Path) -> Path:
    """Give the test a store in which there is nothing yet, and return its folder."""
    folder = tmp_path / "store"
    folder.mkdir()
    options = {"location": folder}
    settings.STORAGES = settings.STORAGES | {"default": settings.STORAGES["default"] | {"OPTIONS": options}}
    return folder
