"""What a DICOM file may keep. An allow-list: an attribute that is not named here does not get in.

Only what places, decodes, windows and describes the acquisition of a CT slice is kept, with the patient's sex and age.
Names, dates of birth, accession numbers, addresses, physicians, institutions, descriptions in free text, overlays,
sequences and private tags fall away because nobody listed them.
"""

import hashlib
import hmac
from io import BytesIO

from django.conf import settings
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from apps.core.errors import Refusal

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"

KEPT = (
    # identity of the object and of the examination (UIDs are replaced below)
    "SpecificCharacterSet",
    "ImageType",
    "SOPClassUID",
    "Modality",
    # when: kept so that onset-to-CT can be checked
    "StudyDate",
    "StudyTime",
    "SeriesDate",
    "SeriesTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "ContentDate",
    "ContentTime",
    # the patient's characteristics
    "PatientSex",
    "PatientAge",
    # the device and the acquisition
    "Manufacturer",
    "ManufacturerModelName",
    "BodyPartExamined",
    "ScanOptions",
    "SliceThickness",
    "KVP",
    "SpacingBetweenSlices",
    "DataCollectionDiameter",
    "ReconstructionDiameter",
    "GantryDetectorTilt",
    "TableHeight",
    "RotationDirection",
    "ExposureTime",
    "XRayTubeCurrent",
    "Exposure",
    "FilterType",
    "ConvolutionKernel",
    "PatientPosition",
    # place in the series and in space
    "SeriesNumber",
    "AcquisitionNumber",
    "InstanceNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PositionReferenceIndicator",
    "SliceLocation",
    # the pixels
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "BurnedInAnnotation",
    "WindowCenter",
    "WindowWidth",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
    "PixelData",
)
REPLACED_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
# Type 2 attributes of the CT image: they must be present, and they stay empty.
EMPTIED = ("PatientName", "PatientBirthDate", "AccessionNumber", "ReferringPhysicianName", "StudyID")


def replace_uid(uid: str, study_id: str) -> str:
    """Return the UID that stands for `uid` here: the same every time for one patient, and not to be turned back."""
    message = f"{study_id}|{uid}".encode()
    digest = hmac.new(settings.UID_KEY.encode(), message, hashlib.sha256).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def check_allowed(dataset: Dataset) -> None:
    """Refuse what may show identity in its pixels, or is no CT image object."""
    if str(dataset.get("BurnedInAnnotation", "")).upper() == "YES":
        raise Refusal(
            "burned_in_annotation",
            "A slice says that text is burned into its picture, which could name the patient. Send the original series.",
        )
    if str(dataset.get("SOPClassUID", "")) != CT_IMAGE_STORAGE:
        raise Refusal(
            "not_ct_image",
            "A file is not a CT image but a derived object (screen shot, dose sheet or report). Send the CT slices alone.",
        )


def deidentify(dataset: Dataset, study_id: str) -> Dataset:
    """Return a new data set with what is allowed and the study id in place of the patient."""
    clean = Dataset()
    for keyword in KEPT:
        if keyword in dataset:
            clean[keyword] = dataset[keyword]
    for keyword in REPLACED_UIDS:
        if keyword in dataset:
            setattr(clean, keyword, replace_uid(str(dataset[keyword].value), study_id))
    for keyword in EMPTIED:
        setattr(clean, keyword, None)
    clean.PatientID = study_id
    clean.PatientIdentityRemoved = "YES"
    clean.DeidentificationMethod = "Ichor allow-list 1"
    clean.file_meta = FileMetaDataset()
    clean.file_meta.TransferSyntaxUID = UID(dataset.file_meta.TransferSyntaxUID)
    clean.file_meta.MediaStorageSOPClassUID = clean.SOPClassUID
    clean.file_meta.MediaStorageSOPInstanceUID = UID(clean.SOPInstanceUID)
    return clean


def to_bytes(dataset: Dataset) -> bytes:
    """Return a data set as a DICOM file with an empty preamble."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
