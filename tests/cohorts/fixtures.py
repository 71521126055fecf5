"""Fixtures for tests of cohorts, experiments and predictions; the conftest.py of those folders names them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def files(tmp_path: Path, settings: Any) -> Callable[[], set[str]]:
    """Keep store and runs in the test's own folder, and list the files of the store."""
    folder = tmp_path / "store"
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "apps.core.storage.WholeFileStorage",
            "OPTIONS": {"location": folder},
        }
    }
    settings.RUNS_DIR = tmp_path / "runs"
    # The test's transaction holds the write lock of SQLite; a heartbeat from a thread would wait for it in vain.
    settings.JOB_HEARTBEAT_SECONDS = 3600
    return lambda: {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
