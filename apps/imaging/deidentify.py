"""What a DICOM file may keep. An allow-list: an attribute that is not named here does not get in.

Only what places, decodes, windows and describes the acquisition of a CT slice is kept, with the patient's sex and age.
Names, dates of birth, accession numbers, addresses, physicians, institutions, descriptions in free text, overlays,
sequences and private tags fall away because nobody listed them. Nor is a listed attribute copied: its value is written
anew from the form that it must have (a number, a date, a word of a short list), so that a name typed into a technical
field stays outside too.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from io import BytesIO

from django.conf import settings
from django.utils.translation import gettext as _
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.uid import UID, CTImageStorage
from pydicom.valuerep import format_number_as_ds

from apps.core.errors import Refusal

Cleaner = Callable[[list[str]], list[str] | list[int] | None]

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_LONGEST_DECIMAL = 16
_TIME = re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?")
_DATE = re.compile(r"\d{8}")
_AGE = re.compile(r"\d{3}[DWMY]")
# Siemens and Toshiba/Canon number their kernels (H31s, FC26); the others use these words or two letters.
_KERNEL = re.compile(
    r"[A-Z]{1,2}\d{1,2}[a-z]?|U[A-D]|STANDARD|STND|SOFT|DETAIL|BONE|BONEPLUS|EDGE|LUNG|SMOOTH|SHARP|\d"
)
_MAKERS = (
    "GE MEDICAL SYSTEMS", "SIEMENS", "PHILIPS", "TOSHIBA", "CANON", "HITACHI", "FUJIFILM", "UIH", "NEUSOFT", "SHIMADZU",
    "SAMSUNG", "NEUROLOGICA", "PICKER", "MARCONI", "ELSCINT", "IMATRON", "ICHOR",
)  # fmt: skip


def _decimals(values: list[str]) -> list[str] | None:
    if not values or not all(_DECIMAL.fullmatch(value) for value in values):
        return None
    return [value if len(value) <= _LONGEST_DECIMAL else format_number_as_ds(float(value)) for value in values]


def _integers(values: list[str]) -> list[int] | None:
    found = [int(value) for value in values if re.fullmatch(r"[+-]?\d{1,9}", value)]
    return found if found and len(found) == len(values) else None


def _matching(pattern: re.Pattern[str]) -> Cleaner:
    return lambda values: values if values and all(pattern.fullmatch(value) for value in values) else None


def _word(*words: str) -> Cleaner:
    return _matching(re.compile("|".join(words)))


def _maker(values: list[str]) -> list[str] | None:
    stated = " ".join(values).upper()
    return next(([maker] for maker in _MAKERS if re.search(rf"\b{maker}\b", stated)), None)


def _image_type(values: list[str]) -> list[str] | None:
    """Return the three values that the standard defines; what makers add behind them is free text."""
    if len(values) < 2 or values[0] not in {"ORIGINAL", "DERIVED"} or values[1] not in {"PRIMARY", "SECONDARY"}:
        return None
    # The reader has let axial slices in and no scout view, so the third value is known.
    return [*values[:2], "AXIAL"]


_DS, _IS, _DA, _TM = _decimals, _integers, _matching(_DATE), _matching(_TIME)
KEPT: dict[str, Cleaner] = {
    "ImageType": _image_type,
    "Modality": _word("CT"),
    # when: kept so that onset-to-CT can be checked
    "StudyDate": _DA, "StudyTime": _TM, "SeriesDate": _DA, "SeriesTime": _TM,
    "AcquisitionDate": _DA, "AcquisitionTime": _TM, "ContentDate": _DA, "ContentTime": _TM,
    # the patient's characteristics
    "PatientSex": _word("M", "F", "O"), "PatientAge": _matching(_AGE),
    # the device and the acquisition
    "Manufacturer": _maker, "BodyPartExamined": _word("HEAD", "BRAIN", "SKULL", "HEADNECK", "NECK"),
    "SliceThickness": _DS, "KVP": _DS, "SpacingBetweenSlices": _DS, "DataCollectionDiameter": _DS,
    "ReconstructionDiameter": _DS, "GantryDetectorTilt": _DS, "TableHeight": _DS,
    "RotationDirection": _word("CW", "CC"), "ExposureTime": _IS, "XRayTubeCurrent": _IS, "Exposure": _IS,
    "ConvolutionKernel": _matching(_KERNEL), "PatientPosition": _word("[HF]F(S|P|DR|DL)"),
    # place in the series and in space
    "SeriesNumber": _IS, "AcquisitionNumber": _IS, "InstanceNumber": _IS, "ImagePositionPatient": _DS,
    "ImageOrientationPatient": _DS, "SliceLocation": _DS,
    # the pixels
    "SamplesPerPixel": _IS, "PhotometricInterpretation": _word("MONOCHROME[12]"), "Rows": _IS, "Columns": _IS,
    "PixelSpacing": _DS, "BitsAllocated": _IS, "BitsStored": _IS, "HighBit": _IS, "PixelRepresentation": _IS,
    "PixelPaddingValue": _IS, "PixelPaddingRangeLimit": _IS, "BurnedInAnnotation": _word("NO"),
    "WindowCenter": _DS, "WindowWidth": _DS, "RescaleIntercept": _DS, "RescaleSlope": _DS,
    "RescaleType": _word("HU", "US"), "LossyImageCompression": _word("00", "01"), "LossyImageCompressionRatio": _DS,
    "LossyImageCompressionMethod": _matching(re.compile(r"ISO_\d{5}_\d{1,2}")),
}  # fmt: skip
# Type 2 attributes of the CT image: present, and empty where nothing may be said.
EMPTIED = (
    "PatientName", "PatientBirthDate", "AccessionNumber", "ReferringPhysicianName", "StudyID",
    "PositionReferenceIndicator",
)  # fmt: skip
EMPTY_IF_UNKNOWN = (
    "PatientSex", "StudyDate", "StudyTime", "SeriesNumber", "Manufacturer", "AcquisitionNumber", "InstanceNumber",
    "KVP", "SliceThickness",
)  # fmt: skip
REPLACED_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")


def replace_uid(uid: str, study_id: str) -> str:
    """Return the UID that stands for `uid` here: the same every time for one patient, and not to be turned back."""
    message = f"{study_id}|{uid.strip()}".encode()
    digest = hmac.new(settings.UID_KEY.encode(), message, hashlib.sha256).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def check_allowed(dataset: Dataset) -> None:
    """Refuse what may show identity in its pixels, or is no CT image object."""
    if _values(dataset, "SOPClassUID") != [CTImageStorage]:
        raise Refusal(
            "not_ct_image",
            _(
                "A file is no CT image but a derived object (screen shot, dose sheet, report). "
                "Send the CT slices alone."
            ),
        )
    if not KEPT["PhotometricInterpretation"](_values(dataset, "PhotometricInterpretation")):
        raise Refusal("not_gray", _("A file is a color picture, not a CT slice. Send the CT slices alone."))
    if "YES" in _values(dataset, "BurnedInAnnotation"):
        raise Refusal(
            "burned_in_annotation",
            _("A slice has text burned into its picture, which could name the patient. Send the original series."),
        )
    if _has_embedded_overlay(dataset):
        raise Refusal(
            "embedded_overlay",
            _(
                "A slice carries a drawing or text inside its pixel values, which could name the patient. "
                "Export the series without overlays."
            ),
        )


def deidentify(dataset: Dataset, study_id: str) -> Dataset:
    """Return a new data set with what is allowed and the study id in place of the patient."""
    clean = Dataset()
    for keyword in EMPTIED + EMPTY_IF_UNKNOWN:
        setattr(clean, keyword, None)
    for keyword, cleaner in KEPT.items():
        values = cleaner(_values(dataset, keyword))
        if values is not None:
            setattr(clean, keyword, values[0] if len(values) == 1 else values)
    _wrap_padding(clean)
    _replace_uids(dataset, clean, study_id)
    clean.SOPClassUID = CTImageStorage
    clean.PatientID = study_id
    clean.PatientIdentityRemoved = "YES"
    clean.DeidentificationMethod = "Ichor allow-list 1"
    clean.file_meta = FileMetaDataset()
    clean.file_meta.TransferSyntaxUID = UID(dataset.file_meta.TransferSyntaxUID)
    clean.file_meta.MediaStorageSOPClassUID = clean.SOPClassUID
    clean.file_meta.MediaStorageSOPInstanceUID = UID(clean.SOPInstanceUID)
    clean["PixelData"] = _pixel_data(dataset, clean)
    return clean


def to_bytes(dataset: Dataset) -> bytes:
    """Return a data set as a DICOM file with an empty preamble."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _values(dataset: Dataset, key: str | tuple[int, int]) -> list[str]:
    """Return an attribute's values as text; none where it is absent, empty or damaged."""
    try:
        value = dataset[key].value if key in dataset else None
        values = list(value) if isinstance(value, MultiValue) else [value]
        return [str(item).strip() for item in values if item is not None and str(item).strip()]
    except Exception:  # a damaged element fails on first access, in many ways
        return []


