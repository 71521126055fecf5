"""ZIP files that are damaged, dangerous or the wrong thing."""

import random
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.patients.models import Patient
from tests.imaging.doors import Doors
from tests.imaging.factory import ct_api_url, everything, scan_files, uploads, zip_of

LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"


def with_member(name: str) -> bytes:
    return zip_of({"series/1": scan_files()[0], name: scan_files()[1]})


def hundredfold() -> bytes:
    return zip_of({"slice": bytes(2_000_000)})


def lying_sizes() -> bytes:
    """Claim in both headers that each file is a tenth of its size."""
    data = bytearray(zip_of(scan_files()))
    for mark, offset in ((LOCAL, 22), (CENTRAL, 24)):
        place = data.find(mark)
        while place >= 0:
            (size,) = struct.unpack_from("<I", data, place + offset)
            struct.pack_into("<I", data, place + offset, size // 10)
            place = data.find(mark, place + 4)
    return bytes(data)


def understated_total() -> bytes:
    """Claim one byte a file, so that the sum in the directory is small."""
    data = bytearray(zip_of({f"{i}": bytes(200_000) for i in range(20)}))
    for mark, offset in ((LOCAL, 22), (CENTRAL, 24)):
        place = data.find(mark)
        while place >= 0:
            struct.pack_into("<I", data, place + offset, 1)
            place = data.find(mark, place + 4)
    return bytes(data)


def encrypted() -> bytes:
    """Set the flag of encryption, as a ZIP with a password has it, in both headers."""
    data = bytearray(zip_of(scan_files()))
    for mark, offset in ((LOCAL, 6), (CENTRAL, 8)):
        place = data.find(mark)
        while place >= 0:
            data[place + offset] |= 1
            place = data.find(mark, place + 4)
    return bytes(data)


def damaged_stream() -> bytes:
    """Break the packed bytes of a file, not the directory."""
    data = bytearray(zip_of(scan_files()))
    data[60:160] = random.Random(1).randbytes(100)
    return bytes(data)


def unknown_method() -> bytes:
    data = bytearray(zip_of(scan_files()))
    for mark, offset in ((LOCAL, 8), (CENTRAL, 10)):
        place = data.find(mark)
        while place >= 0:
            struct.pack_into("<H", data, place + offset, 97)
            place = data.find(mark, place + 4)
    return bytes(data)


def bad_utf8_name() -> bytes:
    data = zip_of({"sérié": scan_files()[0]})
    return data.replace("sérié".encode(), b"s\xff\xfe\xfd\xfce\xff")


BAD: dict[str, tuple[str, Callable[[], bytes]]] = {
    "absolute": ("unsafe_path", lambda: with_member("/etc/cron.d/job")),
    "climbing": ("unsafe_path", lambda: with_member("series/../../../outside")),
    "climbing_windows": ("unsafe_path", lambda: with_member("..\\..\\outside")),
    "drive": ("unsafe_path", lambda: with_member("C:\\Windows\\win.ini")),
    "hundredfold": ("zip_expands", hundredfold),
    "lying_sizes": ("bad_zip", lying_sizes),
    "understated": ("bad_zip", understated_total),
    "password": ("encrypted_zip", encrypted),
    "nested": ("nested_zip", lambda: zip_of({"inner.zip": zip_of(scan_files())}, compression=zipfile.ZIP_STORED)),
    "damaged": ("bad_zip", damaged_stream),
    "cut_short": ("bad_zip", lambda: zip_of(scan_files())[:-200]),
    "only_a_start": ("bad_zip", lambda: b"PK\x03\x04 and nothing more"),
    "unknown_method": ("bad_zip", unknown_method),
    "bad_utf8_name": ("bad_zip", bad_utf8_name),
    "empty": ("no_files", lambda: zip_of([])),
    "only_folders": ("no_files", lambda: zip_of({"series/": b"", "series/more/": b""})),
    "only_litter": ("no_files", lambda: zip_of({"__MACOSX/._1": b"\0\5\26\7", ".DS_Store": b"Bud1"})),
    "ten_thousand": ("too_many_files", lambda: zip_of({f"{i}": b"" for i in range(10_000)})),
    "text_inside": ("not_dicom", lambda: zip_of([b"read me"])),
    "bzip2_bomb": ("zip_expands", lambda: zip_of({"x": bytes(5_000_000)}, compression=zipfile.ZIP_BZIP2)),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_zip(kind: str, doors: Doors) -> None:
    code, make = BAD[kind]
    data = make()
    before = everything()
    doors.refuse(code, lambda: {"files": uploads([data])})
    assert everything() == before


def test_sum_of_many_zips_is_bounded(doors: Doors, settings: Any) -> None:
    """Each ZIP alone is within the bound; all in one upload are not."""
    noise = random.Random(2)
    content = b"".join(noise.randbytes(1000) * 20 for _ in range(20))
    archives = [zip_of({"x": content}) for _ in range(5)]
    settings.UPLOAD_MAX_BYTES = 3 * len(content)
    assert sum(map(len, archives)) < settings.UPLOAD_MAX_BYTES / 10
    doors.refuse("zip_expands", lambda: {"files": uploads(archives)})


def test_directory_with_overlapping_files(doors: Doors) -> None:
    """Entries that all point at one packed file multiply it without adding to the size of the ZIP."""
    packed = zip_of({"a": random.Random(3).randbytes(2000) * 10})
    start, end = packed.find(CENTRAL), packed.find(b"PK\x05\x06")
    entry, tail = packed[start:end], bytearray(packed[end:])
    struct.pack_into("<HHII", tail, 8, 500, 500, 500 * len(entry), start)
    data = packed[:start] + entry * 500 + bytes(tail)
    assert len(data) < 40_000
    doors.refuse("zip_expands", lambda: {"files": uploads([data])})


def test_good_zips_are_taken(api: APIClient, patient: Patient) -> None:
    """A stored ZIP, one with folders, and two ZIPs that hold a series together."""
    files = scan_files(seed=1)
    answer = api.post(ct_api_url(patient), {"files": uploads([zip_of(files, compression=zipfile.ZIP_STORED)])})
    assert answer.status_code == 201
    files = scan_files(seed=2)
    halves = [zip_of(files[:2]), zip_of({"ä/": b"", "ä/b/1": files[2], "ä/b/2": files[3]})]
    assert api.post(ct_api_url(patient), {"files": uploads(halves)}).json()["counts"] == {"stored": 4}
