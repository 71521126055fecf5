"""A new data set made from the attributes that may stay, and the report on every one that did not come through.

PS3.15 Annex E: Basic Application Confidentiality Profile with Retain Longitudinal Temporal Information with Modified
Dates, Retain Patient Characteristics and Clean Descriptors.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.utils.translation import gettext as _
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import UID, CTImageStorage
from pydicom.valuerep import IS, DSfloat

from apps.core.errors import Refusal
from apps.imaging.deidentification import kept
from apps.imaging.deidentification.forms import Form, moved_date, moved_date_and_time, padding, real_date
from apps.imaging.deidentification.pixels import add_palettes, add_pixels
from apps.imaging.deidentification.report import report
from apps.imaging.deidentification.uids import replace_uid

# PS3.16 CID 7050
METHODS = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113105", "Clean Descriptors Option"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    ("113108", "Retain Patient Characteristics Option"),
)
METHOD = ("Ichor allow-list 2", "PS3.15 Annex E, options as coded")
_CAPTURES = frozenset(f"1.2.840.10008.5.1.4.1.1.7{ending}" for ending in ("", ".1", ".2", ".3", ".4"))
_OLDEST = 150


@dataclass(frozen=True)
class Clean:
    """A data set without identity, and what became of each element of the original: never a value."""

    dataset: Dataset
    changes: dict[str, str]


@dataclass
class _Making:
    """A data set in the making. `unchanged` holds the tags whose values came through as they were."""

    original: Dataset
    study_id: str
    clean: Dataset = field(default_factory=Dataset)
    unchanged: set[BaseTag] = field(default_factory=set)

    def write(self, keyword: str, values: list[str] | None) -> None:
        """Write an attribute, and note whether it says what it said."""
        _add(self.clean, keyword, values)
        if values and values == values_of(self.original, keyword):
            self.unchanged.add(_attribute(keyword)[0])

    def take(self, keyword: str, form: Form) -> None:
        """Write an attribute anew from the form that it must have."""
        values = values_of(self.original, keyword)
        allowed = form(values) if values else None
        if allowed:
            self.write(keyword, allowed)


def clean_ct(dataset: Dataset, study_id: str) -> Clean:
    """Return a single CT slice without identity. Raises Refusal (not_ct_image, not_gray, pixels_incomplete)."""
    if values_of(dataset, "SOPClassUID") != [CTImageStorage]:
        raise Refusal(
            "not_ct_image",
            _(
                "A file is no CT image but a derived object (screen shot, dose sheet, report). "
                "Send the CT slices alone."
            ),
        )
    making = _Making(dataset, study_id)
    _add_common(making, kept.SLICE)
    _add_empty(making.clean, kept.EMPTIED_OF_CT + kept.EMPTY_IF_UNKNOWN_OF_CT)
    if "PhotometricInterpretation" not in making.clean:
        raise Refusal("not_gray", _("A file is a color picture, not a CT slice. Send the CT slices alone."))
    return _finish(making, str(CTImageStorage))


def clean_picture(dataset: Dataset, study_id: str) -> Clean:
    """Return a picture for a person to look at (screen shot, text burned in), without identity in its header.

    Raises Refusal (not_a_picture, pixels_incomplete).
    """
    kind = next(iter(values_of(dataset, "SOPClassUID")), "")
    if kind != CTImageStorage and kind not in _CAPTURES:
        raise Refusal("not_a_picture", _("The file is no picture but a report or another object. Send images alone."))
    making = _Making(dataset, study_id)
    _add_common(making, kept.PICTURE)
    if kind == CTImageStorage:
        _add_empty(making.clean, kept.EMPTIED_OF_CT + kept.EMPTY_IF_UNKNOWN_OF_CT)
    else:
        making.write("Modality", values_of(making.clean, "Modality") or ["OT"])
        making.write("ConversionType", values_of(making.clean, "ConversionType") or ["WSD"])
    add_palettes(dataset, making.clean)
    return _finish(making, kind)


def values_of(dataset: Dataset, keyword: str) -> list[str]:
    """Return an attribute's values as text; none where it is absent, empty or damaged."""
    tag = _attribute(keyword)[0]
    if tag not in dataset:
        return []
    try:
        value = dataset[tag].value
        values = value if isinstance(value, MultiValue | list) else [value]
        return [text for item in values if item is not None and (text := str(item).strip())]
    except Exception:  # a damaged element fails on first access, in many ways
        return []


@cache
def _attribute(keyword: str) -> tuple[BaseTag, str]:
    """Return an attribute's tag and value representation."""
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return BaseTag(tag), dictionary_VR(tag)


