"""Writing a stack of Hounsfield values as CT Image Storage files (DICOM PS3.3 A.3)."""

import uuid
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from ml.errors import MLError
from ml.simulation.phantom_spec import PhantomSpec
from ml.simulation.phantom_stack import SliceStack

RESCALE_INTERCEPT = -1024
STORED_MAXIMUM = 4095
# An organization's own root would need registration; 2.25 plus a UUID is free for all (PS3.5 B.2).
IMPLEMENTATION_UID = UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, 'ichor digital head phantom').int}")

ARTIFICIAL_IDENTITY: Mapping[str, str] = MappingProxyType(
    {
        "PatientName": "Simulated^Phantom",
        "PatientID": "PHANTOM-0001",
        "PatientBirthDate": "19500101",
        "PatientSex": "O",
        "AccessionNumber": "SIM0001",
        "ReferringPhysicianName": "Nobody^Simulated",
        "InstitutionName": "Simulated Hospital",
        "InstitutionAddress": "1 Nowhere Street",
        "OperatorsName": "Operator^Simulated",
        "StudyDate": "20200101",
        "StudyTime": "083000",
        "StudyID": "1",
        "StudyDescription": "CT HEAD WITHOUT CONTRAST (SIMULATED)",
    }
)
"""Plainly artificial identity, so that de-identification has something to remove."""


def make_uid(*parts: object) -> UID:
    """Return a UID under 2.25 that depends on nothing but `parts`."""
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, '|'.join(map(str, parts))).int}")


def series_header(stack: SliceStack, spec: PhantomSpec, seed: int, tags: Mapping[str, str] | None) -> Dataset:
    """Return what all slices of the series share.

    Raises
    ------
    MLError
        ``unknown_dicom_keyword``: a key of `tags` is no DICOM keyword.
    """
    header = Dataset()
    identity = {**ARTIFICIAL_IDENTITY, **(tags or {})}
    _add_patient_and_study(header, identity, seed, spec)
    _add_acquisition(header, stack, spec)
    _add_image_format(header, stack)
    for keyword, value in identity.items():
        if tag_for_keyword(keyword) is None:
            raise MLError("unknown_dicom_keyword", "A patient tag has a name unknown to DICOM; use DICOM keywords.")
        setattr(header, keyword, value)
    return header


def _add_patient_and_study(header: Dataset, identity: Mapping[str, str], seed: int, spec: PhantomSpec) -> None:
    key = (seed, spec, identity["PatientID"])
    header.SpecificCharacterSet = "ISO_IR 192"
    header.StudyInstanceUID = make_uid("study", *key)
    header.SeriesInstanceUID = make_uid("series", *key)
    header.FrameOfReferenceUID = make_uid("frame", *key)
    header.PositionReferenceIndicator = ""
    header.Modality = "CT"
    header.SeriesNumber = 2
    header.SeriesDescription = "HEAD 5MM (SIMULATED)"
    header.SeriesDate = header.AcquisitionDate = header.ContentDate = identity["StudyDate"]
    header.SeriesTime = header.AcquisitionTime = header.ContentTime = identity["StudyTime"]
    header.Manufacturer = "Ichor"
    header.ManufacturerModelName = "Digital head phantom"
    header.SoftwareVersions = "1"
    header.PatientPosition = "HFS"
    header.BodyPartExamined = "HEAD"


def _add_acquisition(header: Dataset, stack: SliceStack, spec: PhantomSpec) -> None:
    header.SOPClassUID = CTImageStorage
    header.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    header.ImageComments = "simulated, not a patient"
    header.AcquisitionNumber = 1
    header.KVP = "120"
    header.XRayTubeCurrent = "250"
    header.ExposureTime = "1000"
    header.ScanOptions = "AXIAL MODE"
    header.ConvolutionKernel = "SIM STANDARD"
    header.GantryDetectorTilt = f"{spec.gantry_tilt_degrees:g}"
    header.ReconstructionDiameter = f"{stack.pixel_mm * stack.shape[1]:g}"
    header.ImageOrientationPatient = [_decimal(v) for v in (*stack.row_direction, *stack.column_direction)]
    header.PixelSpacing = [_decimal(stack.pixel_mm)] * 2


def _add_image_format(header: Dataset, stack: SliceStack) -> None:
    header.Rows, header.Columns = stack.shape
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 12, 11, 0
    header.RescaleIntercept = str(RESCALE_INTERCEPT)
    header.RescaleSlope = "1"
    header.RescaleType = "HU"
    header.WindowCenter, header.WindowWidth = "45", "90"
    header.BurnedInAnnotation = "NO"
    header.LossyImageCompression = "00"


def write_slice(
    path: Path, header: Dataset, stack: SliceStack, *, index: int, number: int, hu: NDArray[np.float32]
) -> UID:
    """Write one slice of the stack and return its SOP Instance UID.

    Parameters
    ----------
    header
        From `series_header`; its per-slice elements are overwritten.
    index, number
        Place in the stack from foot to head, and Instance Number in the scanner's order.
    hu
        Hounsfield units, (rows, columns).
    """
    uid = make_uid("slice", header.SeriesInstanceUID, index)
    header.SOPInstanceUID = uid
    header.InstanceNumber = number
    header.SliceThickness = _decimal(float(stack.thickness[index]))
    header.ImagePositionPatient = [_decimal(v) for v in stack.positions[index]]
    header.SliceLocation = _decimal(float(stack.positions[index][2]))
    stored = np.clip(np.rint(hu) - RESCALE_INTERCEPT, 0, STORED_MAXIMUM).astype("<u2")
    header.PixelData = stored.tobytes()
    header["PixelData"].VR = "OW"
    header.file_meta = FileMetaDataset()
    header.file_meta.MediaStorageSOPClassUID = CTImageStorage
    header.file_meta.MediaStorageSOPInstanceUID = uid
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.ImplementationClassUID = IMPLEMENTATION_UID
    header.file_meta.ImplementationVersionName = "ICHOR_PHANTOM"
    header.save_as(path, enforce_file_format=True)
    return uid


def _decimal(value: float) -> str:
    """Format a number as Decimal String (at most 16 characters)."""
    return f"{value:.9g}"
