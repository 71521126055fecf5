"""What the segments of a DICOM Segmentation are: by their codes, else by their names (PS3.3 C.8.20.4)."""

from collections.abc import Mapping

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from apps.annotation.dicom_seg import refusals
from apps.annotation.dicom_seg.reading import first_item
from apps.annotation.labels import LABELS
from ml.hematoma import Label
from ml.volumes.headers import text

_NAMES = {words.dicom_name.casefold(): label for label, words in LABELS.items()}
_NOT_SAID = Code("", "", "")
# A lone segment that says one of these is no parenchymal hematoma, whatever it is called.
_OTHER_FINDINGS = (codes.SCT.Edema,)
_OTHER_PLACES = tuple(words.region for words in LABELS.values() if words.region != codes.SCT.Brain)


def labels_of(segments: Mapping[int, Dataset]) -> dict[int, Label]:
    """Return the label of each segment that is drawn, by its number.

    A lone one without known codes or name is the parenchymal hematoma; of several each must be known.
    """
    found = {number: _label_of(segment) for number, segment in segments.items()}
    if len(found) == 1:
        ((number, segment),) = segments.items()
        if found[number] is None and not _is_something_else(segment):
            return {number: Label.PARENCHYMAL}
    known = {number: label for number, label in found.items() if label is not None}
    if len(known) < len(found):
        raise refusals.unknown_segment()
    return known


def _label_of(segment: Dataset) -> Label | None:
    """Return the one label that a segment's codes mean; its name decides where they mean several, or say nothing."""
    finding, region = _codes(segment)
    coded = [
        label for label, words in LABELS.items() if words.finding == finding and region in (words.region, _NOT_SAID)
    ]
    if len(coded) == 1:
        return coded[0]
    named = _NAMES.get(text(segment, "SegmentLabel").casefold())
    if not coded and not (named == Label.PARENCHYMAL and _is_something_else(segment)):
        return named
    return named if named in coded else None


def _is_something_else(segment: Dataset) -> bool:
    """Say whether a segment cannot be the parenchymal hematoma by its codes."""
    finding, region = _codes(segment)
    return finding in _OTHER_FINDINGS or region in _OTHER_PLACES


def _codes(segment: Dataset) -> tuple[Code, Code]:
    """Return finding and place. Older programs write codes of SNOMED RT, which pydicom takes for those of today."""
    found = (first_item(segment, name) for name in ("SegmentedPropertyTypeCodeSequence", "AnatomicRegionSequence"))
    finding, region = (
        _NOT_SAID if item is None else Code(text(item, "CodeValue"), text(item, "CodingSchemeDesignator"), "")
        for item in found
    )
    return finding, region
