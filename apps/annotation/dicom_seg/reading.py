"""The frames of a DICOM Segmentation, one by one (PS3.3 A.51 and C.7.6.16): nothing is unpacked but a single frame."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from apps.annotation.dicom_seg import refusals
from ml.volumes.headers import numbers, text

_PLAIN = frozenset(map(str, (ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)))
_BITS = {"BINARY": 1, "FRACTIONAL": 8}
# Six labels on the thousands of slices of the finest CT.
MOST_FRAMES = 20_000


@dataclass(frozen=True)
class Frame:
    """What a frame says of itself: its segment, and its place where it is stated."""

    segment: int
    # SOP Instance UIDs of the slices on which it was drawn.
    sources: tuple[str, ...]
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]


@dataclass(frozen=True)
class Frames:
    """The frames of a file, and their pixels."""

    rows: int
    columns: int
    bits: int
    # What "inside" is written as.
    inside: int
    frames: list[Frame]
    pixels: bytes

    def plane(self, number: int) -> npt.NDArray[np.bool_]:
        """Return which pixels (y, x) a frame, counted from 0, outlines."""
        size = self.rows * self.columns
        if self.bits == 1:  # PS3.5 8.1.1: frames follow one another bit by bit, the first pixel in the lowest bit
            start, skipped = divmod(number * size, 8)
            part = np.frombuffer(self.pixels, np.uint8, (skipped + size + 7) // 8, start)
            values = np.unpackbits(part, bitorder="little")[skipped : skipped + size]
        else:
            values = np.frombuffer(self.pixels, np.uint8, size, number * size)
        inside: npt.NDArray[np.bool_] = values == self.inside
        if np.any(values[~inside]):
            raise refusals.fractions()
        return inside.reshape(self.rows, self.columns)


def read_frames(dataset: Dataset) -> Frames:
    """Return the frames of a segmentation. Raises Refusal where they cannot be read, or lack a segment or a place."""
    if text(dataset.file_meta, "TransferSyntaxUID") not in _PLAIN:
        raise refusals.packed()
    kind = text(dataset, "SegmentationType")
    if kind not in _BITS:
        raise refusals.fractions() if kind else refusals.damaged()
    rows, columns, count, bits = (
        _count(dataset, name) for name in ("Rows", "Columns", "NumberOfFrames", "BitsAllocated")
    )
    inside = _count(dataset, "MaximumFractionalValue") if kind == "FRACTIONAL" else 1
    pixels = dataset.get("PixelData")
    needed = (rows * columns * count * bits + 7) // 8
    # Held against the bytes that came, so that no number in the header asks for more than they are.
    if bits != _BITS[kind] or not isinstance(pixels, bytes) or not needed <= len(pixels) <= needed + needed % 2:
        raise refusals.damaged()
    if count > MOST_FRAMES:
        raise refusals.damaged()
    return Frames(rows, columns, bits, inside, _frames(dataset, count), pixels)


def first_item(dataset: Dataset, keyword: str) -> Dataset | None:
    """Return the first item of a sequence; None where there is none."""
    found = items(dataset, keyword)
    return found[0] if found else None


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a sequence; none where it is absent or damaged."""
    try:
        value = dataset.get(keyword)
    except Exception:  # a damaged element fails on first access, in many ways
        return []
    return list(value) if isinstance(value, Sequence) else []


def _count(dataset: Dataset, keyword: str) -> int:
    found = numbers(dataset, keyword)
    if len(found) != 1 or not 1 <= found[0] < 2**31:
        raise refusals.damaged()
    return int(found[0])


def _frames(dataset: Dataset, count: int) -> list[Frame]:
    shared = first_item(dataset, "SharedFunctionalGroupsSequence") or Dataset()
    groups = items(dataset, "PerFrameFunctionalGroupsSequence")
    if len(groups) != count:
        raise refusals.unplaced()
    return [_frame(group, shared) for group in groups]


def _frame(group: Dataset, shared: Dataset) -> Frame:
    def stated(sequence: str, keyword: str) -> tuple[float, ...]:
        item = first_item(group, sequence) or first_item(shared, sequence)
        return () if item is None else tuple(numbers(item, keyword))

    segment = stated("SegmentIdentificationSequence", "ReferencedSegmentNumber")
    frame = Frame(
        segment=int(segment[0]) if segment else 0,
        sources=_sources(group) or _sources(shared),
        position=stated("PlanePositionSequence", "ImagePositionPatient"),
        orientation=stated("PlaneOrientationSequence", "ImageOrientationPatient"),
        spacing=stated("PixelMeasuresSequence", "PixelSpacing"),
    )
    in_space = (len(frame.position), len(frame.orientation), len(frame.spacing)) == (3, 6, 2)
    if frame.segment < 1 or not (frame.sources or in_space):
        raise refusals.unplaced()
    return frame


def _sources(group: Dataset) -> tuple[str, ...]:
    found = (
        text(source, "ReferencedSOPInstanceUID")
        for derivation in items(group, "DerivationImageSequence")
        for source in items(derivation, "SourceImageSequence")
    )
    return tuple(uid for uid in found if uid)
