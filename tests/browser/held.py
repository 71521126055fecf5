"""The web application and the worker, made to wait in the middle of what a test wants to cut off.

`gunicorn tests.browser.held` or `celery -A tests.browser.held worker`: the function that ICHOR_TEST_HELD names does its
work, leaves the file `reached` in the folder ICHOR_TEST_GATE, and returns once the file `go` is there.
"""

from __future__ import annotations

import functools
import os
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from ichor.celery import app
from ichor.wsgi import application

__all__ = ["app", "application"]


def _hold(dotted: str, gate: Path) -> None:
    module, _, name = dotted.rpartition(".")
    function = getattr(import_module(module), name)

    @functools.wraps(function)
    def held(*arguments: Any, **named: Any) -> Any:
        found = function(*arguments, **named)
        (gate / "reached").touch()
        while not (gate / "go").exists():
            time.sleep(0.02)
        return found

    setattr(import_module(module), name, held)


_hold(os.environ["ICHOR_TEST_HELD"], Path(os.environ["ICHOR_TEST_GATE"]))
