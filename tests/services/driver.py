"""What the web process does to jobs, in a process of its own under any settings: a line of JSON in, a line out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.db import transaction  # noqa: E402
from django.forms.models import model_to_dict  # noqa: E402

from apps.core import jobs  # noqa: E402
from apps.core.models import Job  # noqa: E402
from apps.experiments.models import Experiment  # noqa: E402
from apps.experiments.progress import progress_of  # noqa: E402
from tests.services import bodies  # noqa: E402


def enqueue(name: str, **arguments: Any) -> int:
    with transaction.atomic():
        return int(getattr(bodies, name).enqueue(**arguments).pk)


def job(pk: int) -> dict[str, Any]:
    found = Job.objects.get(pk=pk)
    return model_to_dict(found, exclude=["arguments", "created_at", "started_at", "finished_at"]) | {
        "announced": found.heartbeat_at is not None, "heartbeat_at": str(found.heartbeat_at),
    }  # fmt: skip


def run(pk: int) -> dict[str, Any]:
    """A training run: whether it has ended, how far it is, and the job of each of its cells."""
    found = Experiment.objects.get(pk=pk)
    told = progress_of(found)
    cells = {f"{cell.arm} {cell.fold}-{cell.inner}": job(cell.job_id) for cell in found.cells.all()}
    return {
        "finished": found.is_finished, "state": told.state, "progress": told.progress, "failure": told.failure,
        "stage": told.stage, "cells": cells,
    }  # fmt: skip


def announce(pk: int) -> None:
    jobs.send(Job.objects.get(pk=pk))


def retry(pk: int) -> None:
    with transaction.atomic():
        jobs.retry(Job.objects.get(pk=pk))


def sweep() -> list[int]:
    return jobs.requeue_lost()


VERBS: dict[str, Callable[..., Any]] = {
    "enqueue": enqueue, "job": job, "announce": announce, "retry": retry, "sweep": sweep, "run": run,
}  # fmt: skip


def main() -> None:
    for line in sys.stdin:
        verb, arguments = json.loads(line)
        answer = VERBS[verb](**arguments)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
