"""A cleaned data set as a DICOM file, and its header in the DICOM JSON model (PS3.18 Annex F)."""

import base64
from io import BytesIO
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

_PIXELS = 0x7FE0
_DECIMAL_VRS = frozenset({"DS", "FL", "FD"})
_INTEGER_VRS = frozenset({"IS", "US", "SS", "UL", "SL", "UV", "SV"})
_BINARY_VRS = frozenset({"OB", "OW", "OD", "OF", "OL", "OV", "UN"})


def to_bytes(dataset: Dataset) -> bytes:
    """Return a data set as a DICOM file with an empty preamble."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def header_json(dataset: Dataset) -> dict[str, Any]:
    """Return the elements of a data set, without pixels and file meta information, in the DICOM JSON model."""
    return {f"{element.tag:08X}": _element(element) for element in dataset if element.tag.group != _PIXELS}


def _element(element: DataElement) -> dict[str, Any]:
    vr, value = str(element.VR), element.value
    if vr == "SQ":
        return {"vr": vr, "Value": [header_json(item) for item in value]}
    if value is None or value == "" or value == b"":
        return {"vr": vr}
    if vr in _BINARY_VRS:
        return {"vr": vr, "InlineBinary": base64.b64encode(value).decode()}
    values = list(value) if isinstance(value, MultiValue | list) else [value]
    return {"vr": vr, "Value": [_value(vr, item) for item in values]}


def _value(vr: str, value: Any) -> Any:
    if vr in _DECIMAL_VRS:
        return float(value)
    if vr in _INTEGER_VRS:
        return int(value)
    if vr == "PN":
        groups = zip(("Alphabetic", "Ideographic", "Phonetic"), value.components, strict=False)
        return {name: str(group) for name, group in groups}
    return f"{value:08X}" if vr == "AT" else str(value)
