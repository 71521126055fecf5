"""Taking a CT series in: read, check, remove identity, store, and queue its preprocessing."""

import hashlib
from collections.abc import Sequence

import numpy as np
from django.db import transaction
from django.utils.translation import gettext as _
from pydicom.dataset import Dataset

from apps.accounts.access import require
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.core import jobs, store
from apps.core.errors import Conflict, Refusal
from apps.core.models import Job
from apps.imaging import geometry
from apps.imaging.deidentify import check_allowed, deidentify, replace_uid, to_bytes
from apps.imaging.models import ImagingStudy, Instance, Series
from apps.imaging.reading import read_datasets
from apps.imaging.selectors import series_visible_to
from apps.patients.changes import announce
from apps.patients.models import Patient
from ml.volumes import Volume, read_series
from ml.volumes.headers import text


def receive_series(*, actor: User, patient: Patient, files: Sequence[bytes]) -> Series:
    """Store one CT series for a patient and queue its preprocessing.

    Everything that can be wrong with the files is found here, in memory, before a byte or a row is written.
    Raises Refusal, Conflict (this scan is here already) and SeriesError.
    """
    from apps.imaging.tasks import prepare_series

    require(actor, Permission.UPLOAD_CT, patient.center)
    datasets = read_datasets(files)
    volume = read_series(datasets)
    for dataset in datasets:
        check_allowed(dataset)
    digest = digest_of(volume)
    with transaction.atomic(), store.writing() as files_store:
        Patient.objects.select_for_update().get(pk=patient.pk)
        _refuse_known(actor, patient, digest)
        series = _store_rows(actor, patient, volume, digest)
        _store_instances(files_store, series, volume, datasets)
        series.job = prepare_series.enqueue(series_id=series.pk)
        series.save(update_fields=["job"])
        record(
            actor=actor,
            action="upload_ct",
            target=series,
            center=patient.center,
            changes={"slices": [None, volume.shape[0]], "digest": [None, digest]},
        )
    return series


def digest_of(volume: Volume) -> str:
    """Return what tells one scan from another: SHA-256 over Hounsfield units and slice positions, not over UIDs."""
    digest = hashlib.sha256(volume.positions.round(3).tobytes())
    whole = np.clip(volume.hu.round(), np.iinfo(np.int16).min, np.iinfo(np.int16).max)
    digest.update(whole.astype("<i2").tobytes())
    return digest.hexdigest()


def _refuse_known(actor: User, patient: Patient, digest: str) -> None:
    """Refuse a scan that this patient, or another one whom the actor may see, has already.

    A copy under a patient of a foreign center is let in without a word: to say more would tell what lies there.
    """
    own = Series.objects.filter(patient=patient, digest=digest).first()
    if own is not None:
        when = f"{own.uploaded_at:%Y-%m-%d %H:%M} UTC"
        raise Conflict(
            "scan_known",
            _("This scan was already uploaded for this patient on %(when)s. Nothing was changed.") % {"when": when},
        )
    other = series_visible_to(actor).filter(digest=digest).select_related("patient").first()
    if other is not None:
        raise Conflict(
            "scan_of_other_patient",
            _("This scan is already stored for patient %(study_id)s. Check whose scan it is.")
            % {"study_id": other.patient.study_id},
        )


def _store_rows(actor: User, patient: Patient, volume: Volume, digest: str) -> Series:
    study, _ = ImagingStudy.objects.get_or_create(
        patient=patient, study_instance_uid=replace_uid(volume.study_instance_uid, patient.study_id)
    )
    uid = replace_uid(volume.series_instance_uid, patient.study_id)
    if Series.objects.filter(series_instance_uid=uid).exists():
        raise _series_differs()
    return Series.objects.create(
        study=study,
        patient=patient,
        series_instance_uid=uid,
        digest=digest,
        geometry=geometry.to_json(volume),
        uploaded_by=actor,
    )


def _store_instances(files: store.Store, series: Series, volume: Volume, datasets: list[Dataset]) -> None:
    by_uid = {text(dataset, "SOPInstanceUID"): dataset for dataset in datasets}
    clean = [deidentify(by_uid[uid], series.patient.study_id) for uid in volume.sop_instance_uids]
    if Instance.objects.filter(sop_instance_uid__in=[dataset.SOPInstanceUID for dataset in clean]).exists():
        raise _series_differs()
    rows = []
    for index, dataset in enumerate(clean):
        name, digest = files.put(to_bytes(dataset), ".dcm")
        rows.append(
            Instance(series=series, sop_instance_uid=dataset.SOPInstanceUID, index=index, file=name, sha256=digest)
        )
    Instance.objects.bulk_create(rows)


def _series_differs() -> Conflict:
    return Conflict(
        "series_differs",
        _(
            "Slices with the same unique identifiers are stored for this patient already, but in another set or with "
            "other pixels. Check which export is the right one, and ask the data manager."
        ),
    )


def finish_preparation(*, series: Series, version: str, report: dict[str, object], tensor: bytes) -> None:
    """Store what preprocessing made of a series: the network's input (npy bytes) and the report on it."""
    with transaction.atomic(), store.writing() as files:
        Patient.objects.select_for_update().get(pk=series.patient_id)
        series.tensor, series.tensor_sha256 = files.put(tensor, ".npy")
        series.preprocessing_version = version
        series.preprocessing_report = report
        series.state = Series.State.READY
        series.save(update_fields=["tensor", "tensor_sha256", "preprocessing_version", "preprocessing_report", "state"])
        announce(series.patient)


@transaction.atomic
def fail_preparation(*, series: Series, code: str, sentence: str) -> None:
    """Mark a series that preprocessing refuses (no head, for example); it stays visible with the reason."""
    series.state = Series.State.FAILED
    series.preprocessing_report = {"findings": [{"code": code, "level": "fail", "sentence": sentence}]}
    series.save(update_fields=["state", "preprocessing_report"])
    announce(series.patient)


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
