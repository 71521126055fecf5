"""Preprocessing of a stored series on a worker."""

from datetime import timedelta
from io import BytesIO
from typing import Any

import numpy as np
from django.db.models import Q
from django.utils import timezone

from apps.core.jobs import JobHandle, durable_task, periodic
from apps.core.models import Job
from apps.imaging import services
from apps.imaging.ingest.receive import queue_preparation
from apps.imaging.models import Series
from apps.imaging.selectors import load_volume
from apps.patients.models import Patient
from ml import preprocessing
from ml.errors import MLError
from ml.preprocessing import PREPROCESSING_VERSION
from ml.preprocessing.coverage import coverage_findings
from ml.volumes import Volume

# A part of an upload whose other parts never came is worked on after this.
FORGOTTEN_AFTER = timedelta(seconds=60)
# So few a minute that uploads need not wait behind a whole archive.
STALE_A_MINUTE = 20


@durable_task(queue="imaging")
def prepare_series(job: JobHandle, *, series_id: int) -> None:
    """Make the network's input of a series and store it. Doing it twice writes the same file under the same name."""
    while True:
        series = Series.objects.select_related("patient__center").get(pk=series_id)
        if series.state == Series.State.READY and series.preprocessing_version == PREPROCESSING_VERSION:
            return
        # A failed geometry lets nothing go on.
        if series.geometry_report.get("level") == "fail" or _prepare(job, series):
            return


def _prepare(job: JobHandle, series: Series) -> bool:
    """Return False when slices came while the series was worked on."""
    job.report("Reading slices", 0.1)
    volume = load_volume(series)
    job.report("Finding the brain", 0.4)
    try:
        prepared = preprocessing.preprocess(volume)
    except MLError as error:
        if not services.fail_preparation(series=series, revision=series.revision, code=error.code, sentence=str(error)):
            return False
        raise
    job.report("Storing", 0.9)
    buffer = BytesIO()
    # Half precision resolves the 90 HU window to 0.05 HU, far below the noise of a CT, at half the disk.
    np.save(buffer, prepared.image.astype(np.float16))
    return services.finish_preparation(
        series=series,
        revision=series.revision,
        version=PREPROCESSING_VERSION,
        report=_report(volume, prepared),
        tensor=buffer.getvalue(),
    )


def _report(volume: Volume, prepared: "preprocessing.Preprocessed") -> dict[str, Any]:
    """Return what preprocessing found, with the coverage said once and what the geometry report says left to it."""
    report = prepared.report.to_dict()
    said = {"vertex_missing", "foramen_magnum_not_found", "tilted", "mixed_gaps"}
    report["findings"] = [finding for finding in report["findings"] if finding["code"] not in said]
    report["findings"] += [vars(finding) for finding in coverage_findings(volume, prepared)]
    return report


@periodic
def queue_forgotten() -> None:
    """Queue the series of uploads that were broken off, so that what did come is worked on."""
    old = timezone.now() - FORGOTTEN_AFTER
    waiting = Series.objects.filter(modality="CT", state=Series.State.RECEIVED, job=None, uploaded_at__lt=old)
    for patient in Patient.objects.filter(pk__in=waiting.values("patient")):
        queue_preparation(patient)


@periodic
def queue_stale() -> None:
    """Have the images that an earlier version of preprocessing made, made anew; until then they stay in use.

    One whose job failed waits for a person: the fault would come again each minute.
    """
    ended = Q(job=None) | Q(job__state=Job.State.SUCCEEDED)
    stale = Series.objects.filter(ended, modality="CT", state=Series.State.READY)
    for series in stale.exclude(preprocessing_version=PREPROCESSING_VERSION).order_by("pk")[:STALE_A_MINUTE]:
        series.job = prepare_series.enqueue(series_id=series.pk)
        series.save(update_fields=["job"])
