"""What a cleaned object holds, what its report says of the original, and that it is a proper DICOM image."""

import json
import shutil
import subprocess
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import ImplicitVRLittleEndian, RLELossless, SecondaryCaptureImageStorage

from apps.core.errors import Refusal
from apps.imaging.deidentification import (
    clean_ct,
    clean_picture,
    header_json,
    kept,
    replace_uid,
    split_frames,
    to_bytes,
)
from ml.simulation import PhantomSpec, simulate_ct
from tests.imaging.deidentification.slices import STUDY_ID, ct_slice, from_file, screen_shot
from tests.imaging.factory import to_bytes as files_of
from tests.imaging.planted import MARK, marks_in, planted_series


@pytest.mark.parametrize(
    ("keyword", "sent", "kept"),
    [
        ("Manufacturer", "Siemens, St. Mary's, room 3", "SIEMENS"),
        ("Manufacturer", "Dr. Smith's scanner", ""),
        ("ConvolutionKernel", "STD+", "STD+"),
        ("ConvolutionKernel", ["Hr40f", "3"], ["Hr40f", "3"]),
        ("ConvolutionKernel", "FC26", "FC26"),
        ("ConvolutionKernel", "UB", "UB"),
        ("ConvolutionKernel", "SMITH", ""),
        ("ScanOptions", "HELICAL MODE", "HELICAL MODE"),
        ("ScanOptions", ["AXIAL", "SMITH"], "AXIAL"),
        ("BodyPartExamined", "CHEST", "CHEST"),
        ("BodyPartExamined", "SMITH", ""),
        ("ContrastBolusAgent", "Omnipaque 350, Dr. Smith", "CONTRAST"),
        ("ContrastBolusAgent", "NON-IONIC", "CONTRAST"),
        ("ContrastBolusAgent", "NONE", ""),
        ("ContrastBolusAgent", "W/O", ""),
        ("ContrastBolusAgent", "0", ""),
        ("ContrastBolusAgent", "no contrast", ""),
        ("ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER", "SMITH"], ["ORIGINAL", "PRIMARY", "LOCALIZER"]),
        ("ImageType", ["DERIVED", "SECONDARY", "REFORMATTED"], ["DERIVED", "SECONDARY", "REFORMATTED"]),
        ("ImageType", ["ORIGINAL", "PRIMARY", "SMITH", "ADD"], ["ORIGINAL", "PRIMARY", "OTHER", "ADD"]),
        ("ImageType", ["SMITH", "PRIMARY"], ""),
        ("PatientAge", "092Y", "092Y"),
        ("PatientAge", "SMITH", ""),
        ("PatientSex", "SMITH", ""),
        ("BurnedInAnnotation", "YES", ""),
        ("StudyTime", "101112.5", "101112.5"),
        ("StudyTime", "10:11", ""),
        ("KVP", "1e999", ""),
        ("InstanceNumber", "12.0", 12),
        ("EthnicGroup", "Smith family", ""),
    ],
)
def test_fields_hold_only_their_own_words(keyword: str, sent: object, kept: object) -> None:
    done = clean_ct(ct_slice(**{keyword: sent}), STUDY_ID)
    value = pydicom.dcmread(BytesIO(to_bytes(done.dataset))).get(keyword)
    assert (list(value) if isinstance(kept, list) else value or "") == kept
    changed = [action for name, action in done.changes.items() if name.endswith(f" {keyword}")]
    assert bool(changed) == (str(sent) != str(kept))


def test_report_names_what_changed_and_no_value() -> None:
    """Each action for one element of a slice that is known in full."""
    dataset = ct_slice(StudyDate="20240229", StudyDescription="HEAD Smith", InstitutionName="Smith", KVP="120")
    dataset.PatientName, dataset.AccessionNumber, dataset.StudyID = "Smith^John", "12345678", ""
    dataset.private_block(0x0009, "SMITH 1.0", create=True).add_new(0x01, "LO", "Smith")
    dataset.add_new(0x00210002, "LO", "Smith")
    nested = Dataset()
    nested.PatientName = "Smith"
    dataset.RequestAttributesSequence = [nested]
    dataset.PixelData += b"behind"
    changes = clean_ct(from_file(dataset), STUDY_ID).changes
    assert changes == {
        "(0008,0018) SOPInstanceUID": "replaced",
        "(0008,0020) StudyDate": "moved",
        "(0008,0050) AccessionNumber": "emptied",
        "(0008,0080) InstitutionName": "removed",
        "(0008,1030) StudyDescription": "cleaned",
        "(0009,0010) private": "removed",
        "(0009,xx01) private": "removed",
        "(0010,0010) PatientName": "replaced",
        "(0010,0020) PatientID": "replaced",
        "(0020,000D) StudyInstanceUID": "replaced",
        "(0020,000E) SeriesInstanceUID": "replaced",
        "(0020,0052) FrameOfReferenceUID": "replaced",
        "(0021,0002) private": "removed",
        "(0040,0275) RequestAttributesSequence": "removed",
        "(7FE0,0010) PixelData": "cleaned",
    }


