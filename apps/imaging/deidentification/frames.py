"""A multi-frame CT (Enhanced CT, Legacy Converted Enhanced CT) as single slices, one a frame.

Multi-frame objects keep what is true of all frames in the shared functional groups and the rest in those of each frame
(PS3.3 C.7.6.16); a slice has all of it at its top level, partly under other names and in other units.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID, CTImageStorage

from apps.core.errors import Refusal
from ml.volumes.headers import numbers, text

Elements = dict[BaseTag, DataElement | RawDataElement]

_SHARED, _PER_FRAME = Tag("SharedFunctionalGroupsSequence"), Tag("PerFrameFunctionalGroupsSequence")
_NOT_OF_A_FRAME = (
    _SHARED, _PER_FRAME, Tag("NumberOfFrames"), Tag("InstanceNumber"), Tag("PixelData"), Tag("ExtendedOffsetTable"),
    Tag("ExtendedOffsetTableLengths"),
)  # fmt: skip
# SNOMED CT and its older codes, of the anatomic region (PS3.16 CID 4030)
_BODY_PARTS = {
    "69536005": "HEAD", "T-D1100": "HEAD", "12738006": "BRAIN", "T-A0100": "BRAIN", "89546000": "SKULL",
    "T-11100": "SKULL", "774007": "HEADNECK", "T-D1000": "HEADNECK", "45048000": "NECK", "T-D1600": "NECK",
    "51185008": "CHEST", "T-D3000": "CHEST",
}  # fmt: skip


def split_frames(dataset: Dataset) -> list[Dataset]:
    """Return the slices of a multi-frame CT as single CT images; a single image comes back as it is.

    Raises Refusal (frames_without_position, frames_do_not_match).
    """
    stated = numbers(dataset, "NumberOfFrames")
    count = int(stated[0]) if stated else 1
    if count == 1 and _SHARED not in dataset and _PER_FRAME not in dataset:
        return [dataset]
    groups = _items(dataset, _PER_FRAME)
    shared = _items(dataset, _SHARED)
    if not groups:
        raise _no_position()
    if len(groups) != count or len(shared) > 1:
        raise _no_match()
    pixels = _frame_pixels(dataset, count)
    base: Elements = {tag: dataset.get_item(tag) for tag in dataset.keys() if tag not in _NOT_OF_A_FRAME}  # noqa: SIM118
    for group in shared:
        base |= _flattened(group)
    return [
        _slice(dataset, base | _flattened(group), number, content)
        for number, (group, content) in enumerate(zip(groups, pixels, strict=True), start=1)
    ]


def _items(dataset: Dataset, tag: BaseTag) -> list[Dataset]:
    return list(dataset[tag].value or ()) if tag in dataset else []


def _flattened(group: Dataset) -> Elements:
    """Return the elements of all functional groups of one item."""
    found: Elements = {}
    for element in group:
        items = list(element.value or ()) if element.VR == "SQ" else []
        if items:
            found |= {tag: items[0].get_item(tag) for tag in items[0].keys()}  # noqa: SIM118
    return found


def _slice(dataset: Dataset, elements: Mapping[BaseTag, Any], number: int, content: bytes) -> Dataset:
    single = Dataset(dict(elements))
    implicit, little = dataset.original_encoding
    single.set_original_encoding(implicit, little, dataset.original_character_set)
    if len(numbers(single, "ImagePositionPatient")) != 3:
        raise _no_position()
    name = f"{text(dataset, 'SOPInstanceUID')}.{number}"
    _set(single, "SOPClassUID", CTImageStorage)
    _set(single, "SOPInstanceUID", UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, name).int}"))
    # A converted object carries the number that each slice had.
    if not numbers(single, "InstanceNumber"):
        _set(single, "InstanceNumber", number)
    for rename in (_rename_frame_type, _rename_acquisition, _rename_exposure, _rename_agent, _rename_body_part):
        rename(single)
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    element = DataElement("PixelData", "OB" if syntax.is_encapsulated else "OW", content, already_converted=True)
    element.is_undefined_length = syntax.is_encapsulated
    single["PixelData"] = element
    single.file_meta = FileMetaDataset()
    single.file_meta.TransferSyntaxUID = syntax
    single.file_meta.MediaStorageSOPClassUID = CTImageStorage
    single.file_meta.MediaStorageSOPInstanceUID = single.SOPInstanceUID
    return single


def _set(single: Dataset, keyword: str, value: Any) -> None:
    """Set an attribute of one slice alone: its other elements are shared with the other slices and the whole."""
    tag = Tag(keyword)
    single[tag] = DataElement(tag, dictionary_VR(tag), value, validation_mode=0)


def _rename_frame_type(single: Dataset) -> None:
    if text(single, "FrameType"):
        _set(single, "ImageType", single.FrameType)


def _rename_acquisition(single: Dataset) -> None:
    """The frame's own time of acquisition, and its acquisition number."""
    when = text(single, "FrameAcquisitionDateTime") or text(single, "AcquisitionDateTime")
    day, clock = when[:8], when[8:].partition("+")[0].partition("-")[0]
    for keyword, value in (("AcquisitionDate", day), ("AcquisitionTime", clock)):
        if value and not text(single, keyword):
            _set(single, keyword, value)
    if number := numbers(single, "FrameAcquisitionNumber"):
        _set(single, "AcquisitionNumber", int(number[0]))


