"""Multi-frame CT comes apart into the slices that it was made of."""

from io import BytesIO
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, RLELossless, generate_uid

from apps.core.errors import Refusal
from apps.imaging.deidentification import clean_ct, split_frames, to_bytes
from ml.volumes import read_series
from tests.imaging.deidentification.slices import STUDY_ID, ct_slice, from_file
from tests.imaging.factory import make_scan

pytestmark = pytest.mark.slow

GEOMETRY = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "RescaleSlope",
            "RescaleIntercept", "Rows", "Columns")  # fmt: skip


def _single_slices(count: int = 4) -> list[Dataset]:
    datasets = make_scan(count, seed=5, KVP="120", ConvolutionKernel="H31s", WindowCenter="40", WindowWidth="80")
    for dataset in datasets:
        dataset.SliceThickness = "5"
        dataset.PatientName, dataset.PatientBirthDate, dataset.PatientSex = "Doe^Jane", "19500101", "F"
        dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = dataset.AcquisitionDate = "20240229"
        dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = dataset.AcquisitionTime = "101112"
        dataset.AccessionNumber = dataset.StudyID = dataset.ReferringPhysicianName = dataset.Manufacturer = ""
        dataset.SeriesNumber, dataset.AcquisitionNumber = 2, 1
    return [from_file(dataset) for dataset in datasets]


def _converted(single: list[Dataset]) -> Dataset:
    made = highdicom.legacy.LegacyConvertedEnhancedCTImage(
        legacy_datasets=single,
        series_instance_uid=generate_uid(),
        series_number=3,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )
    return from_file(made)


