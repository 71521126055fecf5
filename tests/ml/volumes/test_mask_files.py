"""NRRD and MetaImage: other spaces, whole in one file or refused, nothing but the grid in the header."""

import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from ml.volumes import Volume, read_mask, read_series, write_mask
from tests.ml.volumes.test_masks import MASK, SHAPE, refusal, saved, series


@pytest.fixture
def volume() -> Volume:
    return read_series(series(20.0))


BOTH = pytest.mark.parametrize("suffix", ["nrrd", "mha"])


def itk_file(volume: Volume, path: Path, *, packed: bool) -> bytes:
    sitk.WriteImage(saved(volume, path.parent)[0], str(path), useCompression=packed)
    return path.read_bytes()


def header_lines(content: bytes, suffix: str) -> list[str]:
    end = content.index(b"\n\n" if suffix == "nrrd" else b"LOCAL\n")
    return content[:end].decode("ascii").splitlines()


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (1, 1, 1)), ("LPS", (1, 1, 1)), ("right-anterior-superior", (-1, -1, 1)),
        ("RAS", (-1, -1, 1)), ("left-anterior-superior", (1, -1, 1)), ("LAS", (1, -1, 1)),
    ],
)  # fmt: skip
def test_nrrd_in_another_space(space: str, signs: tuple[int, ...], volume: Volume, tmp_path: Path) -> None:
    """The same points, written by hand with the axes that the space names."""
    image = saved(volume, tmp_path)[0]
    columns = np.reshape(image.GetDirection(), (3, 3)).T * np.reshape(image.GetSpacing(), (3, 1)) * signs
    origin = np.array(image.GetOrigin()) * signs
    header = (
        f"NRRD0004\ntype: uint8\ndimension: 3\nspace: {space}\nsizes: {' '.join(map(str, image.GetSize()))}\n"
        f"space directions: {' '.join(str(tuple(column)).replace(' ', '') for column in columns.tolist())}\n"
        f"encoding: raw\nspace origin: {str(tuple(origin.tolist())).replace(' ', '')}\n\n"
    )
    path = tmp_path / "mask.nrrd"
    path.write_bytes(header.encode() + MASK.tobytes())
    np.testing.assert_array_equal(read_mask(path, volume), MASK)


@pytest.mark.parametrize("space", ["space: scanner-xyz\n", "space dimension: 3\n"])
def test_a_space_that_is_not_the_patients_is_refused(space: str, volume: Volume, tmp_path: Path) -> None:
    path = tmp_path / "mask.nrrd"
    content = itk_file(volume, path, packed=False)
    path.write_bytes(content.replace(b"space: left-posterior-superior\n", space.encode()))
    assert "left-posterior-superior" in str(refusal(path, volume))


@BOTH
def test_a_header_alone_is_refused_and_its_file_not_read(suffix: str, volume: Volume, tmp_path: Path) -> None:
    """ITK would read the file beside it, which holds the very mask."""
    path, beside = tmp_path / f"mask.{suffix}", tmp_path / "voxels.raw"
    content = itk_file(volume, path, packed=False)
    beside.write_bytes(content[-MASK.size :])
    for name in ("voxels.raw", str(beside), "/etc/hostname", "LIST\nvoxels.raw"):
        if suffix == "nrrd":
            path.write_bytes(content[: content.index(b"\n\n") + 1] + f"data file: {name}\n\n".encode())
        else:
            path.write_bytes(content[: content.index(b"LOCAL")] + f"{name}\n".encode())
        if name == "voxels.raw":
            assert sitk.ReadImage(str(path)).GetSize() == SHAPE[::-1]
        assert refusal(path, volume).code == "mask_detached"


@BOTH
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("kept", [0.6, 0.98])
def test_cut_files_are_refused(suffix: str, packed: bool, kept: float, volume: Volume, tmp_path: Path) -> None:
    path = tmp_path / f"mask.{suffix}"
    content = itk_file(volume, path, packed=packed)
    start = len(content) - MASK.size if not packed else content.index(b"\x1f\x8b" if suffix == "nrrd" else b"LOCAL")
    path.write_bytes(content[: start + int((len(content) - start) * kept)])
    assert refusal(path, volume).code == "mask_incomplete"


