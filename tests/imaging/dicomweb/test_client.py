"""dicomweb-client, unmodified, over a socket."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pydicom
import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array

from apps.accounts.models import User
from apps.imaging.models import ImagingStudy
from apps.patients.models import Patient
from tests.factories import PatientFactory
from tests.imaging.dicomweb.factory import store_study
from tests.imaging.factory import make_scan

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning:dicomweb_client")]


def uids(scan: list[Dataset], index: int = 0) -> tuple[str, str, str]:
    first = scan[index]
    return first.StudyInstanceUID, first.SeriesInstanceUID, first.SOPInstanceUID


def test_search(
    dicomweb_client: DICOMwebClient, study: ImagingStudy, foreign_study: ImagingStudy, scan: list[Dataset],
    patient: Patient, coordinator: User,
) -> None:  # fmt: skip
    other = PatientFactory(study_id="C1-0044", center=patient.center, enrolled_by=coordinator)
    for seed in range(3, 6):
        store_study(other, coordinator, make_scan(1, seed=seed))
    assert len(dicomweb_client.search_for_studies()) == 4
    found = dicomweb_client.search_for_studies(
        search_filters={"PatientID": "C1-00*1", "StudyDate": "20210101-20211231"}
    )
    assert [item["0020000D"]["Value"][0] for item in found] == [study.study_instance_uid]
    pages = [dicomweb_client.search_for_studies(limit=3, offset=offset) for offset in (0, 3, 6)]
    assert [len(page) for page in pages] == [3, 1, 0]
    assert len(dicomweb_client.search_for_studies(get_remaining=True, limit=2)) == 4
    series = dicomweb_client.search_for_series(study.study_instance_uid, search_filters={"Modality": "CT"})
    assert [item["0020000E"]["Value"][0] for item in series] == [scan[0].SeriesInstanceUID]
    instances = dicomweb_client.search_for_instances(*uids(scan)[:2], fields=["ImagePositionPatient"])
    assert [item["00080018"]["Value"][0] for item in instances] == [dataset.SOPInstanceUID for dataset in scan]
    assert "00200032" in instances[0]


def test_retrieve(dicomweb_client: DICOMwebClient, study: ImagingStudy, scan: list[Dataset]) -> None:
    study_uid, series_uid, instance_uid = uids(scan)
    whole = dicomweb_client.retrieve_study(study_uid)
    series = dicomweb_client.retrieve_series(study_uid, series_uid, media_types=(("application/dicom", "*"),))
    assert [dataset.SOPInstanceUID for dataset in whole] == [dataset.SOPInstanceUID for dataset in scan]
    assert whole == series
    streamed = list(dicomweb_client.iter_series(study_uid, series_uid))
    assert streamed == series
    one = dicomweb_client.retrieve_instance(study_uid, series_uid, instance_uid)
    assert np.array_equal(pixel_array(one), pixel_array(scan[0]))


def test_metadata(dicomweb_client: DICOMwebClient, study: ImagingStudy, scan: list[Dataset]) -> None:
    study_uid, series_uid, instance_uid = uids(scan, 1)
    for found in (
        dicomweb_client.retrieve_study_metadata(study_uid),
        dicomweb_client.retrieve_series_metadata(study_uid, series_uid),
    ):
        read = [Dataset.from_json(item) for item in found]
        assert [item.ImagePositionPatient for item in read] == [item.ImagePositionPatient for item in scan]
    one = dicomweb_client.retrieve_instance_metadata(study_uid, series_uid, instance_uid)
    assert one["00080018"]["Value"] == [instance_uid]


@pytest.mark.parametrize(
    "media_types", [None, ("application/octet-stream",), (("application/octet-stream", "1.2.840.10008.1.2.1"),),
                    (("*/*", "*"),)],
)  # fmt: skip
def test_frames(media_types: Any, dicomweb_client: DICOMwebClient, study: ImagingStudy, scan: list[Dataset]) -> None:
    for index, source in enumerate(scan):
        [frame] = dicomweb_client.retrieve_instance_frames(*uids(scan, index), [1], media_types=media_types)
        assert frame == pixel_array(source).tobytes()


def test_rendered(dicomweb_client: DICOMwebClient, study: ImagingStudy, scan: list[Dataset]) -> None:
    content = dicomweb_client.retrieve_instance_rendered(
        *uids(scan), media_types=("image/png",), params={"window": "40,80,linear-exact"}
    )
    hounsfield = pixel_array(scan[0]).astype(float) - 1024
    expected = np.rint(np.clip((hounsfield - 40) / 80 + 0.5, 0, 1) * 255)
    assert np.array_equal(np.asarray(Image.open(BytesIO(content))), expected)
    content = dicomweb_client.retrieve_series_rendered(*uids(scan)[:2], media_types=("image/jpeg",))
    assert Image.open(BytesIO(content)).size == (16, 16)


def test_bulk_data(dicomweb_client: DICOMwebClient, live_server: Any, study: ImagingStudy, scan: list[Dataset]) -> None:
    uri = dicomweb_client.retrieve_instance_metadata(*uids(scan))["7FE00010"]["BulkDataURI"]
    # This client leaves the port out of its Host header, from which the address is made.
    address = f"http://{dicomweb_client.host}:{live_server.thread.port}{urlsplit(uri).path}"
    assert dicomweb_client.retrieve_bulkdata(address) == [scan[0].PixelData]


def test_store(dicomweb_client: DICOMwebClient, patient: Patient) -> None:
    scan = make_scan(3, PatientID=patient.study_id)
    answer = dicomweb_client.store_instances(scan)
    assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == [
        dataset.SOPInstanceUID for dataset in scan
    ]
    [found] = dicomweb_client.search_for_studies(search_filters={"PatientID": patient.study_id})
    stored = dicomweb_client.retrieve_study(found["0020000D"]["Value"][0])
    assert [pixel_array(dataset).tolist() for dataset in stored] == [pixel_array(each).tolist() for each in scan]
    mixed = [make_scan(1, seed=6, PatientID=patient.study_id)[0], make_scan(1, seed=7, PatientID="NOBODY")[0]]
    answer = dicomweb_client.store_instances(mixed)
    assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == [mixed[0].SOPInstanceUID]
    [failed] = answer.FailedSOPSequence
    assert (failed.ReferencedSOPInstanceUID, failed.FailureReason) == (mixed[1].SOPInstanceUID, 0x0124)


def test_a_foreign_study_is_not_found(dicomweb_client: DICOMwebClient, foreign_study: ImagingStudy) -> None:
    with pytest.raises(requests.HTTPError, match="404"):
        dicomweb_client.retrieve_study_metadata(foreign_study.study_instance_uid)


def test_the_real_scan(
    dicomweb_client: DICOMwebClient, real_scan: list[bytes], patient: Patient, coordinator: User
) -> None:
    """28 slices of half a megabyte, by metadata and frames as the viewer reads them, and as a whole."""
    scan = [pydicom.dcmread(BytesIO(content)) for content in real_scan]
    study_uid, series_uid, _instance = uids(scan)
    store_study(patient, coordinator, scan)
    metadata = dicomweb_client.retrieve_series_metadata(study_uid, series_uid)
    assert len(metadata) == 28
    for item, source in zip(metadata, scan, strict=True):
        uid = item["00080018"]["Value"][0]
        assert uid == source.SOPInstanceUID
        [frame] = dicomweb_client.retrieve_instance_frames(study_uid, series_uid, uid, [1])
        assert np.array_equal(np.frombuffer(frame, pixel_array(source).dtype).reshape(512, 512), pixel_array(source))
    assert len(dicomweb_client.retrieve_series(study_uid, series_uid)) == 28
