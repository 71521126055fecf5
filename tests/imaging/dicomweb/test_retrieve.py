"""WADO-RS: whole instances, metadata, frames and bulk data, in each form that a client may ask for."""

from __future__ import annotations

import gzip
import json
import zipfile
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
import pytest
from django.test import Client
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RLELossless, generate_uid

from apps.accounts.models import User
from apps.imaging.models import ImagingStudy, Instance, Series
from apps.patients.models import Patient
from tests.imaging.dicomweb.factory import body_of, file_of, parts_of, store_study
from tests.imaging.factory import make_scan

pytestmark = pytest.mark.slow

EXPLICIT = str(ExplicitVRLittleEndian)
RLE = str(RLELossless)
JSON = "application/dicom+json"
OCTETS = "application/octet-stream"
ANY_SYNTAX = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'


def fetch(client: Client, path: str, accept: str = "*/*", status: int = 200, **headers: str) -> Any:
    answer = client.get(path, headers={"Accept": accept, **headers})
    assert answer.status_code == status, answer
    return answer


def same_values(first: Dataset, second: Dataset) -> bool:
    return {e.tag: e.value for e in first} == {e.tag: e.value for e in second}


@pytest.fixture
def packed(patient: Patient, coordinator: User) -> tuple[str, list[Dataset]]:
    """Two slices, stored RLE compressed: (address of the series, the slices before)."""
    plain = make_scan(2, seed=5)
    rle = [pydicom.dcmread(BytesIO(file_of(dataset))) for dataset in plain]
    for dataset in rle:
        dataset.compress(RLELossless, generate_instance_uid=False)
    study = store_study(patient, coordinator, rle)
    return f"/dicomweb/studies/{study.study_instance_uid}/series/{plain[0].SeriesInstanceUID}", plain


@pytest.fixture
def two_series(patient: Patient, coordinator: User) -> tuple[str, list[Dataset]]:
    """One study of two series: (its address, all instances in order)."""
    first, second = make_scan(3, seed=1), make_scan(2, seed=2)
    for dataset in second:
        dataset.StudyInstanceUID = first[0].StudyInstanceUID
    study = store_study(patient, coordinator, first, second)
    return f"/dicomweb/studies/{study.study_instance_uid}", [*first, *second]


@pytest.mark.parametrize("accept", ["*/*", "application/dicom", 'multipart/related; type="application/dicom"'])
def test_one_instance(accept: str, base: str, scan: list[Dataset], web: Client) -> None:
    answer = fetch(web, f"{base}/instances/{scan[1].SOPInstanceUID}", accept)
    if accept == "application/dicom":
        assert answer["Content-Type"] == f"application/dicom;transfer-syntax={EXPLICIT}"
        content = body_of(answer)
    else:
        [(part_type, content)] = parts_of(answer)
        assert part_type == f"application/dicom;transfer-syntax={EXPLICIT}"
    assert content == file_of(scan[1])


def test_a_series_and_its_stated_length(base: str, scan: list[Dataset], web: Client) -> None:
    answer = fetch(web, base)
    length = int(answer["Content-Length"])
    body = body_of(answer)
    assert len(body) == length
    answer = fetch(web, base)
    assert [content for _type, content in parts_of(answer)] == [file_of(dataset) for dataset in scan]


def test_a_study_is_all_of_its_series(two_series: tuple[str, list[Dataset]], web: Client) -> None:
    address, datasets = two_series
    assert [content for _type, content in parts_of(fetch(web, address))] == [file_of(each) for each in datasets]


def test_a_study_as_zip(two_series: tuple[str, list[Dataset]], web: Client) -> None:
    address, datasets = two_series
    answer = fetch(web, address, "application/zip")
    assert answer["Content-Type"] == "application/zip"
    with zipfile.ZipFile(BytesIO(body_of(answer))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            f"{each.SeriesInstanceUID}/{each.SOPInstanceUID}.dcm": file_of(each) for each in datasets
        }


