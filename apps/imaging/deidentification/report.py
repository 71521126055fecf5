"""Which elements of a data set did not come through as they were: by tag and name, never by value."""

from functools import lru_cache

from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from apps.imaging.deidentification import kept

_MOVED = frozenset(Tag(keyword) for keyword in kept.DATES + kept.DATES_AND_TIMES)
_REPLACED = frozenset(
    Tag(keyword)
    for keyword in (
        *kept.REPLACED_UIDS, "SOPClassUID", "PatientName", "PatientID", "SpecificCharacterSet",
        "DeidentificationMethod", "DeidentificationMethodCodeSequence", "PatientIdentityRemoved",
        "LongitudinalTemporalInformationModified",
    )
)  # fmt: skip
_PIXEL_DATA = Tag("PixelData")


def report(original: Dataset, clean: Dataset, unchanged: set[BaseTag]) -> dict[str, str]:
    """Return what became of each element; a sequence stands for all that it holds."""
    changes = {}
    for tag in original.keys():  # noqa: SIM118 - iterating over the data set would decode each element
        if tag in unchanged:
            continue
        action = _action(tag, original, clean)
        if action:
            changes[name_of(tag)] = action
    return changes


def _action(tag: BaseTag, original: Dataset, clean: Dataset) -> str:
    if tag not in clean:
        return "removed"
    if tag == _PIXEL_DATA:
        return "" if len(original[tag].value) == len(clean[tag].value) else "cleaned"
    if clean[tag].value in (None, ""):
        return "" if _is_empty(original.get_item(tag)) else "emptied"
    if tag in _REPLACED:
        return "replaced"
    return "moved" if tag in _MOVED else "cleaned"


def _is_empty(element: DataElement | RawDataElement) -> bool:
    value = element.value
    return value is None or not (value.strip() if isinstance(value, bytes | str) else str(value))


@lru_cache(maxsize=4096)
def name_of(tag: BaseTag) -> str:
    """Return what an element is called in a report. A private one has no name: its maker's text could hold anything."""
    number = f"({tag.group:04X},{tag.element:04X})"
    if tag.is_private:
        block = f"({tag.group:04X},xx{tag.element & 0xFF:02X})"
        return f"{block if tag.element >= 0x1000 else number} private"
    return f"{number} {keyword_for_tag(tag)}".strip()
