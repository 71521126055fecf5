"""Celery's view of the core: lost jobs, by the clock and whenever a worker starts, and the daily sweep of the store."""

import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_ready

from apps.core import jobs
from apps.core.sweep import sweep

__all__ = ["requeue_lost_jobs", "sweep_store"]

logger = logging.getLogger(__name__)


@shared_task(name="apps.core.tasks.requeue_lost_jobs")
def requeue_lost_jobs() -> None:
    """Queue again what a dead worker left behind."""
    jobs.requeue_lost()
    jobs.look_around()


@shared_task(name="apps.core.tasks.sweep_store")
def sweep_store() -> None:
    """Delete the files that no row names; tell the log when something is missing."""
    report = sweep()
    if report.doubtful:
        logger.error("%d stored files are named by no row, %d are: nothing was deleted", report.orphans, report.kept)
    for model, count in report.missing.items():
        logger.error("%d files of %s are missing; restore them from the backup", count, model)


@worker_ready.connect
def requeue_at_start(**_: Any) -> None:
    """A machine that was switched off and on again goes on where it stopped."""
    jobs.requeue_lost(at_start=True)
