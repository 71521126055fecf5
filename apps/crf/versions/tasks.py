"""Publishing on a worker."""

from apps.core.jobs import JobHandle, durable_task
from apps.crf.versions.models import DictionaryVersion
from apps.crf.versions.services import perform_publication


@durable_task(queue="imaging")
def publish(job: JobHandle, *, version_id: int) -> None:
    """Move every form and publish; begun anew, it does what is left, which is all or nothing."""
    perform_publication(job, DictionaryVersion.objects.select_related("published_by").get(pk=version_id))
