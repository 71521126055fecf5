"""Stored studies made row by row, so that what the service sends is held against data sets that it never made."""

import gzip
import json
from datetime import date
from io import BytesIO
from typing import Any

import pydicom
from django.http import HttpResponse, HttpResponseBase
from pydicom.dataset import Dataset

from apps.accounts.models import User
from apps.core import store
from apps.imaging.models import ImagingStudy, Instance, Series, SeriesMetadata
from apps.patients.models import Patient

_ITEM = b"\xfe\xff\x00\xe0"


def file_of(dataset: Dataset) -> bytes:
    """Return a data set as the bytes of a DICOM file."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def store_study(patient: Patient, actor: User, *series: list[Dataset], **fields: Any) -> ImagingStudy:
    """Store series of one study as they are; `fields` go to the study's row."""
    uid = str(series[0][0].StudyInstanceUID)
    rows = [_store_series(patient, actor, datasets, number) for number, datasets in enumerate(series, start=1)]
    study = ImagingStudy.objects.create(
        patient=patient,
        study_instance_uid=uid,
        modalities="\\".join(sorted({row.modality for row, _instances in rows})),
        series_count=len(rows),
        instance_count=sum(len(instances) for _row, instances in rows),
        **{"study_date": date(2021, 3, 17), "study_time": "101500", "description": "HEAD CT", **fields},
    )
    for row, instances in rows:
        row.study = study
        row.save()
        for instance in instances:
            instance.series = row
        Instance.objects.bulk_create(instances)
        content = "[" + ",".join(instance.metadata for instance in instances) + "]"
        SeriesMetadata.objects.create(
            series=row, revision=1, content=gzip.compress(content.encode()), etag=f"etag-{row.pk}"
        )
    return study


def _store_series(patient: Patient, actor: User, datasets: list[Dataset], number: int) -> tuple[Series, list[Instance]]:
    first = datasets[0]
    series = Series(
        patient=patient,
        series_instance_uid=str(first.SeriesInstanceUID),
        modality=str(first.Modality),
        number=number,
        description=str(first.get("SeriesDescription", "")),
        instance_count=len(datasets),
        uploaded_by=actor,
    )
    return series, [_instance(dataset, index) for index, dataset in enumerate(datasets)]


def _instance(dataset: Dataset, index: int) -> Instance:
    content = file_of(dataset)
    name, digest = store.put(content, ".dcm")
    header = pydicom.dcmread(BytesIO(content), stop_before_pixels=True).to_json_dict()
    return Instance(
        sop_instance_uid=str(dataset.SOPInstanceUID),
        sop_class_uid=str(dataset.SOPClassUID),
        number=index + 1,
        index=index,
        file=name,
        sha256=digest,
        size=len(content),
        transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID),
        rows=dataset.Rows,
        columns=dataset.Columns,
        frames=int(dataset.get("NumberOfFrames", 1)),
        metadata=json.dumps(header),
        frame_parts=_parts(dataset, content),
    )


def _parts(dataset: Dataset, content: bytes) -> list[Any]:
    """Return where the frames lie; nothing for frames of bits or packed frames, which must be taken apart."""
    count = int(dataset.get("NumberOfFrames", 1))
    start = content.rindex(dataset.PixelData)
    if not dataset.file_meta.TransferSyntaxUID.is_compressed:
        length = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * dataset.BitsAllocated // 8
        return [] if dataset.BitsAllocated == 1 else [[[start + i * length, length]] for i in range(count)]
    if count > 1:
        return []
    found = []
    while content[start : start + 4] == _ITEM:
        length = int.from_bytes(content[start + 4 : start + 8], "little")
        found.append([start + 8, length])
        start += 8 + length
    return [found[1:]]  # the first item is the offset table


def body_of(response: HttpResponseBase) -> bytes:
    """Return the body of a response, streamed or not."""
    return response.content if isinstance(response, HttpResponse) else b"".join(response.streaming_content)


def parts_of(response: HttpResponseBase) -> list[tuple[str, bytes]]:
    """Take a multipart answer apart by the boundary that it names: (Content-Type, content) of each part."""
    content_type = response["Content-Type"]
    assert content_type.startswith("multipart/related;")
    mark = b"--" + content_type.partition("boundary=")[2].encode()
    start, *pieces, end = body_of(response).split(mark)
    assert (start, end) == (b"", b"--\r\n")
    found = []
    for piece in pieces:
        head, _blank, content = piece.partition(b"\r\n\r\n")
        assert head.startswith(b"\r\nContent-Type: ")
        assert content.endswith(b"\r\n")
        found.append((head.decode().removeprefix("\r\nContent-Type: "), content[:-2]))
    return found
