"""One header read once: every attribute that the report looks at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pydicom

from ml.volumes.headers import numbers, text


@dataclass(frozen=True)
class Slice:
    """What one image says of itself. Numbers are empty where they are absent or damaged."""

    header: pydicom.Dataset = field(repr=False, compare=False)
    uid: str
    series: str
    modality: str
    image_type: str
    frames: str
    matrix: tuple[float, ...]
    # mm between rows and between columns.
    spacing: tuple[float, ...]
    # Direction cosines, LPS: along a row (3), along a column (3).
    directions: tuple[float, ...]
    # mm, LPS.
    position: tuple[float, ...]
    number: float | None
    acquisition: str
    time: str
    kernel: str
    kvp: str
    # mm.
    thickness: float | None
    digest: str

    @property
    def key(self) -> tuple[object, ...]:
        """Return what puts slices into one order, however their files came."""
        number = float("inf") if self.number is None else self.number
        return (number, self.uid, self.position, self.acquisition, self.time, self.image_type, self.digest)

    @property
    def content(self) -> tuple[object, ...]:
        """Return what two files of one picture share: the digest of its pixels, else all that the header says."""
        if self.digest:
            return (self.digest,)
        told = (self.number, self.acquisition, self.time, self.kernel, self.kvp, self.image_type)
        return (*told, self.position, self.thickness)


def read_slices(headers: Sequence[pydicom.Dataset], digests: Mapping[str, str]) -> list[Slice]:
    """Read the headers into one order that does not depend on theirs."""
    return sorted((_read(header, digests) for header in headers), key=lambda one: one.key)


def _read(header: pydicom.Dataset, digests: Mapping[str, str]) -> Slice:
    uid = text(header, "SOPInstanceUID")
    return Slice(
        header=header,
        uid=uid,
        series=text(header, "SeriesInstanceUID"),
        modality=text(header, "Modality"),
        image_type=text(header, "ImageType").upper(),
        frames="2" if "SharedFunctionalGroupsSequence" in header else text(header, "NumberOfFrames"),
        matrix=(*numbers(header, "Rows"), *numbers(header, "Columns")),
        spacing=tuple(numbers(header, "PixelSpacing")),
        directions=tuple(numbers(header, "ImageOrientationPatient")),
        position=tuple(numbers(header, "ImagePositionPatient")),
        number=_one(header, "InstanceNumber", 1e9),
        acquisition=text(header, "AcquisitionNumber"),
        time=text(header, "AcquisitionTime") or text(header, "ContentTime"),
        kernel=text(header, "ConvolutionKernel"),
        kvp=text(header, "KVP"),
        thickness=_one(header, "SliceThickness", 1e3),
        digest=digests.get(uid, ""),
    )


def _one(header: pydicom.Dataset, keyword: str, most: float) -> float | None:
    """Return an attribute's one number; beyond `most` it is damaged."""
    found = numbers(header, keyword)
    return found[0] if len(found) == 1 and abs(found[0]) <= most else None
