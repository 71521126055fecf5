"""A first outline that the program proposes, to be corrected by a person: computed by a worker, once a CT."""

from django.db import IntegrityError, transaction

from apps.accounts.access import require
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.annotation import files
from apps.annotation.models import Suggestion
from apps.core import store
from apps.core.models import Job
from apps.imaging.models import Series
from apps.imaging.selectors import load_volume
from ml.hematoma import SUGGESTION_VERSION


def ask(*, actor: User, series: Series, again: bool = False) -> Suggestion:
    """Return the suggestion for a series as it is now; where there is none, a worker makes it.

    One that failed is tried again where that is asked for.
    """
    from apps.annotation.tasks import suggest_outline

    require(actor, Permission.UPLOAD_MASK, series.patient.center)
    try:
        with transaction.atomic():
            suggestion, _made = Suggestion.objects.select_for_update(of=("self",)).get_or_create(
                series=series, revision=series.revision
            )
            if not is_ready(suggestion) and _is_to_be_made(suggestion.job, again=again):
                suggestion.job = suggest_outline.enqueue(suggestion_id=suggestion.pk)
                suggestion.save(update_fields=["job"])
    except IntegrityError:  # another process was quicker
        return Suggestion.objects.get(series=series, revision=series.revision)
    return suggestion


def _is_to_be_made(job: Job | None, *, again: bool) -> bool:
    return job is None or job.state == Job.State.SUCCEEDED or (again and job.state == Job.State.FAILED)


def compute(suggestion: Suggestion) -> None:
    """Outline what looks like blood; doing it twice writes the same. Raises MLError where the CT is no usable head."""
    from ml.hematoma import suggest

    found = suggest(load_volume(suggestion.series))
    name, _digest = store.put(files.pack(found.mask, suggestion.series), ".npz")
    Suggestion.objects.filter(pk=suggestion.pk).update(file=name, version=SUGGESTION_VERSION)


def is_ready(suggestion: Suggestion) -> bool:
    """Say whether the labels are there, made by today's program."""
    return bool(suggestion.file) and suggestion.version == SUGGESTION_VERSION


def failure_of(suggestion: Suggestion) -> str:
    """Return why there is no suggestion; empty while it is being made."""
    job = suggestion.job
    return job.failure if job is not None and job.state == Job.State.FAILED else ""
