"""Rendered pictures and thumbnails: gray values worked out by hand from PS3.3, C.11.2."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from django.test import Client
from PIL import Image
from pydicom.dataset import Dataset

from apps.accounts.models import User
from apps.imaging.models import ImagingStudy
from apps.patients.models import Patient
from tests.imaging.dicomweb.factory import store_study
from tests.ml.dicom_factory import make_series, table_positions

pytestmark = pytest.mark.slow

# Hounsfield units of a picture of two rows and four columns.
HU = np.array([[-1000, 0, 45, 90], [10, 20, 30, 400]])


@pytest.fixture
def slices() -> list[Dataset]:
    """Three slices, all alike but for a brighter middle one."""
    return make_series(np.stack([HU, HU + 5, HU]), table_positions([5.0, 5.0]))


@pytest.fixture
def pictures(patient: Patient, coordinator: User, slices: list[Dataset]) -> str:
    study = store_study(patient, coordinator, slices)
    return f"/dicomweb/studies/{study.study_instance_uid}"


@pytest.fixture
def first(pictures: str, slices: list[Dataset]) -> str:
    return f"{pictures}/series/{slices[0].SeriesInstanceUID}/instances/{slices[0].SOPInstanceUID}"


def picture(client: Client, path: str, accept: str = "image/png") -> Any:
    answer = client.get(path, headers={"Accept": accept})
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == accept
    return Image.open(BytesIO(answer.content))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # ((x - (45 - 0.5)) / (90 - 1) + 0.5) * 255
        ("window=45,90", [[0, 0, 129, 255], [29, 57, 86, 255]]),
        ("window=45,90,linear", [[0, 0, 129, 255], [29, 57, 86, 255]]),
        # ((x - 45) / 90 + 0.5) * 255, halves to the even number
        ("window=45,90,linear-exact", [[0, 0, 128, 255], [28, 57, 85, 255]]),
        # 255 / (1 + exp(-4 * (x - 45) / 90))
        ("window=45,90,sigmoid", [[0, 30, 128, 225], [44, 63, 87, 255]]),
        # No window given and none in the object: from the least to the greatest value.
        ("", [[0, 182, 190, 199], [184, 186, 188, 255]]),
    ],
)
def test_windows(query: str, expected: list[list[int]], first: str, web: Client) -> None:
    assert np.asarray(picture(web, f"{first}/rendered?{query}")).tolist() == expected


def test_the_objects_own_window(patient: Patient, coordinator: User, web: Client) -> None:
    [dataset] = make_series(HU[None], table_positions([]), WindowCenter=["45", "300"], WindowWidth=["90", "1500"])
    study = store_study(patient, coordinator, [dataset])
    found = picture(web, f"/dicomweb/studies/{study.study_instance_uid}/rendered")
    assert np.asarray(found).tolist() == [[0, 0, 129, 255], [29, 57, 86, 255]]


def test_inverted_gray(patient: Patient, coordinator: User, web: Client) -> None:
    [dataset] = make_series(HU[None], table_positions([]), PhotometricInterpretation="MONOCHROME1")
    study = store_study(patient, coordinator, [dataset])
    found = picture(web, f"/dicomweb/studies/{study.study_instance_uid}/rendered?window=45,90,linear-exact")
    assert np.asarray(found)[0].tolist() == [255, 255, 128, 0]


def test_color(patient: Patient, coordinator: User, web: Client) -> None:
    [dataset] = make_series(np.zeros((1, 2, 2)), table_positions([]))
    colors = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 8, 7]]], dtype=np.uint8)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation, dataset.PixelData = 7, 0, colors.tobytes()
    study = store_study(patient, coordinator, [dataset])
    assert np.asarray(picture(web, f"/dicomweb/studies/{study.study_instance_uid}/rendered")).tolist() == (
        colors.tolist()
    )


@pytest.mark.parametrize("accept", ["image/jpeg", "image/png", "image/gif"])
def test_formats(accept: str, first: str, web: Client) -> None:
    found = picture(web, f"{first}/rendered?window=45,90", accept)
    assert found.format == accept.partition("/")[2].upper()
    assert found.size == (4, 2)


def test_jpeg_is_the_default_and_its_quality_can_be_chosen(first: str, web: Client) -> None:
    assert web.get(f"{first}/rendered")["Content-Type"] == "image/jpeg"
    sizes = [len(web.get(f"{first}/rendered?viewport=300,300&quality={quality}").content) for quality in (100, 5)]
    assert sizes[1] < sizes[0]


@pytest.mark.parametrize(
    ("viewport", "expected"),
    [
        ("4,2,1,0,2,2", [[0, 128], [57, 85]]),
        ("4,2,1,0,-2,2", [[128, 0], [85, 57]]),
        ("4,2,1,0,2,-2", [[57, 85], [0, 128]]),
    ],
)
def test_a_part_of_the_picture(viewport: str, expected: list[list[int]], first: str, web: Client) -> None:
    """The part of 2 x 2 pixels fits into 4 x 2 as it is; a negative side flips it."""
    found = picture(web, f"{first}/rendered?window=45,90,linear-exact&viewport={viewport}")
    assert np.asarray(found).tolist() == expected


@pytest.mark.parametrize(("viewport", "size"), [("8,8", (8, 4)), ("40,4", (8, 4)), ("2,2", (2, 1))])
def test_the_picture_keeps_its_shape(viewport: str, size: tuple[int, int], first: str, web: Client) -> None:
    assert picture(web, f"{first}/rendered?viewport={viewport}").size == size


def test_thumbnails_of_all_levels(pictures: str, first: str, slices: list[Dataset], web: Client) -> None:
    """A study and a series are stood for by the middle slice."""
    series = f"{pictures}/series/{slices[0].SeriesInstanceUID}"
    middle = f"{series}/instances/{slices[1].SOPInstanceUID}"
    for path in (pictures, series, middle, f"{middle}/frames/1"):
        found = picture(web, f"{path}/thumbnail?window=45,90")
        assert found.size == (128, 64)
        whole = np.asarray(picture(web, f"{path}/rendered?window=45,90"))
        assert whole[0].tolist() == [0, 14, 143, 255]  # 5 HU more: (50 - 44.5) / 89 + 0.5
    assert picture(web, f"{first}/thumbnail?viewport=16,16").size == (16, 8)


@pytest.mark.parametrize(
    "query",
    ["window=45", "window=a,b", "window=45,0", "window=45,90,cubic", "window=nan,90", "window=1e9,1", "viewport=0,5",
     "viewport=5", "viewport=5000,5", "viewport=5,5,0,0,0,5", "viewport=1.5,5", "quality=0", "quality=101",
     "quality=x", "annotation=patient", "nonsense=1"],
)  # fmt: skip
def test_what_is_not_understood_is_refused_in_a_sentence(query: str, first: str, web: Client) -> None:
    answer = web.get(f"{first}/rendered?{query}")
    assert answer.status_code == 400
    assert answer.json()["detail"].endswith(".")


def test_frames_by_number(first: str, web: Client) -> None:
    assert picture(web, f"{first}/frames/1/rendered").size == (4, 2)
    assert web.get(f"{first}/frames/2/rendered").status_code == 404
    assert web.get(f"{first}/frames/1,1/rendered").status_code == 400
    assert web.get(f"{first}/rendered", headers={"Accept": "image/webp"}).status_code == 406


def test_the_chosen_series_stands_for_the_study(
    patient: Patient, coordinator: User, slices: list[Dataset], web: Client
) -> None:
    other = make_series(np.full((1, 2, 4), 45), table_positions([]))
    other[0].StudyInstanceUID = slices[0].StudyInstanceUID
    study: ImagingStudy = store_study(patient, coordinator, slices, other)
    path = f"/dicomweb/studies/{study.study_instance_uid}/rendered?window=45,90,linear-exact"
    assert np.asarray(picture(web, path))[1, 3] == 255
    study.series.filter(number=2).update(is_chosen=True)
    assert np.asarray(picture(web, path))[1, 3] == 128
