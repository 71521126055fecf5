"""A cleaned data set as a DICOM file, and its header in the DICOM JSON model (PS3.18 Annex F)."""

import base64
from io import BytesIO
from typing import Any

from pydicom.charset import convert_encodings
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element, write_file_meta_info
from pydicom.multival import MultiValue
from pydicom.uid import UID

_PIXELS = 0x7FE0
_DECIMAL_VRS = frozenset({"DS", "FL", "FD"})
_INTEGER_VRS = frozenset({"IS", "US", "SS", "UL", "SL", "UV", "SV"})
_BINARY_VRS = frozenset({"OB", "OW", "OD", "OF", "OL", "OV", "UN"})


def to_bytes(dataset: Dataset) -> bytes:
    """Return a data set as a DICOM file with an empty preamble."""
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    if syntax.is_implicit_VR or syntax.is_deflated or not syntax.is_little_endian:
        plain = BytesIO()
        dataset.save_as(plain, enforce_file_format=True)
        return plain.getvalue()
    buffer = _explicit()
    buffer.write(bytes(128) + b"DICM")
    write_file_meta_info(buffer, dataset.file_meta, enforce_standard=True)
    encodings = convert_encodings(dataset.get("SpecificCharacterSet", "ISO_IR 6"))
    for element in dataset:
        buffer.write(_encoded(element, encodings))
    return buffer.getvalue()


def _explicit() -> DicomBytesIO:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    return buffer


# The slices of a series are alike in most elements, and to encode one takes pydicom longer than all else.
_ENCODED: dict[tuple[object, ...], bytes] = {}
_MOST_ENCODED = 4096


def _encoded(element: DataElement, encodings: list[str]) -> bytes:
    """Return an element in Explicit VR Little Endian, as pydicom encodes it."""
    value = element.value
    key: tuple[object, ...] | None = None
    if element.VR == "SQ":
        key = (element.tag, *(tuple((part.tag, str(part.value)) for part in item) for item in value))
    elif not isinstance(value, bytes):
        key = (element.tag, element.VR, str(value), *encodings)
    known = None if key is None else _ENCODED.get(key)
    if known is not None:
        return known
    buffer = _explicit()
    write_data_element(buffer, element, encodings)
    content: bytes = buffer.getvalue()
    if key is not None:
        if len(_ENCODED) >= _MOST_ENCODED:
            _ENCODED.clear()
        _ENCODED[key] = content
    return content


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
