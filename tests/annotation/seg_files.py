"""DICOM Segmentations as other programs write them on slices: by highdicom, and by hand as OHIF does."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage, generate_uid

from apps.core import store
from apps.imaging.models import Series
from apps.imaging.selectors import slices_of

BRAIN, VENTRICLE, DURA = codes.SCT.Brain, codes.SCT.BrainVentricle, codes.SCT.DuraMater
HEMATOMA, HEMORRHAGE, EDEMA = codes.SCT.Hematoma, codes.SCT.Hemorrhage, codes.SCT.Edema
TISSUE = codes.SCT.Tissue
Kind = tuple[str, Code, Code | None]


def slices_at(series: Series) -> list[Dataset]:
    """Return the slices as the platform sends them, foot to head."""
    return [pydicom.dcmread(BytesIO(store.get(row.file))) for row in slices_of(series)]


def segmentation(
    slices: Sequence[Dataset],
    regions: np.ndarray,
    kinds: Sequence[Kind] = (("Hematoma", HEMATOMA, BRAIN),),
    *,
    sparse: bool = True,
    fractional: bool = False,
) -> Dataset:
    """Return what highdicom writes of regions (z, y, x) or (z, y, x, segment) on slices."""
    described = [_described(number, *kind) for number, kind in enumerate(kinds, start=1)]
    types = hd.seg.SegmentationTypeValues
    return hd.seg.Segmentation(
        source_images=list(slices),
        pixel_array=regions.astype(float) if fractional else regions.astype(bool),
        segmentation_type=types.FRACTIONAL if fractional else types.BINARY,
        segment_descriptions=described,
        series_instance_uid=generate_uid(),
        series_number=7,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="Another",
        manufacturer_model_name="Program",
        software_versions="1",
        device_serial_number="1",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        omit_empty_frames=sparse,
    )


def _described(number: int, name: str, finding: Code, region: Code | None) -> hd.seg.SegmentDescription:
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=name,
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=finding,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        anatomic_regions=None if region is None else [region],
    )


def shuffled(made: Dataset, seed: int = 0) -> Dataset:
    """Return the same segmentation with its frames in another order."""
    frames = np.atleast_3d(made.pixel_array.T).T
    order = np.random.default_rng(seed).permutation(len(frames))
    groups = list(made.PerFrameFunctionalGroupsSequence)
    made.PerFrameFunctionalGroupsSequence = Items([groups[place] for place in order])
    made.PixelData = packed(frames[order])
    return made


def packed(frames: np.ndarray) -> bytes:
    """Return frames (frame, y, x) as PS3.5 8.1.1 has bits, and a byte where they would be odd."""
    content = np.packbits(frames.astype(bool).ravel(), bitorder="little").tobytes()
    return content + bytes(len(content) % 2)


def by_hand(slices: Sequence[Dataset], labels: np.ndarray, names: Sequence[str], *, seed: int = 0) -> Dataset:
    """Return what OHIF 3 (dcmjs) writes: codes of tissue, no pixel spacing, each frame with its source and place.

    Number n of `labels` (z, y, x) is the segment of the n-th name; slices without it have no frame.
    """
    first = slices[0]
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = SegmentationStorage
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    for keyword in ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID", "Rows", "Columns"):
        made[keyword] = first[keyword]
    made.SeriesInstanceUID, made.Modality, made.SegmentationType = generate_uid(), "SEG", "BINARY"
    made.SamplesPerPixel, made.BitsAllocated, made.BitsStored, made.HighBit = 1, 1, 1, 0
    made.PhotometricInterpretation, made.PixelRepresentation = "MONOCHROME2", 0
    made.ReferencedSeriesSequence = [item(SeriesInstanceUID=first.SeriesInstanceUID)]
    made.SegmentSequence = [_tissue(number, name) for number, name in enumerate(names, start=1)]
    made.SharedFunctionalGroupsSequence = [
        item(
            PlaneOrientationSequence=[item(ImageOrientationPatient=list(first.ImageOrientationPatient))],
            PixelMeasuresSequence=[Dataset()],
        )
    ]
    drawn = [(n, z) for n in range(1, len(names) + 1) for z in range(len(slices)) if np.any(labels[z] == n)]
    made.PerFrameFunctionalGroupsSequence = [_frame(slices[z], n) for n, z in drawn]
    made.NumberOfFrames = len(drawn)
    made.add_new("PixelData", "OB", packed(np.stack([labels[z] == n for n, z in drawn])))
    for keyword in ("SegmentSequence", "PerFrameFunctionalGroupsSequence"):
        made[keyword].is_undefined_length = True
    return made


def item(**values: Any) -> Dataset:
    found = Dataset()
    for keyword, value in values.items():
        setattr(found, keyword, value)
    return found


def _tissue(number: int, name: str) -> Dataset:
    code = item(CodeValue="T-D0050", CodingSchemeDesignator="SRT", CodeMeaning="Tissue")
    return item(
        SegmentNumber=number, SegmentLabel=name, SegmentAlgorithmType="MANUAL",
        SegmentedPropertyCategoryCodeSequence=[code], SegmentedPropertyTypeCodeSequence=[code],
    )  # fmt: skip


def _frame(source: Dataset, segment: int) -> Dataset:
    named = item(ReferencedSOPClassUID=source.SOPClassUID, ReferencedSOPInstanceUID=source.SOPInstanceUID)
    return item(
        PlanePositionSequence=[item(ImagePositionPatient=list(source.ImagePositionPatient))],
        SegmentIdentificationSequence=[item(ReferencedSegmentNumber=segment)],
        DerivationImageSequence=[item(SourceImageSequence=[named])],
    )


def without_references(made: Dataset) -> Dataset:
    """Take out all that names slices and series; where the frames lie stays."""
    for keyword in ("ReferencedSeriesSequence", "StudiesContainingOtherReferencedInstancesSequence"):
        if keyword in made:
            del made[keyword]
    for group in made.PerFrameFunctionalGroupsSequence:
        del group.DerivationImageSequence
    return made