def _enhanced(count: int = 3) -> Dataset:
    """Return an Enhanced CT as PS3.3 A.38 has it, as far as a slice needs it."""
    (dataset,) = make_scan(1)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "ImageType",
                    "RescaleSlope", "RescaleIntercept", "RescaleType", "InstanceNumber"):  # fmt: skip
        delattr(dataset, keyword)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    dataset.NumberOfFrames = count
    dataset.PixelData = np.arange(count * 256, dtype="<i2").tobytes()
    shared = Dataset()
    shared.PixelMeasuresSequence = [_item(PixelSpacing=[0.5, 0.5], SliceThickness=5)]
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]
    shared.PixelValueTransformationSequence = [_item(RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU")]
    shared.CTImageFrameTypeSequence = [_item(FrameType=["ORIGINAL", "PRIMARY", "AXIAL", "NONE"])]
    shared.CTReconstructionSequence = [_item(ConvolutionKernel="H31s", ReconstructionDiameter=250)]
    shared.CTAcquisitionTypeSequence = [_item(AcquisitionType="SPIRAL")]
    shared.CTXRayDetailsSequence = [_item(KVP=120)]
    shared.FrameAnatomySequence = [_item(AnatomicRegionSequence=[_item(CodeValue="69536005")])]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [_frame(number) for number in range(count)]
    return dataset


def _frame(number: int) -> Dataset:
    return _item(
        PlanePositionSequence=[_item(ImagePositionPatient=[0, 0, 5 * number])],
        FrameContentSequence=[_item(FrameAcquisitionDateTime="20240229101112.5", FrameAcquisitionNumber=7)],
        CTExposureSequence=[_item(ExposureTimeInms=999.6, XRayTubeCurrentInmA=250.0, ExposureInmAs=249.9)],
        FrameVOILUTSequence=[_item(WindowCenter=40, WindowWidth=80 + number)],
    )


def _item(**tags: object) -> Dataset:
    item = Dataset()
    for keyword, value in tags.items():
        setattr(item, keyword, value)
    return item


def test_real_converted_series_and_the_slices_it_came_from(shared_data: Path) -> None:
    folder = shared_data / "odd-dicom" / "legacy_enhanced_ct" / "24x38x3"
    frames = split_frames(pydicom.dcmread(folder / "multiframe" / "mf.dcm"))
    images = {float(image.ImagePositionPatient[2]): image for image in map(pydicom.dcmread, folder.glob("image/*.dcm"))}
    assert len(frames) == len(images) == 3
    for frame in frames:
        image = images.pop(float(frame.ImagePositionPatient[2]))
        np.testing.assert_array_equal(frame.pixel_array, image.pixel_array)
        for keyword in (*GEOMETRY, "WindowCenter", "WindowWidth", "StudyInstanceUID", "FrameOfReferenceUID"):
            assert frame[keyword].value == image[keyword].value, keyword


def test_converted_and_taken_apart_is_what_it_was() -> None:
    single = _single_slices()
    frames = split_frames(_converted(single))
    originals = {float(dataset.ImagePositionPatient[2]): dataset for dataset in single}
    for frame in frames:
        original = originals[float(frame.ImagePositionPatient[2])]
        np.testing.assert_array_equal(frame.pixel_array, original.pixel_array)
        for keyword in (*GEOMETRY, "KVP", "ConvolutionKernel", "WindowCenter", "InstanceNumber"):
            assert frame[keyword].value == original[keyword].value, keyword
    assert len({frame.SOPInstanceUID for frame in frames}) == len(single)
    kept = [pydicom.dcmread(BytesIO(to_bytes(clean_ct(frame, STUDY_ID).dataset))) for frame in frames]
    np.testing.assert_array_equal(read_series(kept).hu, read_series(single).hu)
    assert not any(b"Doe" in to_bytes(dataset) for dataset in kept)


def test_compressed_frames_are_taken_one_by_one() -> None:
    single = _single_slices()
    whole = _converted(single)
    whole.compress(RLELossless, generate_instance_uid=False)
    frames = split_frames(from_file(whole))
    assert {frame.file_meta.TransferSyntaxUID for frame in frames} == {RLELossless}
    plain = split_frames(_converted(single))
    for packed, unpacked in zip(frames, plain, strict=True):
        kept = pydicom.dcmread(BytesIO(to_bytes(clean_ct(packed, STUDY_ID).dataset)))
        np.testing.assert_array_equal(kept.pixel_array, unpacked.pixel_array)


def test_groups_of_an_enhanced_ct_become_attributes_of_a_slice() -> None:
    frames = split_frames(from_file(_enhanced()))
    assert [frame.pixel_array.ravel()[0] for frame in frames] == [0, 256, 512]
    assert [frame.WindowWidth for frame in frames] == [80, 81, 82]
    assert [frame.InstanceNumber for frame in frames] == [1, 2, 3]
    done = clean_ct(frames[1], STUDY_ID).dataset
    expected = {
        "SOPClassUID": CTImageStorage, "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "NONE"], "KVP": 120,
        "ImagePositionPatient": [0, 0, 5], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PixelSpacing": [0.5, 0.5],
        "SliceThickness": 5, "RescaleSlope": 1, "RescaleIntercept": -1024, "RescaleType": "HU", "WindowCenter": 40,
        "ConvolutionKernel": "H31s", "ReconstructionDiameter": 250, "AcquisitionType": "SPIRAL",
        "BodyPartExamined": "HEAD", "ExposureTime": 1000, "XRayTubeCurrent": 250, "Exposure": 250,
        "AcquisitionTime": "101112.5", "AcquisitionNumber": 7,
    }  # fmt: skip
    assert {keyword: done[keyword].value for keyword in expected} == expected
    assert "NumberOfFrames" not in done


def test_contrast_agent_of_an_enhanced_ct() -> None:
    enhanced = _enhanced()
    enhanced.ContrastBolusAgentSequence = [_item(CodeMeaning="Iodinated contrast of Dr. Smith")]
    assert clean_ct(split_frames(enhanced)[0], STUDY_ID).dataset.ContrastBolusAgent == "CONTRAST"


def test_frames_have_the_same_uids_each_time() -> None:
    enhanced = _enhanced()
    uid = enhanced.SOPInstanceUID
    first, again = ([frame.SOPInstanceUID for frame in split_frames(enhanced)] for _ in range(2))
    assert first == again
    assert len(set(first)) == 3
    assert enhanced.SOPInstanceUID == uid
    assert all(uid.is_valid for uid in first)
    enhanced.SOPInstanceUID = generate_uid()
    assert not set(first) & {frame.SOPInstanceUID for frame in split_frames(enhanced)}


def test_a_single_slice_comes_back_as_it_is() -> None:
    dataset = ct_slice()
    assert split_frames(dataset) == [dataset]


def test_one_frame_with_groups_is_taken_apart() -> None:
    (frame,) = split_frames(_enhanced(1))
    assert list(frame.ImagePositionPatient) == [0, 0, 0]


def _without_position(dataset: Dataset) -> None:
    del dataset.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence


def _without_groups(dataset: Dataset) -> None:
    del dataset.PerFrameFunctionalGroupsSequence


def _one_group_too_few(dataset: Dataset) -> None:
    del dataset.PerFrameFunctionalGroupsSequence[2]


def _cut_short(dataset: Dataset) -> None:
    dataset.PixelData = dataset.PixelData[:-2]


def _too_many_pixels(dataset: Dataset) -> None:
    dataset.PixelData += bytes(512)


def _no_pixels(dataset: Dataset) -> None:
    del dataset.PixelData


def _one_packed_frame_too_few(dataset: Dataset) -> None:
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.NumberOfFrames = 4
    dataset.PerFrameFunctionalGroupsSequence.append(_frame(3))


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (_without_position, "frames_without_position"),
        (_without_groups, "frames_without_position"),
        (_one_group_too_few, "frames_do_not_match"),
        (_cut_short, "frames_do_not_match"),
        (_too_many_pixels, "frames_do_not_match"),
        (_no_pixels, "frames_do_not_match"),
        (_one_packed_frame_too_few, "frames_do_not_match"),
    ],
)
def test_what_cannot_be_taken_apart_is_refused(damage: object, code: str) -> None:
    dataset = _enhanced()
    assert callable(damage)
    damage(dataset)
    with pytest.raises(Refusal) as refused:
        split_frames(dataset)
    assert refused.value.code == code
