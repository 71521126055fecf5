"""Durable tasks for tests, with folders and files as their hands and eyes."""

from __future__ import annotations

import os
import time
from pathlib import Path

from apps.core.errors import Refusal
from apps.core.jobs import JobHandle, durable_task
from ml.errors import MLError


def _append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text + "\n")


@durable_task(queue="imaging")
def two_steps(job: JobHandle, *, folder: str) -> None:
    """Do one step, wait until the file `go` is there, and do another. A step that is done is never done again."""
    place = Path(folder)
    _append(place / "starts", str(os.getpid()))
    for step in ("first", "second"):
        if not (place / step).exists():
            _append(place / step, str(os.getpid()))
        if step == "first":
            job.report("Waiting for go", 0.5)
            while not (place / "go").exists():
                time.sleep(0.02)
    job.report("Nearly there", 0.9)


@durable_task(queue="training")
def fail(job: JobHandle, *, folder: str) -> None:
    """Fail in the way that the file `how` names; succeed once it is gone."""
    how = Path(folder) / "how"
    kind = how.read_text() if how.exists() else ""
    if kind == "refusal":
        raise Refusal("no_head", "There is no head in this scan. Send the head CT.")
    if kind == "ml":
        raise MLError("no_foramen", "No foramen magnum was found. Check that the scan reaches the skull base.")
    if kind:
        raise RuntimeError("secret of the machine room")
