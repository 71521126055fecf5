"""One mask in every form in which ITK-SNAP, 3D Slicer and others write it, and forms in which it is not taken."""

import bz2
import gzip
import zlib
from collections.abc import Callable, Mapping

import numpy as np

from ml.volumes import Geometry
from tests.imaging.planted import MARK

# What 3D Slicer writes behind the grid: keys and values, the names typed by a person.
SLICER = (
    f"Segment0_Color:=0.5 0.2 0.2\nSegment0_ID:=Segment_1\nSegment0_LabelValue:=1\nSegment0_Layer:=0\n"
    f"Segment0_Name:={MARK}: hematoma\nSegmentation_MasterRepresentation:=Binary labelmap\n"
)
MHA_FREE = f"Comment = {MARK}\nName = {MARK}\nPatientID = {MARK}\nAcquisitionDate = {MARK}\n"


def nrrd(
    voxels: np.ndarray, grid: Geometry, /, *, ras: bool = False, free: str = "", encoding: str = "raw", layers: int = 0,
    **fields: str,
) -> bytes:  # fmt: skip
    """Write a NRRD by hand, after the format's definition: origin and steps along x, y and z in LPS or RAS."""
    signs = np.array([-1, -1, 1]) if ras else np.ones(3)
    steps = np.diag([grid.pixel_spacing[1], grid.pixel_spacing[0], float(grid.gaps[0])]) * signs
    known = {
        "type": {1: "unsigned char", 2: "short", 8: "double"}[voxels.itemsize],
        "dimension": "4" if layers else "3",
        "space": "right-anterior-superior" if ras else "left-posterior-superior",
        "sizes": " ".join(map(str, ([layers] if layers else []) + list(voxels.shape[::-1]))),
        "space directions": ("none " if layers else "") + " ".join(map(vector, steps)),
        "kinds": ("list " if layers else "") + "domain domain domain",
        "endian": "big" if voxels.dtype.byteorder == ">" else "little",
        "encoding": encoding,
        "space origin": vector(grid.positions[0] * signs),
    }
    header = "".join(f"{name}: {text}\n" for name, text in {**known, **renamed(fields)}.items() if text)
    return f"NRRD0004\n# {MARK}\n{header}{free}\n".encode() + PACKED.get(encoding, bytes)(voxels.tobytes())


PACKED: Mapping[str, Callable[[bytes], bytes]] = {
    "raw": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "hex": lambda data: data.hex().encode(),
    "ascii": lambda data: " ".join(map(str, data)).encode(),
}


def mha(labels: np.ndarray, grid: Geometry, *, packed: bool = False, free: str = "", **fields: str) -> bytes:
    """Write a MetaImage by hand, after the format's documentation."""
    known = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": str(labels.dtype.byteorder == ">"),
        "CompressedData": str(packed),
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": numbers(grid.positions[0]),
        "CenterOfRotation": "0 0 0",
        "AnatomicalOrientation": "RAI",
        "ElementSpacing": numbers([grid.pixel_spacing[1], grid.pixel_spacing[0], grid.gaps[0]]),
        "DimSize": " ".join(map(str, labels.shape[::-1])),
        "ElementType": {1: "MET_UCHAR", 2: "MET_SHORT", 8: "MET_DOUBLE"}[labels.itemsize],
    }
    last = {"ElementDataFile": "LOCAL"}
    lines = [f"{name} = {text}\n" for name, text in {**known, **fields, **last, **fields}.items() if text]
    voxels = zlib.compress(labels.tobytes()) if packed else labels.tobytes()
    return (free + "".join(lines)).encode() + voxels


def renamed(fields: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", " "): text for name, text in fields.items()}


def numbers(values: object) -> str:
    return " ".join(repr(float(value)) for value in np.asarray(values))


def vector(values: np.ndarray) -> str:
    return f"({numbers(values).replace(' ', ',')})"
