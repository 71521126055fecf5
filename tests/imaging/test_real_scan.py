"""A real head CT through the browser: in as a ZIP or as files, out preprocessed, measured and seen."""

from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image

from apps.annotation.models import Mask
from apps.core.jobs import run_job
from apps.core.models import Job
from apps.imaging.models import Series
from apps.imaging.slices import OVERLAY_COLOR, WINDOWS
from apps.patients.models import Patient
from ml.volumes import Volume, read_geometry, read_series, write_mask
from tests.annotation.approving import approved
from tests.imaging.factory import ct_api_url, ct_url, uploads, zip_of

pytestmark = pytest.mark.slow

LOWER, UPPER = 6, 20  # a slice in the 4 mm part and one in the 7 mm part


@pytest.fixture
def series(browser: Client, patient: Patient, real_scan: list[bytes]) -> Series:
    answer = browser.post(ct_url(patient), {"files": uploads([zip_of(real_scan)])})
    assert answer.status_code == 302, answer.content
    return Series.objects.get()


@pytest.fixture
def volume(real_scan: list[bytes]) -> Volume:
    return read_series(map(BytesIO, real_scan))


@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_goes_in_and_comes_out_preprocessed(
    kind: str, browser: Client, api: Any, patient: Patient, real_scan: list[bytes]
) -> None:
    files = uploads([zip_of(real_scan)] if kind == "zip" else real_scan)
    answer = browser.post(ct_url(patient), {"files": files}, headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["location"]) == (201, "/patients/C1-0001/#ct")
    run_job(job_id=Series.objects.get().job_id)
    told = api.get(ct_api_url(patient)).json()[0]
    assert told["state"] == "ready", told
    assert told["job"]["state"] == Job.State.SUCCEEDED
    assert told["slices"] == 28
    assert told["gaps_mm"] == [[13, 4.0], [1, 1.08], [13, 7.0]]
    assert told["tilt_degrees"] == pytest.approx(18.5)
    series = Series.objects.get()
    tensor = np.load(default_storage.path(series.tensor))
    assert tensor.shape == (80, 192, 192)
    assert tensor.min() == 0
    assert tensor.max() == 1
    page = browser.get(f"/patients/{patient.study_id}/").content.decode()
    assert "13 × 4.0 mm" in page
    assert "18.5°" in page


def test_full_slices_measure_as_their_gaps(
    browser: Client, patient: Patient, series: Series, real_scan: list[bytes], tmp_path: Path
) -> None:
    grid = read_geometry(map(BytesIO, real_scan))
    found = []
    for index in (LOWER, UPPER):
        labels = np.zeros(grid.shape, dtype=np.uint8)
        labels[index] = 1
        write_mask(tmp_path / "mask.nii.gz", labels, grid)
        file = SimpleUploadedFile("mask.nii.gz", (tmp_path / "mask.nii.gz").read_bytes())
        assert browser.post(reverse("annotation:upload", args=[patient.study_id]), {"file": file}).status_code == 302
        found.append(Mask.objects.order_by("-version").values_list("volume_ml", flat=True)[0])
    assert float(found[1] / found[0]) == pytest.approx(7.0 / 4.0, rel=0.002)
    # 512 x 512 pixels of the scan's own spacing, 4 mm thick
    area = np.prod(pydicom.dcmread(BytesIO(real_scan[0])).PixelSpacing) * 512 * 512
    assert found[0] == pytest.approx(Decimal(float(area) * 4.0 / 1000), rel=Decimal("0.002"))


def png(browser: Client, series: Series, index: int, **query: Any) -> np.ndarray:
    url = reverse("imaging:slice", args=[series.patient.study_id, series.pk, index])
    answer = browser.get(url, query)
    assert answer.status_code == 200
    assert answer["content-type"] == "image/png"
    return np.asarray(Image.open(BytesIO(answer.content)))


def shown(hu: np.ndarray, window: str) -> np.ndarray:
    """Gray values of a linear window (DICOM PS3.3, C.11.2.1.3), 0..255."""
    width, level = WINDOWS[window]
    return 255 * np.clip((hu - level + width / 2) / width, 0, 1)


def test_each_slice_shows_its_own_pixels(browser: Client, series: Series, volume: Volume) -> None:
    for index in (0, 1, 13, 14, 27):
        assert np.abs(png(browser, series, index) - shown(volume.hu[index], "brain")).max() <= 1
    assert volume.positions[0][2] < volume.positions[27][2]


@pytest.mark.parametrize("window", ["brain", "subdural", "bone"])
def test_windows(window: str, browser: Client, series: Series, volume: Volume) -> None:
    """Width and level as radiologists name them: brain 90/45, subdural 200/75, bone 2500/480 HU."""
    named = {"brain": (90, 45), "subdural": (200, 75), "bone": (2500, 480)}
    assert named == WINDOWS
    assert np.abs(png(browser, series, 10, window=window) - shown(volume.hu[10], window)).max() <= 1


def test_unknown_window_is_the_brain_window(browser: Client, series: Series) -> None:
    np.testing.assert_array_equal(png(browser, series, 5, window="'><script>"), png(browser, series, 5))


@pytest.mark.parametrize("index", [28, 1000, 10**30])
def test_there_is_no_such_slice(index: int, browser: Client, series: Series) -> None:
    url = reverse("imaging:slice", args=[series.patient.study_id, series.pk, 0]).replace("0.png", f"{index}.png")
    assert browser.get(url).status_code == 404


def test_outline_is_drawn_where_the_mask_ends(
    browser: Client, patient: Patient, series: Series, real_scan: list[bytes], tmp_path: Path
) -> None:
    grid = read_geometry(map(BytesIO, real_scan))
    labels = np.zeros(grid.shape, dtype=np.uint8)
    labels[10, 200:240, 300:330] = 1
    labels[12, 200:240, 300:330] = 3  # no hematoma
    labels[11] = 1  # reaches the border of the picture
    write_mask(tmp_path / "mask.nii.gz", labels, grid)
    file = SimpleUploadedFile("mask.nii.gz", (tmp_path / "mask.nii.gz").read_bytes())
    browser.post(reverse("annotation:upload", args=[patient.study_id]), {"file": file})
    assert png(browser, series, 10, overlay="1").ndim == 2, "nobody has approved it"
    approved(Mask.objects.get())
    for index, (top, bottom, left, right) in {10: (200, 240, 300, 330), 11: (0, 512, 0, 512)}.items():
        plain, drawn = png(browser, series, index), png(browser, series, index, overlay="1")
        outline = np.zeros(plain.shape, dtype=bool)
        outline[top:bottom, left:right] = True
        outline[top + 1 : bottom - 1, left + 1 : right - 1] = False
        assert np.all(drawn[outline] == OVERLAY_COLOR)
        np.testing.assert_array_equal(drawn[~outline], np.repeat(plain[~outline][:, None], 3, axis=1))
    assert png(browser, series, 12, overlay="1").ndim == 2
    page = browser.get(f"/patients/{patient.study_id}/").content.decode()
    assert '"mask_area_mm2": 0.0' in page