def _has_embedded_overlay(dataset: Dataset) -> bool:
    """Say whether an overlay plane lies in bits of the pixels (retired, but old archives hold it)."""
    positions = [value for group in range(0x6000, 0x6020, 2) for value in _values(dataset, (group, 0x0102))]
    return any(position != "0" for position in positions)


def _replace_uids(dataset: Dataset, clean: Dataset, study_id: str) -> None:
    for keyword in REPLACED_UIDS:
        original = _values(dataset, keyword)
        if not original and keyword == "FrameOfReferenceUID":  # required, yet not every scanner writes it
            original = ["frame", *_values(dataset, "SeriesInstanceUID")]
        setattr(clean, keyword, replace_uid("\\".join(original), study_id))


def _wrap_padding(clean: Dataset) -> None:
    """Bring padding values into the range of the pixels: some scanners write signed ones as unsigned."""
    bits = clean.BitsAllocated
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        if keyword in clean:
            value = clean[keyword].value % 2**bits
            signed = clean.PixelRepresentation == 1 and value >= 2 ** (bits - 1)
            setattr(clean, keyword, value - 2**bits if signed else value)


def _pixel_data(dataset: Dataset, clean: Dataset) -> DataElement:
    """Return the pixels as they came; bytes behind the last pixel, which no reader would show, are cut off."""
    content: bytes = dataset.PixelData
    packed = clean.file_meta.TransferSyntaxUID.is_encapsulated
    if packed:
        element = DataElement("PixelData", "OB", content)
        element.is_undefined_length = True
        return element
    length = clean.Rows * clean.Columns * clean.BitsAllocated // 8
    return DataElement("PixelData", "OW", content[:length] + b"\0" * (length % 2))