def test_report_accounts_for_every_element() -> None:
    """What the report does not name is in the cleaned object with the same value."""
    for original in (pydicom.dcmread(BytesIO(content)) for content in planted_series()):
        done = clean_ct(original, STUDY_ID)
        assert marks_in([json.dumps(done.changes).encode(), to_bytes(done.dataset)]) == []
        numbers = {name[:11] for name in done.changes}
        for element in original:
            if f"({element.tag.group:04X},{element.tag.element:04X})" in numbers or element.tag.is_private:
                continue
            assert str(done.dataset[element.tag].value or "") == str(element.value or ""), element.keyword
        assert MARK in str(original.PatientName)


def test_unchanged_uids() -> None:
    """UIDs of objects that are stored already must stay what they are: HMAC-SHA256 under the key, as PS3.5 B.2."""
    first, again, other = (replace_uid("1.2.3", study_id) for study_id in (STUDY_ID, STUDY_ID, "C1-0002"))
    assert first == again != other
    assert replace_uid("1.2.3 ", STUDY_ID) == first
    assert first.startswith("2.25.")
    assert int(first[5:]) < 2**128


def test_padding_of_the_wrong_sign() -> None:
    """GE writes -2000 into unsigned padding of signed pixels; the file stays readable and means the same."""
    dataset = ct_slice()
    dataset.add_new("PixelPaddingValue", "US", 63536)
    done = clean_ct(from_file(dataset), STUDY_ID)
    assert pydicom.dcmread(BytesIO(to_bytes(done.dataset))).PixelPaddingValue == -2000


def test_pixels_end_with_the_picture() -> None:
    dataset = ct_slice()
    pixels = dataset.PixelData
    dataset.PixelData = pixels + b"SMITH!"
    assert clean_ct(dataset, STUDY_ID).dataset.PixelData == pixels


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("PixelData", b"\0\0"), ("PixelData", None), ("Rows", None), ("BitsAllocated", 12), ("SamplesPerPixel", None)],
)
def test_incomplete_picture_is_refused(keyword: str, value: object) -> None:
    dataset = ct_slice()
    if value is None:
        delattr(dataset, keyword)
    else:
        setattr(dataset, keyword, value)
    with pytest.raises(Refusal) as refused:
        clean_ct(dataset, STUDY_ID)
    assert refused.value.code == "pixels_incomplete"


@pytest.mark.parametrize(
    ("dataset", "code"),
    [
        (screen_shot(), "not_ct_image"),
        (ct_slice(SOPClassUID="1.2.840.10008.5.1.4.1.1.4"), "not_ct_image"),
        (ct_slice(PhotometricInterpretation="RGB"), "not_gray"),
    ],
)
def test_what_is_no_slice_is_refused(dataset: Dataset, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        clean_ct(dataset, STUDY_ID)
    assert refused.value.code == code


def test_screen_shot_keeps_its_picture_and_no_name() -> None:
    original = screen_shot(PatientName="Smith^John", ImageComments="Smith", Modality="OT")
    done = clean_picture(original, STUDY_ID).dataset
    kept = pydicom.dcmread(BytesIO(to_bytes(done)))
    assert kept.SOPClassUID == SecondaryCaptureImageStorage
    assert (kept.Modality, kept.ConversionType) == ("OT", "WSD")
    np.testing.assert_array_equal(pixel_array(kept), pixel_array(original))
    assert b"Smith" not in to_bytes(done)


def test_picture_with_a_palette() -> None:
    original = screen_shot(PhotometricInterpretation="PALETTE COLOR", SamplesPerPixel=1, PixelData=bytes(range(256)))
    del original.PlanarConfiguration
    for number, color in enumerate(("Red", "Green", "Blue")):
        original.add_new(f"{color}PaletteColorLookupTableDescriptor", "US", [256, 0, 8])
        table = bytes(255 - i if number else i for i in range(256))
        original.add_new(f"{color}PaletteColorLookupTableData", "OW", table + b"SMITH!")
    kept = pydicom.dcmread(BytesIO(to_bytes(clean_picture(original, STUDY_ID).dataset)))
    colors = pydicom.pixels.processing.apply_color_lut(pixel_array(kept), kept)
    assert colors.reshape(-1, 3)[1].tolist() == [1, 254, 254]
    assert b"SMITH" not in to_bytes(kept)


def test_slice_with_burned_in_text_stays_a_ct() -> None:
    kept = clean_picture(ct_slice(BurnedInAnnotation="YES"), STUDY_ID).dataset
    assert (kept.SOPClassUID, kept.BurnedInAnnotation) == (pydicom.uid.CTImageStorage, "YES")
    assert list(kept.ImagePositionPatient)


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        clean_picture(ct_slice(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.67"), STUDY_ID)
    assert refused.value.code == "not_a_picture"


def test_header_is_what_pydicom_makes_of_it() -> None:
    palette = screen_shot(PhotometricInterpretation="PALETTE COLOR", SamplesPerPixel=1, PixelData=bytes(256))
    for color in ("Red", "Green", "Blue"):
        palette.add_new(f"{color}PaletteColorLookupTableDescriptor", "US", [256, 0, 8])
        palette.add_new(f"{color}PaletteColorLookupTableData", "OW", bytes(256))
    chinese = ct_slice(SpecificCharacterSet="ISO_IR 192", SeriesDescription="头颅平扫", WindowCenter=["40", "400"])
    cleaned = [
        clean_ct(chinese, STUDY_ID).dataset,
        clean_picture(screen_shot(), STUDY_ID).dataset,
        clean_picture(palette, STUDY_ID).dataset,
    ]
    assert cleaned[0].SeriesDescription == "头颅平扫"
    cleaned += [pydicom.dcmread(BytesIO(to_bytes(dataset))) for dataset in cleaned]
    for dataset in cleaned:
        found = header_json(dataset)
        expected = {tag: element for tag, element in dataset.to_json_dict().items() if not tag.startswith("7FE0")}
        assert found == json.loads(json.dumps(found)) == expected


def test_reference_names_every_attribute_that_may_stay() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "deidentification.md").read_text()
    listed = (*kept.PICTURE, *kept.DATES, *kept.DATES_AND_TIMES, *kept.PADDING, *kept.PALETTES, *kept.REPLACED_UIDS,
              *kept.EMPTIED, *kept.EMPTIED_OF_CT)  # fmt: skip
    assert [keyword for keyword in listed if f"`{keyword}`" not in page] == []


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, RLELossless])
def test_transfer_syntax_stays(syntax: pydicom.uid.UID) -> None:
    dataset = ct_slice()
    expected = pixel_array(dataset)
    if syntax == RLELossless:
        dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.file_meta.TransferSyntaxUID = syntax
    kept = pydicom.dcmread(BytesIO(to_bytes(clean_ct(from_file(dataset), STUDY_ID).dataset)))
    assert kept.file_meta.TransferSyntaxUID == syntax
    np.testing.assert_array_equal(pixel_array(kept), expected)


