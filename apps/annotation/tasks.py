"""What a worker does about hematomas: suggesting an outline, and measuring masks that lack it or have it of old."""

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from apps.annotation import services, suggestions
from apps.annotation.models import Mask, Suggestion
from apps.core.jobs import JobHandle, durable_task, periodic
from apps.core.models import Job
from apps.imaging.models import Series
from ml.hematoma import FEATURES_VERSION

# So few a minute that uploads need not wait behind a whole archive.
STALE_A_MINUTE = 20
# A store that was away makes many fail at once, and nobody has to look after numbers that nobody sees yet.
TRIED_AGAIN_AFTER = timedelta(hours=6)


@durable_task(queue="imaging")
def measure_mask(job: JobHandle, *, mask_id: int) -> None:
    """Measure place, shape and density of a mask. Doing it twice writes the same numbers."""
    job.report("Measuring the hematoma", 0.1)
    services.measure_features(Mask.objects.select_related("series").get(pk=mask_id))


@durable_task(queue="imaging")
def suggest_outline(job: JobHandle, *, suggestion_id: int) -> None:
    """Make a first outline of a CT."""
    job.report("Looking for the hematoma", 0.1)
    suggestions.compute(Suggestion.objects.select_related("series").get(pk=suggestion_id))


@periodic
def queue_stale() -> None:
    """Have masks measured that lack their place or their features, or have those of another version of the program."""
    failed = Q(job__state=Job.State.FAILED, job__finished_at__lt=timezone.now() - TRIED_AGAIN_AFTER)
    free = Q(job=None) | Q(job__state=Job.State.SUCCEEDED) | failed
    stale = Mask.objects.filter(free).exclude(~Q(lateral_mm=[]), features_version=FEATURES_VERSION)
    for mask in stale.exclude(series__state=Series.State.FAILED).order_by("-pk")[:STALE_A_MINUTE]:
        mask.job = measure_mask.enqueue(mask_id=mask.pk)
        mask.save(update_fields=["job"])
