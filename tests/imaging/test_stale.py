"""Images that an earlier version of preprocessing made are made anew, without anybody's doing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apps.accounts.models import User
from apps.core import store
from apps.core.jobs import run_job
from apps.core.models import Job
from apps.imaging.models import Series
from apps.imaging.tasks import queue_stale
from apps.patients.models import Patient
from ml.preprocessing import PREPROCESSING_VERSION
from ml.simulation import PhantomSpec, simulate_ct
from tests.imaging.factory import receive_series
from tests.imaging.store import empty_store as empty_store

Capture = Callable[..., Any]
pytestmark = pytest.mark.slow


@pytest.fixture
def ready(coordinator: User, patient: Patient, tmp_path: Path, empty_store: None) -> Series:
    simulate_ct(tmp_path / "ct", spec=PhantomSpec(rows=128, columns=128), seed=3)
    files = [path.read_bytes() for path in (tmp_path / "ct").iterdir()]
    series = receive_series(actor=coordinator, patient=patient, files=files)
    assert series.job_id is not None
    run_job(job_id=series.job_id)
    series.refresh_from_db()
    return series


def aged(series: Series) -> str:
    """Give a series the image of an earlier version, and return the name of the current one."""
    current = series.tensor
    name, digest = store.put(b"of an earlier version", ".npy")
    Series.objects.filter(pk=series.pk).update(preprocessing_version="0", tensor=name, tensor_sha256=digest)
    return current


def test_it_is_queued_once_stays_in_use_and_is_made_anew(
    ready: Series, django_capture_on_commit_callbacks: Capture
) -> None:
    current = aged(ready)
    with django_capture_on_commit_callbacks():
        queue_stale()
        queue_stale()
    job = Job.objects.get(state=Job.State.QUEUED)
    assert job.arguments == {"series_id": ready.pk}
    ready.refresh_from_db()
    assert ready.state == Series.State.READY and ready.tensor != current
    run_job(job_id=job.pk)
    ready.refresh_from_db()
    assert (ready.state, ready.preprocessing_version, ready.tensor) == ("ready", PREPROCESSING_VERSION, current)
    with django_capture_on_commit_callbacks():
        queue_stale()
    assert not Job.objects.filter(state=Job.State.QUEUED).exists()


def test_one_that_failed_waits_for_a_person(ready: Series, django_capture_on_commit_callbacks: Capture) -> None:
    aged(ready)
    Job.objects.update(state=Job.State.FAILED)
    with django_capture_on_commit_callbacks():
        queue_stale()
    assert not Job.objects.filter(state=Job.State.QUEUED).exists()
