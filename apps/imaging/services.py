"""Taking a CT series in: read, check, remove identity, store, and queue its preprocessing."""

import hashlib
from collections.abc import Iterable, Sequence
from io import BytesIO

import pydicom
from django.db import transaction
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from apps.accounts.access import centers_with, require
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.core import jobs, store
from apps.core.errors import Conflict, Refusal
from apps.imaging import geometry
from apps.imaging.deidentify import check_allowed, deidentify, replace_uid, to_bytes
from apps.imaging.models import ImagingStudy, Instance, Series
from apps.patients.changes import announce
from apps.patients.models import Patient
from ml.volumes import SeriesError, Volume, read_series


def receive_series(*, actor: User, patient: Patient, files: Sequence[bytes]) -> Series:
    """Store one CT series for a patient and queue its preprocessing.

    Everything that can be wrong with the files is found here, in memory, before a byte or a row is written.
    Raises Refusal, Conflict (this scan is here already) and SeriesError.
    """
    from apps.imaging.tasks import prepare_series

    require(actor, Permission.UPLOAD_CT, patient.center)
    datasets = _read(files)
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
    digest.update(volume.hu.round().astype("<i2").tobytes())
    return digest.hexdigest()


def _read(files: Iterable[bytes]) -> list[Dataset]:
    listed = list(files)
    datasets: list[Dataset] = []
    for number, content in enumerate(listed, start=1):
        try:
            dataset = pydicom.dcmread(BytesIO(content))
        except InvalidDicomError as error:
            raise SeriesError(
                "not_dicom",
                f"File {number} of {len(listed)} is not a DICOM file. Send only the DICOM files of the CT series.",
            ) from error
        except Exception as error:  # a damaged header makes pydicom raise almost anything
            raise SeriesError(
                "unreadable", f"File {number} of {len(listed)} is damaged or cut short. Export the series again."
            ) from error
        datasets.append(dataset)
    return datasets


def _refuse_known(actor: User, patient: Patient, digest: str) -> None:
    """Refuse a scan that this patient, or another one whom the actor may see, has already.

    A copy under a patient of a foreign center is let in without a word: to say more would tell what lies there.
    """
    own = Series.objects.filter(patient=patient, digest=digest).first()
    if own is not None:
        when = f"{own.uploaded_at:%Y-%m-%d %H:%M} UTC"
        raise Conflict("scan_known", f"This scan was already uploaded for this patient on {when}. Nothing was changed.")
    centers = centers_with(actor, Permission.VIEW_IMAGING)
    other = Series.objects.filter(digest=digest, patient__center__in=centers).select_related("patient").first()
    if other is not None:
        raise Conflict(
            "scan_of_other_patient",
            f"This scan is already stored for patient {other.patient.study_id}. Check whose scan it is.",
        )


def _store_rows(actor: User, patient: Patient, volume: Volume, digest: str) -> Series:
    study, _ = ImagingStudy.objects.get_or_create(
        patient=patient, study_instance_uid=replace_uid(volume.study_instance_uid, patient.study_id)
    )
    uid = replace_uid(volume.series_instance_uid, patient.study_id)
    if Series.objects.filter(series_instance_uid=uid).exists():
        raise Conflict(
            "series_differs",
            "A series of the same unique identifier but with other slices is stored for this patient already. "
            "Send the whole series, and nothing else.",
        )
    return Series.objects.create(
        study=study,
        patient=patient,
        series_instance_uid=uid,
        digest=digest,
        geometry=geometry.to_json(volume),
        uploaded_by=actor,
    )


def _store_instances(files: store.Store, series: Series, volume: Volume, datasets: list[Dataset]) -> None:
    by_uid = {str(dataset.SOPInstanceUID): dataset for dataset in datasets}
    rows = []
    for index, uid in enumerate(volume.sop_instance_uids):
        clean = deidentify(by_uid[uid], series.patient.study_id)
        name, digest = files.put(to_bytes(clean), ".dcm")
        rows.append(
            Instance(series=series, sop_instance_uid=clean.SOPInstanceUID, index=index, file=name, sha256=digest)
        )
    Instance.objects.bulk_create(rows)


@transaction.atomic
def finish_preparation(
    *, series: Series, version: str, report: dict[str, object], tensor: str, tensor_sha256: str
) -> None:
    """Write down what preprocessing made of a series."""
    series.preprocessing_version = version
    series.preprocessing_report = report
    series.tensor = tensor
    series.tensor_sha256 = tensor_sha256
    series.state = Series.State.READY
    series.save()
    announce(series.patient)


@transaction.atomic
def fail_preparation(*, series: Series, code: str, sentence: str) -> None:
    """Mark a series that preprocessing refuses (no head, for example); it stays visible with the reason."""
    series.state = Series.State.FAILED
    series.preprocessing_report = {"findings": [{"code": code, "level": "fail", "sentence": sentence}]}
    series.save()


@transaction.atomic
def retry_preparation(*, actor: User, series: Series) -> None:
    """Queue a failed preparation again."""
    require(actor, Permission.UPLOAD_CT, series.patient.center)
    if series.job is None or series.job.state != "failed":
        raise Refusal("not_failed", "Only a failed job can be retried.", status=409)
    Series.objects.filter(pk=series.pk).update(state=Series.State.RECEIVED)
    record(actor=actor, action="retry_preparation", target=series, center=series.patient.center)
    jobs.retry(series.job)
