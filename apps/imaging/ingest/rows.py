"""The rows of what was received: study, series, instance. The caller holds the patient's row lock."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from apps.accounts.models import User
from apps.core import store
from apps.imaging.ingest.kinds import frame_count
from apps.imaging.ingest.prepare import Prepared
from apps.imaging.models import ImagingStudy, Instance, Series
from apps.patients.models import Patient
from ml.volumes.headers import numbers, text

# What the choice of the series and the page need of the headers.
ACQUISITION = (
    "BodyPartExamined", "ConvolutionKernel", "SliceThickness", "ImageType", "ContrastBolusAgent", "ScanOptions",
    "LossyImageCompression", "Manufacturer", "KVP", "PatientSex", "PatientAge", "AcquisitionDate", "AcquisitionTime",
    "ProtocolName", "AcquisitionType",
)  # fmt: skip
# A disk writes several files in the time of one: most of it goes by in waiting for it.
_WRITERS = 8


def write_files(prepared: Sequence[Prepared]) -> dict[str, tuple[str, str]]:
    """Write each object's file, before any row names it; return {SOP Instance UID: (name, SHA-256)}."""
    if not prepared:
        return {}
    with ThreadPoolExecutor(min(_WRITERS, len(prepared))) as writers:
        written = list(writers.map(lambda item: store.put(item.content, ".dcm"), prepared))
    return {item.uid: file for item, file in zip(prepared, written, strict=True)}


def add_instances(
    actor: User, patient: Patient, new: Sequence[Prepared], files: dict[str, tuple[str, str]]
) -> list[Series]:
    """Add rows for objects whose files are written; return the series that grew."""
    grown: dict[str, Series] = {}
    rows = []
    for item in new:
        series = grown.get(item.series_uid) or _series_row(actor, patient, item.dataset)
        grown[item.series_uid] = series
        rows.append(_instance_row(series, item, files[item.uid]))
    Instance.objects.bulk_create(rows)
    for uid, series in grown.items():
        _note_changes(series, [item for item in new if item.series_uid == uid])
    return list(grown.values())


def _series_row(actor: User, patient: Patient, dataset: Dataset) -> Series:
    study, _ = ImagingStudy.objects.get_or_create(
        study_instance_uid=str(dataset.StudyInstanceUID),
        defaults={
            "patient": patient,
            "study_date": day_of(dataset, "StudyDate"),
            "study_time": text(dataset, "StudyTime")[:16],
            "description": text(dataset, "StudyDescription")[:64],
        },
    )
    number = numbers(dataset, "SeriesNumber")
    series, _ = Series.objects.get_or_create(
        series_instance_uid=str(dataset.SeriesInstanceUID),
        defaults={
            "study": study,
            "patient": patient,
            "modality": text(dataset, "Modality")[:16],
            "number": int(number[0]) if number else None,
            "description": text(dataset, "SeriesDescription")[:64],
            "series_date": day_of(dataset, "SeriesDate", "AcquisitionDate", "StudyDate"),
            "series_time": (text(dataset, "SeriesTime") or text(dataset, "StudyTime"))[:16],
            "uploaded_by": actor,
        },
    )
    return series


def day_of(dataset: Dataset, *keywords: str) -> date | None:
    """Return the first of the dates that a data set has."""
    for keyword in keywords:
        try:
            return datetime.strptime(text(dataset, keyword), "%Y%m%d").date()
        except ValueError:
            continue
    return None


def _instance_row(series: Series, item: Prepared, file: tuple[str, str]) -> Instance:
    dataset = item.dataset
    number = numbers(dataset, "InstanceNumber")
    return Instance(
        series=series,
        sop_instance_uid=item.uid,
        sop_class_uid=str(dataset.SOPClassUID),
        number=int(number[0]) if number else None,
        file=file[0],
        sha256=file[1],
        size=len(item.content),
        transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID),
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        frames=frame_count(dataset),
        pixel_digest=item.pixel_digest,
        metadata=item.header,
        frame_parts=item.parts,
    )


def _note_changes(series: Series, items: Sequence[Prepared]) -> None:
    """Add to the series' report on which tags changed, and note how the first slice was acquired."""
    counts = Counter((tag, action) for item in items for tag, action in item.changes.items())
    for (tag, action), count in counts.items():
        known = series.deidentification.get(tag, {"action": action, "instances": 0})
        series.deidentification[tag] = {"action": action, "instances": known["instances"] + count}
    if not series.acquisition:
        dataset = items[0].dataset
        series.acquisition = {keyword: found for keyword in ACQUISITION if (found := _plain(dataset, keyword))}


def _plain(dataset: Dataset, keyword: str) -> Any:
    value = dataset.get(keyword)
    return [str(item) for item in value] if isinstance(value, MultiValue) else text(dataset, keyword)
