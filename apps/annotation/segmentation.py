"""A hematoma mask as a DICOM Segmentation on the CT's own slices, for viewers and archives (PS3.3 A.51)."""

import json
import uuid
import warnings
from hashlib import sha256
from importlib.metadata import version
from io import BytesIO

import highdicom as hd
import numpy as np
import numpy.typing as npt
from django.db import transaction
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID, ExplicitVRLittleEndian

from apps.annotation.labels import LABELS
from apps.annotation.models import Mask
from apps.annotation.selectors import load_labels
from apps.core import store
from apps.imaging.ingest.index import refresh_series
from apps.imaging.models import Instance, Series
from apps.imaging.selectors import slices_of
from apps.patients.models import Patient
from ml.hematoma import Label

# A study id has one part, and is no name that could be taken for another.
warnings.filterwarnings("ignore", message=".*single component", module=r"highdicom\b")

_NAME = "Ichor"
# Behind the numbers that scanners give, so that masks stand last in a list.
_FIRST_NUMBER = 1000
# Required, also where the CT has no date; the day of drawing would betray by how much the patient's dates are moved.
_NO_DATE, _NO_TIME = "19000101", "000000"
# The last one names the scanner, with the time of writing as that of the scan.
_OF_THE_MOMENT = ("InstanceCreationDate", "InstanceCreationTime", "ContributingEquipmentSequence")
# What highdicom leaves behind of how identity was removed.
_REMOVAL = (
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
)


def segmentation_of(mask: Mask) -> Dataset:
    """Return a version of a mask as a binary DICOM Segmentation, a segment a label; the same bytes every time."""
    slices = _headers(mask.series)
    drawn = [Label(int(label)) for label in sorted(mask.label_ml)] or [Label.PARENCHYMAL]
    result = hd.seg.Segmentation(
        source_images=slices,
        pixel_array=_regions(mask, drawn),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_segment(mask, label, number) for number, label in enumerate(drawn, start=1)],
        series_instance_uid=_uid(mask, "series", mask.version),
        series_number=_FIRST_NUMBER + mask.version,
        sop_instance_uid=instance_uid(mask),
        instance_number=1,
        manufacturer=_NAME,
        manufacturer_model_name=_NAME,
        software_versions=version("ichor"),
        device_serial_number="1",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        omit_empty_frames=False,
        content_label="HEMATOMA",
        series_description=f"Hematoma, version {mask.version}",
        content_date=slices[0].StudyDate or _NO_DATE,
        content_time=slices[0].StudyTime or _NO_TIME,
        specific_character_set=slices[0].get("SpecificCharacterSet"),
    )
    _make_repeatable(result, mask)
    for keyword in _REMOVAL:
        if keyword in slices[0]:
            result[keyword] = slices[0][keyword]
    return result


def instance_uid(mask: Mask) -> UID:
    """Return the SOP Instance UID under which a version leaves."""
    return _uid(mask, "instance", mask.version)


def store_segmentation(mask: Mask) -> Series:
    """Store a version of a mask as a series of its own in the CT's study; a second call changes nothing."""
    known = Series.objects.filter(series_instance_uid=_uid(mask, "series", mask.version)).first()
    if known is not None:
        return known
    dataset = segmentation_of(mask)
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    content = buffer.getvalue()
    name, digest = store.put(content, ".dcm")
    with transaction.atomic():
        Patient.objects.select_for_update().get(pk=mask.patient_id)
        series, made = Series.objects.get_or_create(
            series_instance_uid=dataset.SeriesInstanceUID, defaults=_series_values(mask, dataset)
        )
        if made:
            _add_instance(series, dataset, name, digest, content)
            refresh_series(series)
    return series


def _headers(series: Series) -> list[Dataset]:
    """Return the headers of a CT's slices, foot to head; their pixels are not needed."""
    return [Dataset.from_json(header) for header in slices_of(series).values_list("metadata", flat=True)]


def _uid(mask: Mask, *names: object) -> UID:
    """Return a UID (PS3.5 B.2) that is the same whenever it is asked for; the CT's own UID is a keyed one already."""
    text = "|".join(map(str, (mask.series.series_instance_uid, "mask", *names)))
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, text).int}")


def _regions(mask: Mask, drawn: list[Label]) -> npt.NDArray[np.bool_]:
    """Return what each segment outlines, (z, y, x, segment)."""
    labels = load_labels(mask)
    return np.stack([labels == label for label in drawn], axis=-1)


def _segment(mask: Mask, label: Label, number: int) -> hd.seg.SegmentDescription:
    words = LABELS[label]
    # The finding, not its version: whoever follows it finds all versions under one UID.
    finding = ["finding"] if label == Label.PARENCHYMAL else ["finding", int(label)]
    kinds = hd.seg.SegmentAlgorithmTypeValues
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=words.dicom_name,
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=words.finding,
        algorithm_type=kinds.SEMIAUTOMATIC if mask.suggestion_version else kinds.MANUAL,
        algorithm_identification=_program(mask),
        tracking_uid=_uid(mask, *finding),
        tracking_id=words.dicom_name,
        anatomic_regions=[words.region],
        display_color=hd.color.CIELabColor.from_rgb(*words.color),
    )


def _program(mask: Mask) -> hd.AlgorithmIdentificationSequence | None:
    """Return which program has proposed what was corrected (PS3.3 10.16); nothing where none has."""
    if not mask.suggestion_version:
        return None
    family = codes.cid7162.MorphologicalOperations
    return hd.AlgorithmIdentificationSequence("Ichor suggestion", family, str(mask.suggestion_version))


def _make_repeatable(result: Dataset, mask: Mask) -> None:
    """Take out what highdicom draws anew at every call: the time of writing and a random UID."""
    for keyword in _OF_THE_MOMENT:
        if keyword in result:
            del result[keyword]
    organization = _uid(mask, "dimensions", mask.version)
    for item in (*result.DimensionOrganizationSequence, *result.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization


def _series_values(mask: Mask, dataset: Dataset) -> dict[str, object]:
    study = mask.series.study
    return {
        "study": study,
        "patient_id": mask.patient_id,
        "modality": dataset.Modality,
        "number": dataset.SeriesNumber,
        "description": dataset.SeriesDescription,
        "series_date": study.study_date,
        "series_time": study.study_time,
        "state": Series.State.READY,
        "uploaded_by_id": mask.uploaded_by_id,
    }


def _add_instance(series: Series, dataset: Dataset, file: str, digest: str, content: bytes) -> None:
    header = dcmread(BytesIO(content), stop_before_pixels=True).to_json_dict()
    Instance.objects.create(
        series=series,
        sop_instance_uid=dataset.SOPInstanceUID,
        sop_class_uid=dataset.SOPClassUID,
        number=dataset.InstanceNumber,
        file=file,
        sha256=digest,
        size=len(content),
        transfer_syntax_uid=dataset.file_meta.TransferSyntaxUID,
        rows=dataset.Rows,
        columns=dataset.Columns,
        frames=dataset.NumberOfFrames,
        pixel_digest=sha256(dataset.PixelData).hexdigest(),
        metadata=json.dumps(header, separators=(",", ":"), ensure_ascii=False),
        frame_parts=_frame_parts(dataset, len(content)),
    )


def _frame_parts(dataset: Dataset, size: int) -> list[list[list[int]]]:
    """Return where each frame lies in the file, whose last bytes are the pixels; none where frames share a byte."""
    bits = dataset.Rows * dataset.Columns
    if bits % 8:
        return []
    length = bits // 8
    start = size - len(dataset.PixelData)
    return [[[start + frame * length, length]] for frame in range(dataset.NumberOfFrames)]
