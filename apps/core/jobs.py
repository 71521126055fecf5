"""durable_task: the only way to write a Celery task here.

The broker may deliver a message twice, late, or not at all, and a worker may be killed at any moment. So a task
claims its Job row before it works, proves by a heartbeat that it lives, and is queued again by
`requeue_lost_jobs` when the heartbeat stops. Task bodies must therefore be idempotent.
"""

import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from celery import current_app, shared_task
from django.conf import settings
from django.db import close_old_connections, connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.errors import Refusal
from apps.core.models import Job
from ml.errors import MLError

logger = logging.getLogger(__name__)

# A host name may have 64 characters; the claim, of which it is a part, has room for 80.
HOST = socket.gethostname()[:40]
MAX_ATTEMPTS = 5


class ClaimLost(Exception):
    """Another worker has taken the job over; this one must stop without a word."""


@dataclass(frozen=True)
class JobHandle:
    """What a running task may say about itself."""

    job_id: int
    claim: str

    def report(self, stage: str, progress: float) -> None:
        """Show a stage and a fraction 0..1 on the page; raise ClaimLost when the job is no longer ours."""
        changed = Job.objects.filter(pk=self.job_id, claim=self.claim, state=Job.State.RUNNING).update(
            stage=stage[:200], progress=min(max(progress, 0.0), 1.0), heartbeat_at=timezone.now()
        )
        if not changed:
            raise ClaimLost


TaskBody = Callable[..., None]
_HANDLERS: dict[str, TaskBody] = {}


@dataclass(frozen=True)
class DurableTask:
    """A registered task: `enqueue` is its only public verb."""

    name: str
    queue: str
    body: TaskBody

    def enqueue(self, **arguments: Any) -> Job:
        """Write the Job row in the caller's transaction, and send the message once that is committed."""
        job = Job.objects.create(task=self.name, queue=self.queue, arguments=arguments)
        transaction.on_commit(lambda: send(job))
        return job


def durable_task(*, queue: str) -> Callable[[TaskBody], DurableTask]:
    """Register `body(job, **arguments)`; the arguments are ids and plain values that JSON can hold."""

    def register(body: TaskBody) -> DurableTask:
        name = f"{body.__module__}.{body.__name__}"
        _HANDLERS[name] = body
        return DurableTask(name=name, queue=queue, body=body)

    return register


_periodic: list[Callable[[], None]] = []


def periodic(body: Callable[[], None]) -> Callable[[], None]:
    """Have a short look-around done each minute, beside the search for lost jobs."""
    _periodic.append(body)
    return body


def look_around() -> None:
    """Do what each app wants done each minute; one that fails stops no other."""
    for body in _periodic:
        try:
            body()
        except Exception:
            logger.exception("%s failed; it will run again in a minute", body.__name__)


def send(job: Job) -> None:
    """Tell a worker about the row. A broker that is down loses nothing: the sweep sends again."""
    try:
        current_app.send_task("apps.core.jobs.run_job", kwargs={"job_id": job.pk}, queue=job.queue, retry=False)
    except Exception:
        # Marks the row as never announced, so that the next sweep takes it.
        Job.objects.filter(pk=job.pk, state=Job.State.QUEUED).update(heartbeat_at=None)
        logger.exception("job %s could not be announced; the sweep will try again", job.pk)
    else:
        Job.objects.filter(pk=job.pk, state=Job.State.QUEUED).update(heartbeat_at=timezone.now())


def stop(jobs: QuerySet[Job], *, failure: str) -> int:
    """End jobs that wait or run, with a sentence; a worker that runs one notices when it next reports."""
    active = jobs.filter(state__in=[Job.State.QUEUED, Job.State.RUNNING])
    return active.update(
        state=Job.State.FAILED, claim="", failure=failure, failure_code="stopped", finished_at=timezone.now()
    )


def retry(job: Job, *, though_done: bool = False) -> None:
    """Queue a failed job again with the same input; one that was done too, if what it made was lost."""
    states = [Job.State.FAILED, Job.State.SUCCEEDED] if though_done else [Job.State.FAILED]
    changed = Job.objects.filter(pk=job.pk, state__in=states).update(
        state=Job.State.QUEUED,
        failure="",
        failure_code="",
        attempt=0,
        claim="",
        heartbeat_at=None,
        progress=0.0,
        stage="",
    )
    if changed:
        transaction.on_commit(lambda: send(job))