def _add(dataset: Dataset, keyword: str, values: list[str] | None) -> None:
    """Add an element without pydicom's checks, which take longer than all the rest: the forms have checked."""
    tag, vr = _attribute(keyword)
    if vr == "US or SS":
        vr = "SS" if keyword in kept.PADDING and dataset.get("PixelRepresentation") == 1 else "US"
    listed = [_typed(vr, value) for value in values or ()]
    value: Any = listed[0] if len(listed) == 1 else MultiValue(_as_it_is, listed) if listed else None
    if vr == "PN":  # a person's name has a class of its own, made on conversion
        dataset[tag] = DataElement(tag, vr, value)
    else:
        dataset[tag] = DataElement(tag, vr, value, already_converted=True)


def _typed(vr: str, value: str) -> Any:
    if vr == "DS":
        return DSfloat(value, validation_mode=0)
    if vr == "IS":
        return IS(value, validation_mode=0)
    return int(value) if vr in ("US", "SS") else UID(value) if vr == "UI" else value


def _as_it_is(value: Any) -> Any:
    return value


def _add_empty(dataset: Dataset, keywords: tuple[str, ...]) -> None:
    for keyword in keywords:
        if keyword not in dataset:
            _add(dataset, keyword, None)


def _add_common(making: _Making, forms: dict[str, Form]) -> None:
    for keyword, form in forms.items():
        making.take(keyword, form)
    bits, signed = making.clean.get("BitsAllocated"), making.clean.get("PixelRepresentation") == 1
    for keyword in kept.PADDING if isinstance(bits, int) else ():
        making.take(keyword, lambda values: padding(values, bits, signed=signed))
    for keyword in kept.DATES:
        making.take(keyword, lambda values: moved_date(values, making.study_id))
    for keyword in kept.DATES_AND_TIMES:
        making.take(keyword, lambda values: moved_date_and_time(values, making.study_id))
    sent = tuple(keyword for keyword in kept.EMPTY_IF_SENT if keyword in making.original)
    _add_empty(making.clean, kept.EMPTIED + kept.EMPTY_IF_UNKNOWN + sent)
    _add_age(making)
    _replace_uids(making)
    for keyword in ("PatientName", "PatientID"):
        making.write(keyword, [making.study_id])


def _add_age(making: _Making) -> None:
    """Say the age where only the date of birth told it, as that date goes."""
    days = [next(iter(values_of(making.original, keyword)), "") for keyword in ("PatientBirthDate", "StudyDate")]
    born, scanned = map(real_date, days)
    if "PatientAge" in making.clean or born is None or scanned is None:
        return
    years = scanned.year - born.year - ((scanned.month, scanned.day) < (born.month, born.day))
    if 0 <= years <= _OLDEST:
        making.write("PatientAge", [f"{years:03d}Y"])


def _replace_uids(making: _Making) -> None:
    for keyword in kept.REPLACED_UIDS:
        original = values_of(making.original, keyword)
        if not original and keyword == "FrameOfReferenceUID":  # required, yet not every scanner writes it
            original = ["frame", *values_of(making.original, "SeriesInstanceUID")]
        making.write(keyword, [replace_uid("\\".join(original), making.study_id)])


def _finish(making: _Making, kind: str) -> Clean:
    clean = making.clean
    making.write("SOPClassUID", [kind])
    _add_methods(making)
    if any(not text.isascii() for keyword in kept.DESCRIPTIONS for text in values_of(clean, keyword)):
        making.write("SpecificCharacterSet", ["ISO_IR 192"])
    clean.file_meta = FileMetaDataset()
    clean.file_meta.TransferSyntaxUID = UID(making.original.file_meta.TransferSyntaxUID)
    clean.file_meta.MediaStorageSOPClassUID = UID(kind)
    clean.file_meta.MediaStorageSOPInstanceUID = UID(clean.SOPInstanceUID)
    add_pixels(making.original, clean)
    return Clean(clean, report(making.original, clean, making.unchanged))


def _add_methods(making: _Making) -> None:
    """Say by what profile and options identity was removed."""
    making.write("PatientIdentityRemoved", ["YES"])
    making.write("DeidentificationMethod", list(METHOD))
    making.write("LongitudinalTemporalInformationModified", ["MODIFIED"])
    items = []
    for code, meaning in METHODS:
        item = Dataset()
        _add(item, "CodeValue", [code])
        _add(item, "CodingSchemeDesignator", ["DCM"])
        _add(item, "CodeMeaning", [meaning])
        items.append(item)
    making.clean.add(DataElement("DeidentificationMethodCodeSequence", "SQ", Sequence(items)))
