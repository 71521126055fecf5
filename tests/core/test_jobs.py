"""The job row: who may write to it, when it is given up, and what a failure may say. No worker is needed here."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.core import jobs
from apps.core.jobs import ClaimLost, JobHandle, durable_task, requeue_lost, run_job
from apps.core.models import Job

pytestmark = pytest.mark.django_db
State = Job.State


@durable_task(queue="imaging")
def note(job: JobHandle, *, text: str) -> None:
    """Show a text as the stage."""
    job.report(text, 0.25)


@durable_task(queue="imaging")
def lose_the_claim(job: JobHandle) -> None:
    """Go on although another worker has taken the row."""
    Job.objects.filter(pk=job.job_id).update(claim="elsewhere:1:1:x")
    job.report("Still here", 0.5)


def running(claim: str, *, silent: float = 0, attempt: int = 1) -> Job:
    beat = timezone.now() - timedelta(seconds=silent)
    return Job.objects.create(
        task=note.name, arguments={"text": "x"}, queue="imaging", state=State.RUNNING, claim=claim, heartbeat_at=beat,
        attempt=attempt,
    )  # fmt: skip


def own_claim() -> str:
    return f"{jobs.HOST}:{os.getpid()}:{jobs._birth_of(os.getpid())}:x"


def reread(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def test_a_body_runs_and_its_end_is_written() -> None:
    job = note.enqueue(text="Reading")
    assert (job.state, job.attempt) == (State.QUEUED, 0)
    run_job(job_id=job.pk)
    done = reread(job)
    assert (done.state, done.progress, done.attempt, done.failure) == (State.SUCCEEDED, 1.0, 1, "")
    assert done.started_at is not None and done.finished_at is not None and done.started_at <= done.finished_at


def test_a_finished_job_is_not_run_again() -> None:
    job = note.enqueue(text="x")
    run_job(job_id=job.pk)
    run_job(job_id=job.pk)
    assert reread(job).attempt == 1


def test_a_message_for_an_absent_row_is_ignored() -> None:
    run_job(job_id=10**9)
    assert not Job.objects.exists()


def test_the_message_is_sent_after_the_commit_only(django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks() as callbacks, transaction.atomic():
        note.enqueue(text="x")
    assert len(callbacks) == 1

    with django_capture_on_commit_callbacks() as callbacks, pytest.raises(KeyError), transaction.atomic():
        note.enqueue(text="x")
        raise KeyError
    assert callbacks == []
    assert Job.objects.count() == 1


def test_a_worker_that_lost_its_claim_writes_nothing_more() -> None:
    job = lose_the_claim.enqueue()
    run_job(job_id=job.pk)
    left = reread(job)
    assert (left.state, left.claim, left.progress) == (State.RUNNING, "elsewhere:1:1:x", 0.0)
    with pytest.raises(ClaimLost):
        JobHandle(job_id=job.pk, claim="mine").report("x", 0.5)


@pytest.mark.parametrize(("progress", "stored"), [(-1.0, 0.0), (0.3, 0.3), (7.0, 1.0)])
def test_progress_stays_a_fraction(progress: float, stored: float) -> None:
    job = running("c")
    JobHandle(job_id=job.pk, claim="c").report("s" * 500, progress)
    assert reread(job).progress == stored
    assert len(reread(job).stage) == 200


def test_the_database_refuses_a_progress_that_is_no_fraction() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.create(task="x", queue="imaging", progress=1.5)


def test_an_unknown_task_fails_with_a_sentence() -> None:
    job = Job.objects.create(task="nowhere.nothing", queue="imaging")
    run_job(job_id=job.pk)
    assert reread(job).state == State.FAILED
    assert "nowhere" not in reread(job).failure


class TestSweep:
    def test_a_living_worker_keeps_its_job(self) -> None:
        job = running(own_claim())
        assert requeue_lost() == []
        assert reread(job).state == State.RUNNING

    def test_a_dead_process_of_this_host_loses_it_at_once(self) -> None:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
            claim = f"{jobs.HOST}:{process.pid}:{jobs._birth_of(process.pid)}:x"
            job = running(claim)
            assert requeue_lost() == []
            process.kill()
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, but nobody has taken note: a zombie
            assert requeue_lost() == [job.pk]
        assert (reread(job).state, reread(job).claim) == (State.QUEUED, "")

    def test_a_new_process_under_the_number_of_a_dead_one_is_not_taken_for_it(self) -> None:
        job = running(f"{jobs.HOST}:{os.getpid()}:1:x")
        assert requeue_lost() == [job.pk]

    def test_another_host_is_given_time(self) -> None:
        fresh = running("elsewhere:1:1:x", silent=settings.JOB_LOST_AFTER_SECONDS - 10)
        lost = running("elsewhere:2:2:x", silent=settings.JOB_LOST_AFTER_SECONDS + 10)
        assert requeue_lost() == [lost.pk]
        assert reread(fresh).state == State.RUNNING

    def test_a_job_that_kills_its_workers_is_given_up(self) -> None:
        job = running("elsewhere:1:1:x", silent=1000, attempt=jobs.MAX_ATTEMPTS)
        last = running("elsewhere:1:1:y", silent=1000, attempt=jobs.MAX_ATTEMPTS - 1)
        assert requeue_lost() == [last.pk]
        failed = reread(job)
        assert (failed.state, failed.failure_code) == (State.FAILED, "worker_lost")
        assert "stopped 5 times" in failed.failure

    def test_retry_of_one_that_was_given_up_starts_to_count_anew(self) -> None:
        job = running("elsewhere:1:1:x", silent=1000, attempt=jobs.MAX_ATTEMPTS)
        requeue_lost()
        jobs.retry(job)
        run_job(job_id=job.pk)
        assert (reread(job).state, reread(job).attempt) == (State.SUCCEEDED, 1)

    def test_what_was_announced_just_now_is_not_announced_again(self) -> None:
        waiting = Job.objects.create(task=note.name, queue="imaging", heartbeat_at=timezone.now())
        forgotten = Job.objects.create(task=note.name, queue="imaging")
        unheard = Job.objects.create(task=note.name, queue="imaging", heartbeat_at=timezone.now() - timedelta(hours=1))
        assert requeue_lost() == []
        assert reread(waiting).heartbeat_at == waiting.heartbeat_at
        for job in (forgotten, unheard):
            assert reread(job).heartbeat_at is not None and reread(job).heartbeat_at != job.heartbeat_at

    def test_at_start_all_that_waits_is_announced(self) -> None:
        waiting = Job.objects.create(task=note.name, queue="imaging", heartbeat_at=timezone.now())
        requeue_lost(at_start=True)
        assert reread(waiting).heartbeat_at != waiting.heartbeat_at


def test_a_claim_fits_its_column_on_a_host_with_a_long_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(jobs.HOST) <= 40
    monkeypatch.setattr(jobs, "HOST", "h" * 40)
    monkeypatch.setattr(jobs.os, "getpid", lambda: 4194304)  # the largest that Linux gives
    job = note.enqueue(text="x")
    run_job(job_id=job.pk)
    # Ticks of the kernel since it started have at most 12 digits in 300 years.
    assert len(reread(job).claim) + 12 <= (Job._meta.get_field("claim").max_length or 0)
