"""Celery's view of the core: the sweep, by the clock and whenever a worker starts."""

from typing import Any

from celery import shared_task
from celery.signals import worker_ready

from apps.core import jobs

__all__ = ["requeue_lost_jobs"]


@shared_task(name="apps.core.tasks.requeue_lost_jobs")
def requeue_lost_jobs() -> None:
    """Queue again what a dead worker left behind."""
    jobs.requeue_lost()


@worker_ready.connect
def requeue_at_start(**_: Any) -> None:
    """A machine that was switched off and on again goes on where it stopped."""
    jobs.requeue_lost(at_start=True)
