"""One outline of six labels has the same mL on the screen, on the server, in the NIfTI and in the Segmentation."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import highdicom as hd
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.annotation.models import Mask
from apps.core import store
from apps.imaging.models import Series
from apps.imaging.selectors import slices_of
from apps.patients.models import Patient
from ml.cli.main import main
from ml.hematoma import Label
from ml.simulation import SpacingPattern
from tests.annotation.drawing import save, submit
from tests.annotation.multi_label import blocks, label_of, phantom
from tests.annotation.scans import take_in
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

FRONTEND = ROOT / "frontend"
# What the page does once its data and the labels have come, without the page.
SCREEN = """
import { text } from "node:stream/consumers";
import { inflateSync } from "node:zlib";
import { runnerImport } from "vite";

const load = async (name) =>
  (await runnerImport(`./islands/${name}.ts`, { configFile: false, logLevel: "error" })).module;
const [{ Mask, milliliters }, { decimals }] = [await load("annotator/core/mask"), await load("text")];
const { canvas, labels } = JSON.parse(await text(process.stdin));
const bytes = inflateSync(Buffer.from(labels, "base64"));
const mask = new Mask(canvas.slices, canvas.rows, canvas.columns);
for (let z = 0; z < mask.slices; z++) mask.load(z, bytes.subarray(z * mask.pixels, (z + 1) * mask.pixels));
console.log(JSON.stringify(milliliters(mask, canvas).map((found) => decimals(found, 2))));
"""
# Both sides are rounded to 0.01 mL.
NEAR = 0.01 + 1e-9
Milliliters = dict[int, float]


class Drawn(NamedTuple):
    client: Client
    series: Series
    labels: np.ndarray
    mask: Mask


@pytest.fixture(params=["phantom", "real"])
def drawn(
    request: pytest.FixtureRequest, patient: Patient, users: dict[Role, User], client_as: Callable[[User], Client],
    tmp_path: Path,
) -> Drawn:  # fmt: skip
    """An outline on a tilted CT whose gaps are 4 mm below and 7 mm above, saved slice by slice and submitted."""
    if request.param == "real":
        files = request.getfixturevalue("real_scan")
    else:
        files = phantom(tmp_path / "ct", tilt=18.5, spacing=SpacingPattern.MIXED_4_7MM)
    series = take_in(users[Role.COORDINATOR], patient, files)
    grid = series.geometry
    labels = blocks((grid["slices"], grid["rows"], grid["columns"]))
    client = client_as(users[Role.ANNOTATOR])
    assert save(client, series, dict(enumerate(labels)), 0).status_code == 200
    assert submit(client, series, 1).status_code == 302
    return Drawn(client, series, labels, Mask.objects.get())


def server_ml(mask: Mask) -> Milliliters:
    return {int(label): float(ml) for label, ml in mask.label_ml.items()}


def screen_ml(drawn: Drawn) -> Milliliters:
    """Return what the page would show, by its own code from what the server sends it."""
    if not (FRONTEND / "node_modules" / "vite").is_dir():
        pytest.skip("the packages of the front end are absent; `make setup` installs them")
    page = drawn.client.get(reverse("annotation:outline", args=["C1-0001"])).content.decode()
    canvas = re.search(r'<script id="canvas" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert canvas is not None
    labels = drawn.client.get(reverse("annotation:outline-labels", args=["C1-0001"])).content
    given = json.dumps({"canvas": json.loads(canvas[1]), "labels": base64.b64encode(labels).decode()})
    command = ["node", "--input-type=module", "--eval", SCREEN]
    done = subprocess.run(command, cwd=FRONTEND, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {label: float(shown) for label, shown in enumerate(json.loads(done.stdout)) if label}


def nifti(drawn: Drawn, folder: Path) -> Path:
    """Return the version as it is downloaded, and beside it the CT as the platform sends it."""
    answer = drawn.client.get(reverse("annotation:version-file", args=["C1-0001", 1, "nii.gz"]))
    path = folder / "mask.nii.gz"
    path.write_bytes(answer.content)
    (folder / "series").mkdir()
    for row in slices_of(drawn.series):
        (folder / "series" / f"{row.index}.dcm").write_bytes(store.get(row.file))
    return path


def reported(series: Path, mask: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return what `python -m ml volume` reports of a mask on its CT."""
    capsys.readouterr()
    assert not main(["volume", str(series), str(mask), "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def segmentation_ml(mask: Mask) -> Milliliters:
    """Add up each segment's frames by what their places say: half the way to each neighbor, the gap at the ends."""
    (instance,) = Series.objects.get(modality="SEG").instances.all()
    read = hd.seg.segread(BytesIO(store.get(instance.file)))
    shared = read.SharedFunctionalGroupsSequence[0]
    row, column = np.reshape(shared.PlaneOrientationSequence[0].ImageOrientationPatient, (2, 3)).astype(float)
    area = float(np.prod([float(step) for step in shared.PixelMeasuresSequence[0].PixelSpacing]))
    groups = read.PerFrameFunctionalGroupsSequence
    heights = np.array([item.PlanePositionSequence[0].ImagePositionPatient for item in groups], float)
    heights = np.round(heights @ np.cross(row, column), 6)
    planes = np.unique(heights)
    assert len(planes) == mask.series.slice_count
    gaps = np.diff(planes)
    extents = (np.r_[gaps[0], gaps] + np.r_[gaps, gaps[-1]]) / 2
    found: Milliliters = {}
    for frame, item, height in zip(read.pixel_array, groups, heights, strict=True):
        number = item.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        label = label_of(read.get_segment_description(number))
        cubic = np.count_nonzero(frame) * area * extents[np.searchsorted(planes, height)]
        found[label] = found.get(label, 0.0) + cubic / 1000
    return found


def test_each_label_on_screen_server_nifti_and_segmentation(
    drawn: Drawn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = server_ml(drawn.mask)
    assert set(server) == set(map(int, Label)) and server[1] == float(drawn.mask.volume_ml)
    assert screen_ml(drawn) == pytest.approx(server, abs=NEAR)
    assert segmentation_ml(drawn.mask) == pytest.approx(server, abs=NEAR)
    path = nifti(drawn, tmp_path)
    image = sitk.ReadImage(str(path))
    for label, expected in server.items():
        alone = tmp_path / f"label-{label}.nii.gz"
        sitk.WriteImage(image == label, str(alone))
        found = reported(tmp_path / "series", alone, capsys)
        assert found["planimetry_ml"] == pytest.approx(expected, abs=NEAR), label
        assert {gap["mm"] for gap in found["gaps"]} >= {4.0, 7.0} and found["tilt_degrees"] > 15


def test_the_one_spacing_of_a_nifti_does_not_tell_the_milliliters(drawn: Drawn, tmp_path: Path) -> None:
    """So the file is measured on its CT; who multiplies its voxels by its header is off by more than a slice."""
    image = sitk.ReadImage(str(nifti(drawn, tmp_path)))
    voxels = np.count_nonzero(sitk.GetArrayViewFromImage(image) == 1)
    by_header = voxels * float(np.prod(image.GetSpacing())) / 1000
    assert abs(by_header - float(drawn.mask.volume_ml)) > 0.1
    assert voxels == np.count_nonzero(drawn.labels == 1), "the voxels are all there"


def test_the_report_on_a_nifti_of_several_labels_is_that_of_the_hematoma(
    drawn: Drawn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = nifti(drawn, tmp_path)
    found = reported(tmp_path / "series", path, capsys)
    assert found["planimetry_ml"] == pytest.approx(float(drawn.mask.volume_ml), abs=NEAR)
    assert found["abc2_ml"] == pytest.approx(float(drawn.mask.abc2_ml), abs=NEAR)
