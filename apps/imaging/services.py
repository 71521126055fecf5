"""What happens to a series after it was received: preprocessing, and its failure or success."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.access import require
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.core import jobs, store
from apps.core.errors import Refusal
from apps.core.models import Job
from apps.imaging.choice import apply_choice
from apps.imaging.models import Series
from apps.patients.changes import announce
from apps.patients.models import Patient


def finish_preparation(
    *, series: Series, revision: int, version: str, report: dict[str, object], tensor: bytes
) -> bool:
    """Store what preprocessing made of a series: the network's input (npy bytes) and the report on it.

    Return False, and store nothing, when slices have come since the given revision was read.
    """
    name, digest = store.put(tensor, ".npy")
    with transaction.atomic():
        Patient.objects.select_for_update().get(pk=series.patient_id)
        return _finish(
            series,
            revision,
            state=Series.State.READY,
            preprocessing_version=version,
            preprocessing_report=report,
            tensor=name,
            tensor_sha256=digest,
        )


@transaction.atomic
def fail_preparation(*, series: Series, revision: int, code: str, sentence: str) -> bool:
    """Mark a series that preprocessing refuses (no head, for example); it stays visible with the reason."""
    Patient.objects.select_for_update().get(pk=series.patient_id)
    report = {"findings": [{"code": code, "level": "fail", "sentence": sentence}]}
    return _finish(series, revision, state=Series.State.FAILED, preprocessing_report=report)


def _finish(series: Series, revision: int, **values: object) -> bool:
    if not Series.objects.filter(pk=series.pk, revision=revision).update(**values):
        return False
    series.refresh_from_db()
    apply_choice(series.patient)
    announce(series.patient)
    return True


@transaction.atomic
def retry_preparation(*, actor: User, series: Series) -> None:
    """Queue a failed preparation again."""
    require(actor, Permission.UPLOAD_CT, series.patient.center)
    # The lock lets one of two clicks at the same moment through.
    job = Job.objects.select_for_update().filter(series=series).first()
    if job is None or job.state != Job.State.FAILED:
        raise Refusal("not_failed", _("Only a failed job can be retried."), status=409)
    Series.objects.filter(pk=series.pk).update(state=Series.State.RECEIVED, preprocessing_report={})
    record(actor=actor, action="retry_preparation", target=series, center=series.patient.center)
    jobs.retry(job)


def lock_series(series: Series) -> None:
    """Close a series: something rests on its slices now, so that none may come between them."""
    Series.objects.filter(pk=series.pk, locked_at=None).update(locked_at=timezone.now())