@BOTH
def test_a_wrong_checksum_is_refused(suffix: str, volume: Volume, tmp_path: Path) -> None:
    """ITK reads a NRRD all the same."""
    path = tmp_path / f"mask.{suffix}"
    content = bytearray(itk_file(volume, path, packed=True))
    content[-6 if suffix == "nrrd" else -1] ^= 1  # gzip has four bytes of length behind its checksum
    path.write_bytes(content)
    assert refusal(path, volume).code == "mask_incomplete"


@pytest.mark.parametrize("layers", [1, 2])
def test_layers_of_a_segmentation(layers: int, volume: Volume, tmp_path: Path) -> None:
    path = tmp_path / "mask.seg.nrrd"
    content = itk_file(volume, path, packed=False)
    header, voxels = content[: content.index(b"\n\n")], content[-MASK.size :]
    header = (
        header.replace(b"dimension: 3", b"dimension: 4").replace(b"directions: ", b"directions: none ")
        .replace(b"sizes: ", f"sizes: {layers} ".encode()).replace(b"kinds: ", b"kinds: list ")
    )  # fmt: skip
    path.write_bytes(header + b"\n\n" + np.repeat(np.frombuffer(voxels, np.uint8), layers).tobytes())
    if layers == 1:
        np.testing.assert_array_equal(read_mask(path, volume), MASK)
    else:
        assert refusal(path, volume).code == "mask_not_labels"


@pytest.mark.parametrize("name", ["mask.nhdr", "mask.mhd", "mask.nrrd.gz", "mask.MHD"])
def test_names_of_detached_headers_are_refused(name: str, volume: Volume, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"NRRD0004\n")
    assert refusal(tmp_path / name, volume).code == "not_a_mask"


def test_headers_of_written_masks_hold_the_grid_alone(volume: Volume, tmp_path: Path) -> None:
    fields = {
        "nrrd": "type dimension space sizes space-directions kinds encoding space-origin",
        "mha": "ObjectType NDims BinaryData BinaryDataByteOrderMSB CompressedData CompressedDataSize TransformMatrix "
        "Offset CenterOfRotation AnatomicalOrientation ElementSpacing DimSize ElementType ElementDataFile",
    }
    for suffix, names in fields.items():
        write_mask(tmp_path / f"mask.{suffix}", MASK, volume)
        lines = header_lines((tmp_path / f"mask.{suffix}").read_bytes(), suffix)
        if suffix == "nrrd":
            assert [line for line in lines[1:] if line.startswith("#")] == [
                "# Complete NRRD file format specification at:", "# http://teem.sourceforge.net/nrrd/format.html"
            ]  # fmt: skip
            lines = [line.replace("space ", "space-") for line in lines[1:] if not line.startswith("#")]
        assert [line.replace(":", " ").split()[0] for line in lines] == names.split()


def test_written_masks_are_packed_without_a_date(volume: Volume, tmp_path: Path) -> None:
    """Bytes 4 to 7 of gzip are the time of the file, bit 3 of byte 3 says that its name follows (RFC 1952)."""
    for suffix in ("nii.gz", "nrrd"):
        path = tmp_path / f"mask.{suffix}"
        write_mask(path, MASK, volume)
        content = path.read_bytes()
        packed = content if suffix == "nii.gz" else content[content.index(b"\n\n") + 2 :]
        assert packed[:2] == b"\x1f\x8b"
        assert packed[3:8] == bytes(5)
        assert gzip.decompress(packed).endswith(MASK.tobytes())
    write_mask(tmp_path / "mask.mha", MASK, volume)
    content = (tmp_path / "mask.mha").read_bytes()
    assert zlib.decompress(content[content.index(b"LOCAL\n") + 6 :]) == MASK.tobytes()