def _dciodvfy_errors(content: bytes, folder: Path) -> set[str]:
    path = folder / "checked.dcm"
    path.write_bytes(content)
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False, errors="replace")
    lines = (done.stdout + done.stderr).splitlines()
    assert any(line.startswith(("CTImage", "SCImage")) for line in lines), lines
    return {line for line in lines if line.startswith("Error")}


needs_dciodvfy = pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is absent")


@needs_dciodvfy
def test_no_error_in_the_phantom(tmp_path: Path) -> None:
    simulate_ct(tmp_path / "phantom", spec=PhantomSpec(rows=64, columns=64), seed=1)
    for path in sorted((tmp_path / "phantom").iterdir())[:3]:
        assert _dciodvfy_errors(path.read_bytes(), tmp_path) == set()
        done = clean_ct(pydicom.dcmread(path), STUDY_ID).dataset
        assert (done.StudyDescription, done.SeriesDescription) == ("CT HEAD WITHOUT CONTRAST", "HEAD 5MM")
        assert _dciodvfy_errors(to_bytes(done), tmp_path) == set()


@needs_dciodvfy
def test_no_error_that_real_slices_had_not(real_scan: list[bytes], shared_data: Path, tmp_path: Path) -> None:
    syntaxes = shared_data / "odd-dicom" / "cornerstone_CT_transfer_syntaxes"
    for content in [*real_scan[::9], *(path.read_bytes() for path in sorted(syntaxes.glob("CTImage.dcm_Little*")))]:
        done = clean_ct(pydicom.dcmread(BytesIO(content)), STUDY_ID).dataset
        assert _dciodvfy_errors(to_bytes(done), tmp_path) <= _dciodvfy_errors(content, tmp_path)


@needs_dciodvfy
def test_no_error_in_slices_of_a_multi_frame(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "odd-dicom" / "legacy_enhanced_ct" / "24x38x3"
    image = next((folder / "image").glob("*.dcm")).read_bytes()
    for frame in split_frames(pydicom.dcmread(folder / "multiframe" / "mf.dcm")):
        after = _dciodvfy_errors(to_bytes(clean_ct(frame, STUDY_ID).dataset), tmp_path)
        assert after <= _dciodvfy_errors(image, tmp_path)


@needs_dciodvfy
def test_no_error_that_a_screen_shot_had_not(tmp_path: Path) -> None:
    original = screen_shot()
    after = _dciodvfy_errors(to_bytes(clean_picture(original, STUDY_ID).dataset), tmp_path)
    assert after <= _dciodvfy_errors(files_of([original])[0], tmp_path)


def test_real_scan_is_cleaned_in_time(real_scan: list[bytes]) -> None:
    """28 slices of 512 x 512; the bound is wide, as other programs run beside the test."""
    datasets = [pydicom.dcmread(BytesIO(content)) for content in real_scan]
    start = time.process_time()
    for dataset in datasets:
        done = clean_ct(dataset, STUDY_ID).dataset
        to_bytes(done)
        header_json(done)
    assert time.process_time() - start < 1.0