@shared_task(name="apps.core.jobs.run_job")
def run_job(*, job_id: int) -> None:
    """Claim a row, run its body, and write down how it ended."""
    pid = os.getpid()
    claim = f"{HOST}:{pid}:{_birth_of(pid)}:{uuid.uuid4().hex[:12]}"
    now = timezone.now()
    claimed = Job.objects.filter(pk=job_id, state=Job.State.QUEUED).update(
        state=Job.State.RUNNING,
        claim=claim,
        attempt=F("attempt") + 1,
        heartbeat_at=now,
        started_at=now,
        finished_at=None,
    )
    if not claimed:
        return
    job = Job.objects.get(pk=job_id)
    handle = JobHandle(job_id=job_id, claim=claim)
    stop = threading.Event()
    heart = threading.Thread(target=_beat, args=(handle, stop), daemon=True)
    heart.start()
    try:
        _HANDLERS[job.task](handle, **job.arguments)
    except ClaimLost:
        logger.warning("job %s was taken over by another worker", job_id)
    except Exception as error:
        failure, code = _explain(error, job)
        _finish(handle, failure=failure, code=code)
    else:
        _finish(handle)
    finally:
        stop.set()
        heart.join()


def _explain(error: Exception, job: Job) -> tuple[str, str]:
    """Return a sentence and a code for what a body raised; of an unexpected error only the log tells more."""
    if isinstance(error, Refusal):
        return error.sentence, error.code
    if isinstance(error, MLError):
        return str(error), error.code
    logger.error("job %s (%s) failed", job.pk, job.task, exc_info=error)
    sentence = _(
        "The task stopped on an unexpected error. Retry it; if it fails again, tell the administrator that "
        "job %(job)d failed."
    )
    return sentence % {"job": job.pk}, "unexpected"


def _finish(handle: JobHandle, *, failure: str = "", code: str = "") -> None:
    state = Job.State.FAILED if failure else Job.State.SUCCEEDED
    done: dict[str, Any] = {} if failure else {"progress": 1.0, "stage": ""}
    Job.objects.filter(pk=handle.job_id, claim=handle.claim, state=Job.State.RUNNING).update(
        state=state, failure=failure, failure_code=code, finished_at=timezone.now(), **done
    )


def _beat(handle: JobHandle, stop: threading.Event) -> None:
    """Touch the row every few seconds from a thread of its own, so that a long step is not taken for a death."""
    try:
        while not stop.wait(settings.JOB_HEARTBEAT_SECONDS):
            close_old_connections()
            try:
                Job.objects.filter(pk=handle.job_id, claim=handle.claim).update(heartbeat_at=timezone.now())
            except Exception:  # a database that restarts must not end the job
                logger.warning("job %s: heartbeat not written", handle.job_id)
    finally:
        connection.close()


def requeue_lost(*, at_start: bool = False) -> list[int]:
    """Queue again every job whose worker is gone, and announce again queued jobs that no worker has taken.

    A worker on this host whose process no longer exists is known to be dead at once; one on another host is given
    JOB_LOST_AFTER_SECONDS of silence. `at_start` announces everything that waits: a worker that was killed may have
    taken a message with it, and a message too many is harmless.
    """
    now = timezone.now()
    silent = now - timedelta(seconds=settings.JOB_LOST_AFTER_SECONDS)
    lost = []
    for job in Job.objects.filter(state=Job.State.RUNNING):
        if (job.heartbeat_at is None or job.heartbeat_at < silent or _is_dead(job.claim)) and _give_up_claim(job):
            lost.append(job.pk)
    waiting = Job.objects.filter(state=Job.State.QUEUED)
    if not at_start:
        unheard = now - 10 * timedelta(seconds=settings.JOB_LOST_AFTER_SECONDS)
        waiting = waiting.filter(Q(pk__in=lost) | Q(heartbeat_at=None) | Q(heartbeat_at__lt=unheard))
    for job in waiting.order_by("pk"):
        send(job)
    return lost


def _give_up_claim(job: Job) -> bool:
    mine = Job.objects.filter(pk=job.pk, claim=job.claim, state=Job.State.RUNNING)
    if job.attempt >= MAX_ATTEMPTS:
        sentence = _("The worker stopped %(n)d times while it did this. Tell the administrator; then retry.") % {
            "n": job.attempt
        }
        mine.update(state=Job.State.FAILED, failure=sentence, failure_code="worker_lost", finished_at=timezone.now())
        return False
    return bool(mine.update(state=Job.State.QUEUED, claim=""))


def _is_dead(claim: str) -> bool:
    """Say whether the claiming process is known to be gone; the number of a dead process may have a new owner."""
    host, pid, birth, _ = (*claim.split(":"), "", "", "", "")[:4]
    if host != HOST or not pid.isdigit() or not birth:
        return False
    return _birth_of(int(pid)) != birth


def _birth_of(pid: int) -> str:
    """Return when a process began (ticks of the kernel), "" where it is gone or the system does not tell (no /proc)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    # A zombie holds its number until its parent looks, which in a container without init may be never.
    return "" if fields[0] in {"Z", "X"} else fields[19]
