"""Slices to be cleaned, as a hospital would send them."""

from io import BytesIO
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from tests.imaging.factory import make_scan, to_bytes

STUDY_ID = "C1-0001"


def ct_slice(**tags: Any) -> Dataset:
    """Return a CT slice as it is read from a file; odd values are written as they are."""
    with pydicom.config.disable_value_validation():
        (dataset,) = make_scan(1, **tags)
        return from_file(dataset)


def from_file(dataset: Dataset) -> Dataset:
    return pydicom.dcmread(BytesIO(to_bytes([dataset])[0]))


def screen_shot(**tags: Any) -> Dataset:
    """Return a color picture of a screen."""
    (dataset,) = make_scan(1)
    for keyword in ("RescaleSlope", "RescaleIntercept", "RescaleType", "ImagePositionPatient", "SliceThickness",
                    "ImageOrientationPatient", "FrameOfReferenceUID"):  # fmt: skip
        delattr(dataset, keyword)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    dataset.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.PixelData = bytes(range(256)) * 3
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return from_file(dataset)