def _rename_exposure(single: Dataset) -> None:
    """Enhanced CT has these as floating point numbers of the same units."""
    for keyword, fine in (
        ("ExposureTime", "ExposureTimeInms"),
        ("XRayTubeCurrent", "XRayTubeCurrentInmA"),
        ("Exposure", "ExposureInmAs"),
    ):
        found = numbers(single, fine)
        if len(found) == 1 and not numbers(single, keyword):
            _set(single, keyword, round(found[0]))


def _rename_agent(single: Dataset) -> None:
    if "ContrastBolusAgentSequence" in single and single.ContrastBolusAgentSequence:
        _set(single, "ContrastBolusAgent", "CONTRAST")


def _rename_body_part(single: Dataset) -> None:
    regions = _items(single, Tag("AnatomicRegionSequence"))
    part = _BODY_PARTS.get(text(regions[0], "CodeValue")) if regions else None
    if part and not text(single, "BodyPartExamined"):
        _set(single, "BodyPartExamined", part)


def _frame_pixels(dataset: Dataset, count: int) -> Iterator[bytes]:
    """Return the pixels of each frame, those of a compressed picture wrapped one by one."""
    content = dataset.get("PixelData")
    if not isinstance(content, bytes):
        raise _no_match()
    packed = UID(dataset.file_meta.TransferSyntaxUID).is_encapsulated
    cut: Callable[[Dataset, bytes, int], list[bytes]] = _packed_frames if packed else _plain_frames
    frames = cut(dataset, content, count)
    if len(frames) != count:
        raise _no_match()
    return iter(frames)


def _plain_frames(dataset: Dataset, content: bytes, count: int) -> list[bytes]:
    sides = [numbers(dataset, keyword) for keyword in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated")]
    if not all(len(side) == 1 for side in sides):
        raise _no_match()
    rows, columns, samples, bits = (int(side[0]) for side in sides)
    length = rows * columns * samples * bits // 8
    if bits % 8 or not length or not length * count <= len(content) <= length * count + 1:
        raise _no_match()
    return [content[start : start + length] for start in range(0, length * count, length)]


def _packed_frames(dataset: Dataset, content: bytes, count: int) -> list[bytes]:
    table = (dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths"))
    try:
        offsets = table if all(table) else None
        found = list(generate_frames(content, number_of_frames=count, extended_offsets=offsets))
    except Exception:  # a damaged stream of fragments, in many ways
        raise _no_match() from None
    return [encapsulate([frame]) for frame in found]


def _no_position() -> Refusal:
    return Refusal(
        "frames_without_position",
        _("A frame of a multi-frame file has no position, so it cannot be placed. Export the series as single images."),
    )


def _no_match() -> Refusal:
    return Refusal(
        "frames_do_not_match",
        _("The frames of a multi-frame file do not fit its pictures, it may be cut short. Export it again."),
    )
