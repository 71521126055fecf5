"""Masks that cannot be taken: one sentence by every way in, and nothing is left behind."""

import gzip
import resource
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from apps.annotation.models import Mask
from apps.imaging.models import Series
from apps.imaging.services import fail_preparation
from ml.volumes import Geometry, read_geometry
from tests.annotation.conftest import MaskFile, square_labels
from tests.imaging.doors import Doors
from tests.imaging.factory import everything, make_scan
from tests.imaging.planted import MARK, marks_in
from tests.imaging.watch import written_paths


def form(content: bytes, name: str = "mask.nii.gz") -> dict[str, Any]:
    return {"file": SimpleUploadedFile(name, content)}


def shifted(content: bytes) -> bytes:
    """Move the origin of a NIfTI-1 file by 3 mm in both of its transforms."""
    data = bytearray(gzip.decompress(content))
    for offset in (268, 292):  # qoffset_x; srow_x[3]
        (value,) = struct.unpack_from("<f", data, offset)
        struct.pack_into("<f", data, offset, value + 3)
    return gzip.compress(bytes(data))


def with_bad_checksum(content: bytes) -> bytes:
    return content[:-8] + b"\0" * 8


BAD: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "text": ("not_a_mask", lambda square: b"volume: 30 mL"),
    "zero_bytes": ("not_a_mask", lambda square: b""),
    "gzipped_text": ("not_a_mask", lambda square: gzip.compress(b"volume: 30 mL")),
    "dicom": ("not_a_mask", lambda square: b"\0" * 128 + b"DICM" + b"\0" * 400),
    "cut_gzip": ("mask_incomplete", lambda square: square[: len(square) // 2]),
    "bad_checksum": ("mask_incomplete", with_bad_checksum),
    "only_gzip_mark": ("mask_incomplete", lambda square: b"\x1f\x8b"),
    "cut_plain": ("mask_incomplete", lambda square: gzip.decompress(square)[:-100]),
    "only_header": ("not_a_mask", lambda square: gzip.decompress(square)[:348]),
    "wrong_voxel_offset": ("not_a_mask", lambda square: with_float(gzip.decompress(square), 108, 1e9)),
    "offset_not_a_number": ("not_a_mask", lambda square: with_float(gzip.decompress(square), 108, float("nan"))),
    "other_place": ("mask_other_grid", shifted),
}


def with_float(data: bytes, offset: int, value: float) -> bytes:
    changed = bytearray(data)
    struct.pack_into("<f", changed, offset, value)
    return bytes(changed)


@pytest.mark.parametrize("kind", BAD)
def test_bad_mask(kind: str, doors: Doors, ct: Series, square: bytes) -> None:
    code, spoil = BAD[kind]
    content = spoil(square)
    before = everything()
    doors.refuse(code, lambda: form(content))
    assert everything() == before


def test_other_size_empty_and_image(
    doors: Doors, ct: Series, grid: Geometry, mask_file: MaskFile, tmp_path: Path
) -> None:
    other = read_geometry(make_scan(6))
    larger = mask_file(np.ones((6, 16, 16)), other, "other.nii.gz")
    empty = mask_file(np.zeros((5, 16, 16)), grid, "empty.nii.gz")
    gray = sitk.ReadImage(str(tmp_path / "empty.nii.gz"), sitk.sitkFloat32) + 0.5
    sitk.WriteImage(gray, str(tmp_path / "gray.nii.gz"))
    image = (tmp_path / "gray.nii.gz").read_bytes()
    before = everything()
    assert "16 x 16 x 6" in doors.refuse("mask_shape", lambda: form(larger))
    doors.refuse("mask_empty", lambda: form(empty))
    doors.refuse("mask_not_labels", lambda: form(image))
    assert everything() == before


def test_gzip_bomb_is_refused_without_filling_memory(doors: Doors, ct: Series) -> None:
    """Half a gigabyte in half a megabyte: refused once it is larger than any mask of this CT."""
    bomb = gzip.compress(bytes(512 * 1024**2), compresslevel=1)
    bomb = gzip.compress(b"", compresslevel=1) + bomb
    before, peak = everything(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert len(bomb) < 4 * 1024**2
    doors.refuse("mask_too_large", lambda: form(bomb))
    assert everything() == before
    # ru_maxrss is in kB; building the bomb had already taken what the refusal must not take again.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 200 * 1024


def test_smaller_than_can_be_shown(doors: Doors, ct: Series, grid: Geometry, mask_file: MaskFile) -> None:
    """One pixel of 0.25 mm2 on a slice of 16 mm is 0.004 mL, which would be stored as nothing."""
    labels = np.zeros((5, 16, 16), dtype=np.uint8)
    labels[2, 8, 8] = 1
    content = mask_file(labels, grid, "dot.nii.gz")
    doors.refuse("mask_too_small", lambda: form(content))


def test_a_label_without_meaning(doors: Doors, ct: Series, grid: Geometry, mask_file: MaskFile) -> None:
    labels = square_labels()
    labels[2] *= 7
    content = mask_file(labels, grid, "labels.nii.gz")
    before = everything()
    assert "label 7" in doors.refuse("mask_labels", lambda: form(content))
    assert everything() == before


def test_a_mask_without_parenchymal_hematoma(doors: Doors, ct: Series, grid: Geometry, mask_file: MaskFile) -> None:
    content = mask_file(square_labels() * 2, grid, "ventricle.nii.gz")
    doors.refuse("mask_too_small", lambda: form(content))


def test_mask_before_ct(doors: Doors, square: bytes) -> None:
    doors.refuse("no_ct", lambda: form(square), status=409)


def test_mask_of_an_unusable_ct(doors: Doors, ct: Series, square: bytes) -> None:
    fail_preparation(series=ct, revision=ct.revision, code="not_a_head", sentence="No head.")
    before = everything()
    doors.refuse("series_failed", lambda: form(square))
    assert everything() == before


def test_second_identical_mask(doors: Doors, ct: Series, square: bytes, api: APIClient) -> None:
    assert api.post(doors.api_url, form(square)).status_code == 201
    before = everything()
    sentence = doors.refuse("mask_known", lambda: form(gzip.compress(gzip.decompress(square), 1)), status=409)
    assert "version 1" in sentence
    assert everything() == before


def test_larger_than_any_head(doors: Doors, ct: Series, square: bytes, grid: Geometry, mask_file: MaskFile) -> None:
    """A CT with an absurd pixel spacing would give a number that no column holds."""
    ct.geometry["pixel_spacing"] = [5000.0, 5000.0]
    ct.save()
    content = mask_file(square_labels(), replace(grid, pixel_spacing=(5000.0, 5000.0)), "huge.nii.gz")
    doors.refuse("mask_too_big", lambda: form(content))


@pytest.mark.parametrize("kind", ["none", "wrong_field", "two"])
def test_not_one_file(kind: str, doors: Doors, ct: Series, square: bytes) -> None:
    forms: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
        "none": ("nothing_uploaded", lambda: {"note": "none"}),
        "wrong_field": ("nothing_uploaded", lambda: {"files": SimpleUploadedFile("mask.nii.gz", square)}),
        "two": ("one_mask_only", lambda: {"file": [SimpleUploadedFile(f"{i}.nii.gz", square) for i in range(2)]}),
    }
    code, make = forms[kind]
    assert "ZIP" not in doors.refuse(code, make)
    assert not Mask.objects.exists()


def test_upload_over_the_limit(doors: Doors, ct: Series, square: bytes, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 50
    doors.refuse("upload_too_large", lambda: form(square), status=413)


def planted_nifti(square: bytes) -> bytes:
    """Return a mask whose every free text, and an extension behind its header, name the patient."""
    data = gzip.decompress(square)
    header = bytearray(data[:348])
    for start, stop in ((4, 14), (14, 32), (148, 228), (228, 252), (328, 344)):
        header[start:stop] = MARK.encode().ljust(stop - start, b"\0")
    extension = f"{MARK}^NAME".encode().ljust(56, b"\0")
    struct.pack_into("<f", header, 108, 352 + 8 + len(extension))
    return bytes(header) + b"\1\0\0\0" + struct.pack("<ii", 8 + len(extension), 2) + extension + data[352:]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_free_text_of_a_mask_never_touches_the_disk(
    pack: Callable[[bytes], bytes], doors: Doors, ct: Series, square: bytes, api: APIClient,
    empty_tmp: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """SimpleITK reads files only, so one is written: without free text and extensions, and it is gone afterwards."""
    written: list[bytes] = []
    write = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda path, data: (written.append(bytes(data)), write(path, data))[1])
    content = pack(planted_nifti(square))
    assert marks_in([planted_nifti(square)])
    with written_paths() as paths:
        answer = api.post(doors.api_url, form(content, f"{MARK}.nii.gz"))
    assert answer.status_code == 201, answer.content
    assert answer.json()["volume_ml"] == "0.29"
    assert [path.name for path in paths if path.is_relative_to(empty_tmp)] == ["mask.nii"]
    assert len(written) == 1
    assert marks_in(written) == []
    assert list(empty_tmp.iterdir()) == []
