"""Text inside compressed pictures: planted in every place that the standards have, and gone; the pixels stay."""

import struct
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.utils import pixel_array

from apps.imaging.deidentification import clean_ct
from apps.imaging.deidentification.streams import DamagedStreamError, strip_text

MARK = b"DOE^JOHN"
JPEG = ("4.50", "4.57", "4.70", "4.80", "4.81")
J2K = ("4.90", "4.91")


def comment(marker: int) -> bytes:
    return struct.pack(">HH", marker, len(MARK) + 2) + MARK


def planted_jpeg(frame: bytes) -> bytes:
    places = [comment(0xFFFE), comment(0xFFE0), comment(0xFFE1), comment(0xFFEF)]
    return frame[:2] + b"".join(places) + frame[2:] + MARK


def planted_j2k(frame: bytes) -> bytes:
    """Plant a comment in the main header (behind SIZ) and one in the first tile part's header."""
    siz_end = 4 + struct.unpack_from(">H", frame, 4)[0]
    frame = frame[:siz_end] + comment(0xFF64) + frame[siz_end:]
    tile = frame.index(b"\xff\x90\x00\x0a")
    (length,) = struct.unpack_from(">I", frame, tile + 6)
    if length:
        frame = frame[: tile + 6] + struct.pack(">I", length + len(comment(0xFF64))) + frame[tile + 10 :]
    return frame[: tile + 12] + comment(0xFF64) + frame[tile + 12 :] + MARK


@pytest.mark.parametrize("syntax", JPEG + J2K)
def test_text_goes_and_pixels_stay(syntax: str, shared_data: Path) -> None:
    folder = shared_data / "odd-dicom" / "cornerstone_CT_transfer_syntaxes"
    (path,) = folder.glob(f"*{syntax}.dcm")
    dataset = pydicom.dcmread(path)
    pixels = pixel_array(dataset)
    (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
    planted = (planted_j2k if syntax in J2K else planted_jpeg)(frame)
    assert planted.count(MARK) >= 3
    dataset.PixelData = encapsulate([planted])
    clean = clean_ct(dataset, "C1-0001").dataset
    assert MARK not in clean.PixelData
    np.testing.assert_array_equal(pixel_array(clean), pixels)
    # What is clean stays as it is, byte for byte.
    (once,) = generate_frames(clean.PixelData, number_of_frames=1)
    assert strip_text(once) == once


def test_restarts_and_several_scans() -> None:
    """A progressive JPEG has several scans, each with tables between; Pillow reads the same picture from it."""
    gray = np.random.default_rng(1).integers(0, 255, (64, 64), dtype=np.uint8)
    for options in ({"progressive": True}, {"restart_marker_blocks": 2}):
        buffer = BytesIO()
        Image.fromarray(gray).save(buffer, "JPEG", comment=MARK, **options)
        stripped = strip_text(buffer.getvalue())
        assert MARK not in stripped and MARK in buffer.getvalue()
        np.testing.assert_array_equal(Image.open(BytesIO(stripped)), Image.open(buffer))


@given(st.binary(max_size=300), st.sampled_from([b"\xff\xd8", b"\xff\x4f", b""]))
def test_any_bytes_end(content: bytes, start: bytes) -> None:
    with suppress(DamagedStreamError, ValueError, struct.error):
        strip_text(start + content)