@pytest.mark.parametrize(
    ("syntax", "expected"), [("; transfer-syntax=*", RLE), (f"; transfer-syntax={RLE}", RLE),
                             (f"; transfer-syntax={EXPLICIT}", EXPLICIT), ("", EXPLICIT)],
)  # fmt: skip
def test_packed_instances(syntax: str, expected: str, packed: tuple[str, list[Dataset]], web: Client) -> None:
    """Uncompressed where nothing else is asked for (PS3.18, 8.7.3.5.2), under the same UIDs and pixel for pixel."""
    address, plain = packed
    found = parts_of(fetch(web, address, f'multipart/related; type="application/dicom"{syntax}'))
    assert {part_type for part_type, _content in found} == {f"application/dicom;transfer-syntax={expected}"}
    for (_type, content), source in zip(found, plain, strict=True):
        sent = pydicom.dcmread(BytesIO(content))
        assert sent.file_meta.TransferSyntaxUID == expected
        assert sent.SOPInstanceUID == sent.file_meta.MediaStorageSOPInstanceUID == source.SOPInstanceUID
        assert np.array_equal(pixel_array(sent), pixel_array(source))


def test_metadata_of_a_series(base: str, scan: list[Dataset], web: Client) -> None:
    answer = fetch(web, f"{base}/metadata", JSON)
    assert answer["Content-Type"] == JSON
    sent = [Dataset.from_json(item) for item in answer.json()]
    assert len(sent) == 4
    for found, source in zip(sent, scan, strict=True):
        assert "PixelData" not in found
        del source.PixelData
        assert same_values(found, source)


