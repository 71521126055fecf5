"""Imports on a worker."""

from apps.core.jobs import JobHandle, durable_task
from apps.crf.imports.models import Import
from apps.crf.imports.services import check_import, perform_import


@durable_task(queue="imaging")
def check(job: JobHandle, *, import_id: int) -> None:
    """Check a file; nothing of it is saved."""
    check_import(job, Import.objects.select_related("requested_by").get(pk=import_id))


@durable_task(queue="imaging")
def run(job: JobHandle, *, import_id: int) -> None:
    """Import a file that was checked."""
    perform_import(job, Import.objects.select_related("requested_by").get(pk=import_id))
