"""Files as people send them, and a worker that takes them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from apps.accounts.models import User
from apps.core.jobs import run_job
from apps.core.models import Job
from apps.crf.imports.models import Import
from apps.crf.imports.services import run_import, start_import

Capture = Callable[..., Any]
Check = Callable[..., Import]


def table(rows: Iterable[Mapping[str, object]], delimiter: str = ",") -> bytes:
    """Return a CSV of these rows; what a row does not have is blank."""
    rows = list(rows)
    head = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, head, restval="", delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def found_in(found: Import) -> set[tuple[int, str]]:
    """Return (row, column) of what was refused."""
    return {(each["row"], each["column"]) for each in found.report["faults"]}


def sentence_of(found: Import) -> str:
    (only,) = found.report["faults"]
    return str(only["sentence"])


def work(capture: Capture) -> None:
    for key in Job.objects.filter(state=Job.State.QUEUED).values_list("pk", flat=True):
        with capture(execute=True):
            run_job(job_id=key)


@pytest.fixture
def check(django_capture_on_commit_callbacks: Capture) -> Check:
    """Return a function that has a file checked as a worker does."""

    def checked(actor: User, content: bytes, **options: Any) -> Import:
        found = start_import(actor=actor, content=content, **options)
        work(django_capture_on_commit_callbacks)
        found = Import.objects.get(pk=found.pk)
        assert found.job is not None and found.job.state == Job.State.SUCCEEDED, found.job
        return found

    return checked


@pytest.fixture
def finish(django_capture_on_commit_callbacks: Capture) -> Check:
    """Return a function that imports a file that was checked."""

    def finished(actor: User, found: Import, reason: str = "") -> Import:
        run_import(actor=actor, found=found, reason=reason)
        work(django_capture_on_commit_callbacks)
        found = Import.objects.get(pk=found.pk)
        assert found.job is not None and found.job.state == Job.State.SUCCEEDED, found.job
        return found

    return finished
