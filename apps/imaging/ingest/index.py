"""What is made of a series each time its instances change: geometry and its report, metadata, counts of the study."""

import gzip
import hashlib
from collections.abc import Mapping, Sequence

from django.db.models import Count, Sum
from django.utils import timezone
from pydicom.dataset import Dataset

from apps.imaging import geometry
from apps.imaging.models import ImagingStudy, Instance, Series, SeriesMetadata
from ml.volumes.report import report_series


def refresh_series(series: Series, headers: Mapping[str, Dataset] | None = None) -> None:
    """Bring a series' row, its metadata and its study's row up to its instances.

    The caller holds the patient's row lock. What preprocessing made of the slices before is let go: it is stale.
    `headers`: the data sets at hand, by SOP Instance UID; those of other instances are read from their rows.
    """
    instances = list(series.instances.order_by("number", "pk"))
    series.instance_count = len(instances)
    series.revision += 1
    series.uploaded_at = timezone.now()
    if series.modality == "CT":
        _find_geometry(series, instances, headers or {})
    series.save()
    write_metadata(series, instances)
    _count_study(series.study)


def _find_geometry(series: Series, instances: Sequence[Instance], headers: Mapping[str, Dataset]) -> None:
    datasets = [headers.get(row.sop_instance_uid) or Dataset.from_json(row.metadata) for row in instances]
    report = report_series(datasets, {item.sop_instance_uid: item.pixel_digest for item in instances})
    series.geometry = {} if report.geometry is None else geometry.to_json(report.geometry)
    series.geometry_report = {
        "level": report.level,
        "findings": [
            {"code": finding.code, "level": finding.level, "sentence": finding.sentence} for finding in report.findings
        ],
    }
    series.state = Series.State.FAILED if report.level == "fail" else Series.State.RECEIVED
    series.preprocessing_version, series.preprocessing_report = "", {}
    series.tensor, series.tensor_sha256 = "", ""
    _place(series, instances, report.order if series.geometry else ())


def _place(series: Series, instances: Sequence[Instance], order: Sequence[str]) -> None:
    """Number the slices of the volume from the foot; the digest of the series follows from theirs."""
    places = {uid: place for place, uid in enumerate(order)}
    series.instances.update(index=None)
    for instance in instances:
        instance.index = places.get(instance.sop_instance_uid)
    Instance.objects.bulk_update([item for item in instances if item.index is not None], ["index"])
    digests = {item.sop_instance_uid: item.pixel_digest for item in instances}
    series.digest = hashlib.sha256("".join(digests[uid] for uid in order).encode()).hexdigest() if order else ""


def write_metadata(series: Series, instances: Sequence[Instance]) -> None:
    """Write what WADO-RS sends as the series' metadata: once here, and not at each request."""
    ordered = sorted(instances, key=lambda item: (item.number is None, item.number, item.pk))
    study = series.study.study_instance_uid
    content = ("[" + ",".join(_with_pixels_address(item, series, study) for item in ordered) + "]").encode()
    SeriesMetadata.objects.update_or_create(
        series=series,
        defaults={
            "revision": series.revision,
            # Without the time of writing, so that equal metadata are equal bytes.
            "content": gzip.compress(content, compresslevel=6, mtime=0),
            "etag": hashlib.sha256(content).hexdigest()[:32],
        },
    )


def _with_pixels_address(instance: Instance, series: Series, study_uid: str) -> str:
    """Return an instance's header with the address of its pixels, as PS3.18 wants it."""
    address = (
        f"/dicomweb/studies/{study_uid}/series/{series.series_instance_uid}/instances/{instance.sop_instance_uid}"
        "/bulkdata/7FE00010"
    )
    return f'{instance.metadata[:-1]},"7FE00010":{{"vr":"OW","BulkDataURI":"{address}"}}}}'


def _count_study(study: ImagingStudy) -> None:
    rows = (
        study.series.values("modality").annotate(series=Count("pk"), total=Sum("instance_count")).order_by("modality")
    )
    study.modalities = "\\".join(row["modality"] for row in rows if row["modality"])
    study.series_count = sum(row["series"] for row in rows)
    study.instance_count = sum(row["total"] for row in rows)
    study.save(update_fields=["modalities", "series_count", "instance_count"])