def test_metadata_travels_packed(base: str, web: Client) -> None:
    plain = fetch(web, f"{base}/metadata", JSON)
    packed = fetch(web, f"{base}/metadata", JSON, **{"Accept-Encoding": "gzip, br"})
    assert packed["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain
    assert gzip.decompress(packed.content) == plain.content
    assert len(packed.content) < len(plain.content) / 3
    assert {"Accept", "Accept-Encoding"} <= {name.strip() for name in packed["Vary"].split(",")}


def test_metadata_of_a_study_is_that_of_its_series(two_series: tuple[str, list[Dataset]], web: Client) -> None:
    address, datasets = two_series
    for encoding in ("identity", "gzip"):
        answer = fetch(web, f"{address}/metadata", JSON, **{"Accept-Encoding": encoding})
        content = gzip.decompress(answer.content) if encoding == "gzip" else answer.content
        assert [item["00080018"]["Value"][0] for item in json.loads(content)] == [d.SOPInstanceUID for d in datasets]


def test_metadata_of_an_instance_says_where_its_pixels_are(base: str, scan: list[Dataset], web: Client) -> None:
    address = f"{base}/instances/{scan[3].SOPInstanceUID}"
    [found] = fetch(web, f"{address}/metadata", JSON).json()
    assert found["00080018"]["Value"] == [scan[3].SOPInstanceUID]
    uri = found["7FE00010"]["BulkDataURI"]
    assert uri == f"http://testserver{address}/bulkdata/7FE00010"
    assert fetch(web, uri.removeprefix("http://testserver"), OCTETS).content == scan[3].PixelData


@pytest.mark.parametrize(
    "path", ["", "/metadata", "/instances/{uid}", "/instances/{uid}/metadata", "/instances/{uid}/frames/1",
             "/instances/{uid}/rendered"],
)  # fmt: skip
def test_what_the_client_has_is_not_sent_again(path: str, base: str, scan: list[Dataset], web: Client) -> None:
    address = base + path.format(uid=scan[0].SOPInstanceUID)
    first = fetch(web, address)
    assert first["Cache-Control"] == "private, no-cache"
    again = fetch(web, address, status=304, **{"If-None-Match": first["ETag"]})
    assert body_of(again) == b""
    assert again["ETag"] == first["ETag"]
    weak = first["ETag"].removeprefix("W/")
    fetch(web, address, status=304, **{"If-None-Match": f'"other", W/{weak}'})
    fetch(web, address, status=304, **{"If-None-Match": "*"})
    fetch(web, address, **{"If-None-Match": '"other"'})


def test_metadata_that_changed_are_sent_again(base: str, web: Client, scan: list[Dataset]) -> None:
    etag = fetch(web, f"{base}/metadata", JSON)["ETag"]
    row = Series.objects.get(series_instance_uid=scan[0].SeriesInstanceUID).metadata
    row.content, row.etag = gzip.compress(b"[]"), "changed"
    row.save()
    assert fetch(web, f"{base}/metadata", JSON, **{"If-None-Match": etag}).json() == []


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_frame_is_the_sources_pixels(number: int, base: str, scan: list[Dataset], web: Client) -> None:
    source = scan[number - 1]
    address = f"{base}/instances/{source.SOPInstanceUID}/frames/1"
    assert fetch(web, address, OCTETS).content == source.PixelData
    for accept in (ANY_SYNTAX, ANY_SYNTAX.replace('"', ""), 'multipart/related; type="*/*"', "*/*"):
        [(part_type, content)] = parts_of(fetch(web, address, accept))
        assert part_type == f"{OCTETS};transfer-syntax={EXPLICIT}"
        assert content == source.PixelData


def test_a_packed_frame(packed: tuple[str, list[Dataset]], web: Client) -> None:
    address, plain = packed
    path = f"{address}/instances/{plain[1].SOPInstanceUID}/frames/1"
    for accept in (OCTETS, f'{OCTETS}; transfer-syntax="{EXPLICIT}"'):
        answer = fetch(web, path, accept)
        assert answer["Content-Type"] == f"{OCTETS};transfer-syntax={EXPLICIT}"
        assert answer.content == plain[1].PixelData
    stored = pydicom.dcmread(BytesIO(file_of(plain[1])))
    stored.compress(RLELossless, generate_instance_uid=False)
    frame = next(pydicom.encaps.generate_frames(stored.PixelData, number_of_frames=1))
    for accept, media_type in [
        (ANY_SYNTAX, OCTETS),
        (f'multipart/related; type="image/dicom-rle"; transfer-syntax={RLE}', "image/dicom-rle"),
        ('multipart/related; type="image/x-dicom-rle"', "image/dicom-rle"),
        ('multipart/related; type="image/*"', "image/dicom-rle"),
    ]:
        assert parts_of(fetch(web, path, accept)) == [(f"{media_type};transfer-syntax={RLE}", frame)]


def multi_frame(frames: int, bits: int, side: int = 6) -> Dataset:
    """Make one object of many frames."""
    pixels = np.random.default_rng(3).integers(0, 2 if bits == 1 else 2000, (frames, side, side)).astype("<u2")
    dataset = make_scan(1)[0]
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames, side, side
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = 0
    if bits == 1:
        flat = np.packbits(pixels.astype(np.uint8).ravel(), bitorder="little").tobytes()
        dataset.PixelData = flat + b"\0" * (len(flat) % 2)
        dataset["PixelData"].VR = "OB"
    else:
        dataset.PixelData = pixels.tobytes()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
    return dataset


@pytest.mark.parametrize("compressed", [False, True])
def test_frames_of_one_object(compressed: bool, patient: Patient, coordinator: User, web: Client) -> None:
    """Any of them in any order: cut out of the file, or unpacked."""
    source = multi_frame(5, 16)
    wanted = [source.PixelData[i * 72 : i * 72 + 72] for i in range(5)]
    if compressed:
        source.compress(RLELossless, generate_instance_uid=False)
    study = store_study(patient, coordinator, [source])
    address = (
        f"/dicomweb/studies/{study.study_instance_uid}/series/{source.SeriesInstanceUID}"
        f"/instances/{source.SOPInstanceUID}"
    )
    explicit = f'multipart/related; type="{OCTETS}"'
    assert [content for _type, content in parts_of(fetch(web, f"{address}/frames/4,1,5", explicit))] == [
        wanted[3], wanted[0], wanted[4]]  # fmt: skip
    assert fetch(web, f"{address}/frames/2", OCTETS).content == wanted[1]
    assert fetch(web, f"{address}/bulkdata/7FE00010", OCTETS).content == b"".join(wanted)
    if compressed:
        stored = list(pydicom.encaps.generate_frames(source.PixelData, number_of_frames=5))
        for path in ("frames/1,2,3,4,5", "bulkdata"):
            found = parts_of(fetch(web, f"{address}/{path}", ANY_SYNTAX))
            assert [content for _type, content in found] == stored
    fetch(web, f"{address}/frames/6", status=404)
    fetch(web, f"{address}/frames/1,2", OCTETS, status=406)


def test_frames_of_bits_begin_at_a_byte(patient: Patient, coordinator: User, web: Client) -> None:
    """36 bits a frame: in the file the second begins within a byte, on its own it can't."""
    source = multi_frame(3, 1)
    pixels = pixel_array(source)
    study = store_study(patient, coordinator, [source])
    address = f"/dicomweb/studies/{study.study_instance_uid}/series/{source.SeriesInstanceUID}"
    path = f"{address}/instances/{source.SOPInstanceUID}/frames/1,2,3"
    found = parts_of(fetch(web, path, ANY_SYNTAX))
    for (_type, content), frame in zip(found, pixels, strict=True):
        assert content == np.packbits(frame.ravel(), bitorder="little").tobytes()
    whole = fetch(web, f"{address}/instances/{source.SOPInstanceUID}/bulkdata", OCTETS).content
    assert whole == source.PixelData


@pytest.mark.parametrize("numbers", ["0", "2", "1000000000"])
def test_a_frame_that_there_is_not(numbers: str, base: str, scan: list[Dataset], web: Client) -> None:
    answer = web.get(f"{base}/instances/{scan[0].SOPInstanceUID}/frames/{numbers}")
    assert answer.status_code in {400, 404}
    assert answer.json()["detail"].endswith(".")


@pytest.mark.parametrize("numbers", ["x", "-1", "1,", "1,1", "1.0", "%00", "²"])
def test_frame_numbers_that_are_none(numbers: str, base: str, scan: list[Dataset], web: Client) -> None:
    answer = web.get(f"{base}/instances/{scan[0].SOPInstanceUID}/frames/{numbers}")
    assert answer.status_code == 400
    assert answer.json()["code"] == "frames_not_understood"


def test_bulk_data_other_than_pixels_are_not_there(base: str, scan: list[Dataset], web: Client) -> None:
    fetch(web, f"{base}/instances/{scan[0].SOPInstanceUID}/bulkdata/00100010", status=404)


@pytest.mark.parametrize("path", ["/metadata", "/instances/{uid}/metadata", "/instances/{uid}/frames/1"])
def test_the_viewers_requests_take_few_queries(
    path: str, base: str, scan: list[Dataset], coordinator: User, client_as: Any, django_assert_num_queries: Any
) -> None:
    client = client_as(coordinator)
    with django_assert_num_queries(4):  # session, user, memberships, the object
        fetch(client, base + path.format(uid=scan[0].SOPInstanceUID))


def test_a_frame_is_read_without_the_rest_of_its_file(
    base: str, scan: list[Dataset], web: Client, study: ImagingStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes come from where the row says, not from taking the file apart."""
    row = Instance.objects.get(sop_instance_uid=scan[0].SOPInstanceUID)
    offset, _length = row.frame_parts[0][0]
    row.frame_parts = [[[offset + 4, 6], [offset, 2]]]
    row.save()
    monkeypatch.setattr(pydicom, "dcmread", None)
    pixels = scan[0].PixelData
    assert fetch(web, f"{base}/instances/{row.sop_instance_uid}/frames/1", OCTETS).content == pixels[4:10] + pixels[:2]
