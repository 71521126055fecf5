"""Exports on a worker."""

from apps.cohorts.exports.services import write_export
from apps.cohorts.models import Export
from apps.core.jobs import JobHandle, durable_task


@durable_task(queue="imaging")
def write(job: JobHandle, *, export_id: int) -> None:
    """Write the files of an export."""
    write_export(job, Export.objects.select_related("requested_by").get(pk=export_id))
