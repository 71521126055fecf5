"""CT series made in code: real DICOM data sets with any position, orientation and tag that a test asks for."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import format_number_as_ds

ROW = (1.0, 0.0, 0.0)
COLUMN = (0.0, 1.0, 0.0)


def tilted_column(degrees: float) -> tuple[float, float, float]:
    """Column direction of a gantry tilted by `degrees`: positive as on a scanner, the planes rise toward the face."""
    angle = np.radians(degrees)
    return (0.0, float(np.cos(angle)), float(-np.sin(angle)))


def table_positions(
    gaps: Sequence[float], *, tilt: float = 0.0, first: Sequence[float] = (-60.0, -50.0, -40.0)
) -> npt.NDArray[np.float64]:
    """Positions (z, 3) as a scanner writes them: planes `gaps` mm apart, the table moving along the patient only."""
    steps = np.concatenate([[0.0], np.cumsum(gaps)]) / np.cos(np.radians(tilt))
    return np.asarray(first, dtype=np.float64) + steps[:, None] * np.array([0.0, 0.0, 1.0])


def make_series(
    hu: npt.ArrayLike,
    positions: npt.ArrayLike,
    row: Sequence[float] = ROW,
    column: Sequence[float] = COLUMN,
    spacing: tuple[float, float] = (0.5, 0.5),
    **tags: Any,
) -> list[Dataset]:
    """Make a CT series, one data set a slice, that can be read as it is or saved.

    `hu` is (z, y, x) in Hounsfield units, `positions` (z, 3) mm in LPS, `spacing` mm between rows and between columns;
    a keyword argument sets a DICOM attribute on every slice, None removes it.
    """
    voxels = np.asarray(hu)
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    datasets = []
    places = np.asarray(positions, dtype=np.float64)
    for number, (pixels, position) in enumerate(zip(voxels, places, strict=True), start=1):
        dataset = _slice(pixels)
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = study, series, frame
        dataset.InstanceNumber = number
        dataset.ImagePositionPatient = [format_number_as_ds(float(value)) for value in position]
        dataset.ImageOrientationPatient = [format_number_as_ds(float(value)) for value in (*row, *column)]
        dataset.PixelSpacing = list(spacing)
        for keyword, value in tags.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)
        datasets.append(dataset)
    return datasets


def save_series(datasets: Iterable[Dataset], folder: Path, names: Iterable[str] | None = None) -> list[Path]:
    """Write the data sets as files into `folder`; return their paths in the same order."""
    listed = list(datasets)
    paths = [folder / name for name in (names or (f"{i:04d}.dcm" for i in range(len(listed))))]
    for dataset, path in zip(listed, paths, strict=True):
        dataset.save_as(path, enforce_file_format=True)
    return paths


def _slice(pixels: npt.NDArray[Any]) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.Modality = "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.PatientID = "TEST"
    # A wrong thickness on purpose: nothing may be computed from it.
    dataset.SliceThickness = 99
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 1
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = 1, -1024, "HU"
    dataset.PixelData = (np.asarray(pixels) + 1024).astype("<i2").tobytes()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset
