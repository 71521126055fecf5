"""NRRD and MetaImage by every way in: taken like NIfTI, or refused with one sentence and nothing left behind."""

import gzip
import resource
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from apps.annotation.formats import plain_mask
from apps.annotation.models import Mask
from apps.annotation.selectors import load_labels
from apps.core.errors import Refusal
from apps.imaging.models import Series
from ml.errors import MLError
from ml.volumes import Geometry, read_mask, read_series
from tests.annotation.conftest import MaskFile, square_labels
from tests.annotation.mask_formats import MHA_FREE, SLICER, mha, nrrd
from tests.imaging.doors import Doors
from tests.imaging.factory import everything
from tests.imaging.planted import MARK, marks_in
from tests.imaging.watch import written_paths
from tests.ml.volumes.test_masks import MASK, itk_image, itk_mask, series

SQUARE = square_labels()
Make = Callable[[Geometry], bytes]


def form(content: bytes, name: str = "mask") -> dict[str, Any]:
    return {"file": SimpleUploadedFile(name, content)}


TAKEN: dict[str, Make] = {
    "nrrd raw": lambda grid: nrrd(SQUARE, grid),
    "nrrd gzip": lambda grid: nrrd(SQUARE, grid, encoding="gzip"),
    "nrrd of two bytes": lambda grid: nrrd(SQUARE.astype("<i2"), grid),
    "nrrd big endian": lambda grid: nrrd(SQUARE.astype(">i2"), grid, encoding="gzip"),
    "nrrd of doubles": lambda grid: nrrd(SQUARE.astype("<f8"), grid),
    "nrrd in ras": lambda grid: nrrd(SQUARE, grid, ras=True),
    "nrrd in short": lambda grid: nrrd(SQUARE, grid, ras=True, space="RAS"),
    "nrrd of windows": lambda grid: windows(nrrd(SQUARE, grid)),
    "seg.nrrd": lambda grid: nrrd(SQUARE, grid, encoding="gzip", free=SLICER),
    "seg.nrrd of one layer": lambda grid: nrrd(SQUARE, grid, encoding="gzip", free=SLICER, layers=1),
    "mha raw": lambda grid: mha(SQUARE, grid),
    "mha packed": lambda grid: mha(SQUARE, grid, packed=True, CompressedDataSize="99"),
    "mha big endian": lambda grid: mha(SQUARE.astype(">i2"), grid, packed=True),
    "mha of doubles": lambda grid: mha(SQUARE.astype("<f8"), grid),
    "mha that begins with a comment": lambda grid: mha(SQUARE, grid, free=MHA_FREE),
    "mha with a fourth axis": lambda grid: mha(SQUARE, grid, **fourth_axis(grid)),
}


def windows(content: bytes) -> bytes:
    header, voxels = content.split(b"\n\n", 1)
    return header.replace(b"\n", b"\r\n") + b"\r\n\r\n" + voxels


def fourth_axis(grid: Geometry) -> dict[str, str]:
    offset = " ".join(map(str, grid.positions[0]))
    return {
        "NDims": "4", "DimSize": "16 16 5 1", "TransformMatrix": "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1",
        "Offset": f"{offset} 0", "ElementSpacing": f"0.5 0.5 {grid.gaps[0]} 1",
    }  # fmt: skip


@pytest.mark.parametrize("kind", TAKEN)
def test_taken(kind: str, api: APIClient, doors: Doors, ct: Series, grid: Geometry) -> None:
    """The name of the file is of no account."""
    answer = api.post(doors.api_url, form(TAKEN[kind](grid), "mask.nii.gz"))
    assert answer.status_code == 201, answer.content
    assert answer.json()["volume_ml"] == "0.29"
    np.testing.assert_array_equal(load_labels(Mask.objects.get()), SQUARE)


@pytest.mark.parametrize("suffix", ["nrrd", "mha"])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("orientation", ["LPS", "RAS", "LPI"])
def test_taken_as_simpleitk_writes_it(
    suffix: str, packed: bool, orientation: str, api: APIClient, doors: Doors, ct: Series, square: bytes, tmp_path: Path
) -> None:
    image = sitk.DICOMOrient(sitk.ReadImage(str(tmp_path / "mask.nii.gz")), orientation)
    sitk.WriteImage(image, str(tmp_path / f"other.{suffix}"), useCompression=packed)
    answer = api.post(doors.api_url, form((tmp_path / f"other.{suffix}").read_bytes()))
    assert answer.status_code == 201, answer.content
    np.testing.assert_array_equal(load_labels(Mask.objects.get()), SQUARE)


@pytest.mark.parametrize("tilt", [20.0, 0.0, -20.0])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("suffix", ["nii.gz", "nrrd", "mha"])
def test_tilted_and_mixed_gaps_without_free_text(tilt: float, reverse: bool, suffix: str, tmp_path: Path) -> None:
    """What SimpleITK draws on the series lies where it lay, voxel by voxel, once the free text is out."""
    datasets = series(tilt)
    folder = tmp_path / "dicom"
    folder.mkdir()
    grid = read_series(datasets)
    drawn = itk_mask(itk_image(datasets, folder, reverse=reverse), tmp_path / f"drawn.{suffix}")
    plain, kind = plain_mask(drawn.read_bytes(), grid)
    (tmp_path / f"plain{kind}").write_bytes(plain)
    np.testing.assert_array_equal(read_mask(tmp_path / f"plain{kind}", grid), MASK)


def two_layers(grid: Geometry) -> bytes:
    """Two segments that overlap, each with the label 1 in its own layer, as 3D Slicer writes them."""
    return nrrd(np.repeat(SQUARE[..., None], 2, axis=3)[..., 0], grid, layers=2) + SQUARE.tobytes()


BAD: dict[str, tuple[str, Make]] = {
    "nrrd layers": ("mask_layers", two_layers),
    "nrrd colors": ("mask_not_labels", lambda grid: nrrd(SQUARE, grid, layers=3, kinds="RGB-color space space space")),
    "nrrd ascii": ("mask_encoding", lambda grid: nrrd(SQUARE, grid, encoding="ascii")),
    "nrrd hex": ("mask_encoding", lambda grid: nrrd(SQUARE, grid, encoding="hex")),
    "nrrd bzip2": ("mask_encoding", lambda grid: nrrd(SQUARE, grid, encoding="bzip2")),
    "nrrd of the scanner": ("mask_other_grid", lambda grid: nrrd(SQUARE, grid, space="scanner-xyz")),
    "nrrd without space": ("mask_other_grid", lambda grid: nrrd(SQUARE, grid, space="")),
    "nrrd in the wrong space": ("mask_other_grid", lambda grid: nrrd(SQUARE, grid, space="RAS")),
    "nrrd elsewhere": ("mask_other_grid", lambda grid: nrrd(SQUARE, grid, space_origin="(1,2,3)")),
    "nrrd of other size": ("mask_shape", lambda grid: nrrd(SQUARE[:4], grid)),
    "nrrd empty": ("mask_empty", lambda grid: nrrd(SQUARE * 0, grid)),
    "nrrd of halves": ("mask_not_labels", lambda grid: nrrd(SQUARE * 0.5, grid)),
    "nrrd cut": ("mask_incomplete", lambda grid: nrrd(SQUARE, grid)[:-1]),
    "nrrd packed, cut": ("mask_incomplete", lambda grid: nrrd(SQUARE, grid, encoding="gzip")[:-9]),
    "nrrd bad checksum": ("mask_incomplete", lambda grid: nrrd(SQUARE, grid, encoding="gzip")[:-8] + bytes(8)),
    "nrrd header alone": ("mask_incomplete", lambda grid: nrrd(SQUARE, grid).split(b"\n\n")[0]),
    "nrrd says too little": ("mask_incomplete", lambda grid: nrrd(SQUARE[:4], grid, sizes="16 16 5")),
    "nrrd says too much": ("mask_too_large", lambda grid: nrrd(SQUARE, grid, sizes="99999 99999 99999")),
    "nrrd of no numbers": ("not_a_mask", lambda grid: nrrd(SQUARE, grid, space_origin="(nan,0,0)")),
    "nrrd of two numbers": ("not_a_mask", lambda grid: nrrd(SQUARE, grid, space_origin="(0,0)")),
    "nrrd of no size": ("not_a_mask", lambda grid: nrrd(SQUARE, grid, sizes="-16 16 -5")),
    "nrrd of no type": ("not_a_mask", lambda grid: nrrd(SQUARE, grid, type="block")),
    "nrrd of no order": ("not_a_mask", lambda grid: nrrd(SQUARE.astype("<i2"), grid, endian="middle")),
    "nrrd that skips": ("not_a_mask", lambda grid: nrrd(SQUARE, grid, byte_skip="-1")),
    "nrrd of one axis": ("not_a_mask", lambda grid: nrrd(SQUARE, grid, dimension="1")),
    "nrrd flat": ("mask_other_grid", lambda grid: nrrd(SQUARE, grid, space_directions="(0,0,0) (0,0,0) (0,0,0)")),
    "nrrd magic": ("not_a_mask", lambda grid: b"NRRD"),
    "nrrd packed whole": ("not_a_mask", lambda grid: gzip.compress(nrrd(SQUARE, grid))),
    "mha text": ("mask_encoding", lambda grid: mha(SQUARE, grid, BinaryData="False")),
    "mha colors": ("mask_not_labels", lambda grid: mha(SQUARE, grid, ElementNumberOfChannels="3")),
    "mha elsewhere": ("mask_other_grid", lambda grid: mha(SQUARE, grid, Offset="1 2 3")),
    "mha turned": ("mask_other_grid", lambda grid: mha(SQUARE, grid, TransformMatrix="1 0 0 0 -1 0 0 0 1")),
    "mha of other size": ("mask_shape", lambda grid: mha(SQUARE[:4], grid)),
    "mha of one slice": ("mask_shape", lambda grid: mha(SQUARE, grid, **one_slice())),
    "mha empty": ("mask_empty", lambda grid: mha(SQUARE * 0, grid)),
    "mha of halves": ("mask_not_labels", lambda grid: mha(SQUARE * 0.5, grid)),
    "mha cut": ("mask_incomplete", lambda grid: mha(SQUARE, grid)[:-1]),
    "mha packed, cut": ("mask_incomplete", lambda grid: mha(SQUARE, grid, packed=True)[:-1]),
    "mha bad checksum": ("mask_incomplete", lambda grid: mha(SQUARE, grid, packed=True)[:-4] + bytes(4)),
    "mha says too much": ("mask_too_large", lambda grid: mha(SQUARE, grid, DimSize="99999 99999 99999")),
    "mha without place": ("not_a_mask", lambda grid: mha(SQUARE, grid, Offset="")),
    "mha of no numbers": ("not_a_mask", lambda grid: mha(SQUARE, grid, ElementSpacing="inf 0.5 16")),
    "mha of no type": ("not_a_mask", lambda grid: mha(SQUARE, grid, ElementType="MET_STRING")),
    "mha that skips": ("not_a_mask", lambda grid: mha(SQUARE, grid, HeaderSize="-1")),
    "mha of many axes": ("not_a_mask", lambda grid: mha(SQUARE, grid, NDims="10")),
    "mha flat": ("mask_other_grid", lambda grid: mha(SQUARE, grid, TransformMatrix="0 0 0 0 0 0 0 0 0")),
    "mha magic": ("not_a_mask", lambda grid: b"ObjectType = Image\n"),
}


def one_slice() -> dict[str, str]:
    return {
        "NDims": "2", "DimSize": "16 16", "TransformMatrix": "1 0 0 1", "Offset": "0 0", "ElementSpacing": "0.5 0.5"
    }  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_refused(kind: str, doors: Doors, ct: Series, grid: Geometry) -> None:
    code, make = BAD[kind]
    content = make(grid)
    before = everything()
    doors.refuse(code, lambda: form(content, "mask.nrrd"))
    assert everything() == before


@pytest.mark.parametrize("name", ["/etc/hostname", "{beside}", "voxels.raw", "LIST\n{beside}", "../%03d.raw 1 5 1"])
@pytest.mark.parametrize("make", ["nrrd", "nrrd, no blank line", "mha", "mha, no new line"])
def test_a_path_in_a_header_is_not_opened(
    make: str, name: str, doors: Doors, ct: Series, grid: Geometry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of the files holds the very voxels; SimpleITK, which would read it, is not reached."""
    (tmp_path / "voxels.raw").write_bytes(SQUARE.tobytes())
    name = name.format(beside=tmp_path / "voxels.raw")
    content = {
        "nrrd": nrrd(SQUARE, grid, data_file=name),
        "nrrd, no blank line": nrrd(SQUARE, grid, datafile=name).split(b"\n\n")[0],
        "mha": mha(SQUARE, grid, ElementDataFile=name),
        "mha, no new line": mha(SQUARE, grid, ElementDataFile=name).split(name.encode())[0] + name.encode(),
    }[make]

    def reached(*args: Any) -> None:
        raise AssertionError("SimpleITK was reached")

    monkeypatch.setattr(sitk, "ImageFileReader", reached)
    with written_paths() as paths:
        doors.refuse("mask_detached", lambda: form(content))
    assert not [path for path in paths if "ichor-mask" in str(path)]


PLANTED: dict[str, Make] = {
    "nrrd": lambda grid: nrrd(
        SQUARE, grid, free=SLICER, content=MARK, sample_units=MARK, space_units=f'"{MARK}" "mm" "mm"',
        labels=f'"{MARK}" "y" "z"', units=f'"{MARK}" "mm" "mm"', old_min=MARK,
    ) + MARK.encode(),
    "nrrd packed": lambda grid: nrrd(SQUARE, grid, free=SLICER, encoding="gzip", number=MARK),
    "mha": lambda grid: mha(SQUARE, grid, free=MHA_FREE, AnatomicalOrientation=MARK) + MARK.encode(),
    "mha packed": lambda grid: mha(SQUARE, grid, free=MHA_FREE, packed=True, Modality=MARK) + MARK.encode(),
}  # fmt: skip


@pytest.mark.parametrize("kind", [*PLANTED, "nifti"])
def test_free_text_never_touches_the_disk(
    kind: str, doors: Doors, ct: Series, square: bytes, grid: Geometry, api: APIClient, empty_tmp: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What stands behind the voxels goes too."""
    written: list[bytes] = []
    write = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda path, data: (written.append(bytes(data)), write(path, data))[1])
    content = gzip.decompress(square) + MARK.encode() if kind == "nifti" else PLANTED[kind](grid)
    assert marks_in([content])
    with written_paths() as paths:
        answer = api.post(doors.api_url, form(content, f"{MARK}.nrrd"))
    assert answer.status_code == 201, answer.content
    np.testing.assert_array_equal(load_labels(Mask.objects.get()), SQUARE)
    suffix = {"nrrd": "nrrd", "mha": "mha", "nifti": "nii"}[kind.split()[0]]
    assert [path.name for path in paths if path.is_relative_to(empty_tmp)] == [f"mask.{suffix}"]
    assert len(written) == 1
    assert marks_in(written) == []
    assert list(empty_tmp.iterdir()) == []


@pytest.mark.parametrize("field", ["type", "space", "sizes", "space_directions", "space_origin", "encoding", "endian"])
def test_no_field_that_is_kept_carries_a_text(field: str, grid: Geometry) -> None:
    with pytest.raises(MLError):
        plain_mask(nrrd(SQUARE.astype("<i2"), grid, **{field: MARK}), grid)


@pytest.mark.parametrize("kind", ["nrrd", "mha"])
def test_bombs_are_refused_without_filling_memory(kind: str, doors: Doors, ct: Series, grid: Geometry) -> None:
    """Half a gigabyte in half a megabyte behind a header that promises a mask of this CT."""
    if kind == "nrrd":
        header, packed = nrrd(SQUARE, grid, encoding="gzip").split(b"\n\n")[0], gzip.compress(bytes(512 * 1024**2), 1)
        bomb = header + b"\n\n" + packed
    else:
        header = mha(SQUARE, grid, packed=True).split(b"LOCAL\n")[0]
        bomb = header + b"LOCAL\n" + zlib.compress(bytes(512 * 1024**2), 1)
    before, peak = everything(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    doors.refuse("mask_too_large", lambda: form(bomb))
    assert everything() == before
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 200 * 1024


@pytest.mark.parametrize("kind", ["nrrd raw", "seg.nrrd of one layer", "mha raw", "mha packed"])
def test_garbled_files_are_refused_or_lie_on_the_ct(kind: str, grid: Geometry, tmp_path: Path) -> None:
    """Any byte of the header may be another, missing or doubled: there is a sentence or a mask, nothing else."""
    content, random = TAKEN[kind](grid), np.random.default_rng(5)
    end = content.index(b"\n\n") if "nrrd" in kind else content.index(b"LOCAL")
    for _ in range(300):
        place, data = int(random.integers(end)), bytearray(content)
        data[place : place + int(random.integers(3))] = random.bytes(int(random.integers(3)))
        try:
            plain, suffix = plain_mask(bytes(data), grid)
            path = tmp_path / f"mask{suffix}"
            path.write_bytes(plain)
            assert read_mask(path, grid).shape == SQUARE.shape
        except (MLError, Refusal):
            pass


def test_all_three_formats_of_one_mask_are_one_version(
    api: APIClient, doors: Doors, ct: Series, grid: Geometry, mask_file: MaskFile
) -> None:
    assert api.post(doors.api_url, form(mask_file(SQUARE, grid, "mask.nii.gz"))).status_code == 201
    for name in ("mask.nrrd", "mask.mha"):
        content = mask_file(SQUARE, grid, name)
        doors.refuse("mask_known", lambda content=content: form(content), status=409)
