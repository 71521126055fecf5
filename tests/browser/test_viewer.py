"""OHIF, unmodified, on the real tilted CT: its slices, the brain window, the mask over them, and no word to others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from django.test import Client
from playwright.sync_api import Browser, Error, Page, Response
from pytest_django.live_server_helper import LiveServer

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.annotation.models import Mask
from apps.annotation.segmentation import store_segmentation
from apps.annotation.selectors import load_labels
from apps.annotation.services import store_mask
from apps.imaging.models import Series
from apps.imaging.selectors import slices_of
from apps.patients.models import Patient
from ml.hematoma import Label
from tests.annotation.scans import take_in
from tests.browser.conftest import wait_until
from tests.imaging.conftest import real_scan  # noqa: F401 (a fixture)
from tests.imaging.factory import to_bytes
from tests.imaging.store import empty_store  # noqa: F401 (a fixture)
from tests.ml.dicom_factory import make_series, save_series, table_positions, tilted_column
from tests.ml.volumes.test_series import recompress

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.django_db(transaction=True),
]
SLICES = 28
# OHIF keeps what it shows under these names; a page's text alone would not tell which voxels are drawn.
DISPLAY_SETS = """() => !window.services ? [] : window.services.displaySetService.getActiveDisplaySets()
    .map((one) => [one.Modality, one.numImageFrames ?? 0])"""
WINDOW = """() => {
    const { viewportGridService, cornerstoneViewportService } = window.services;
    const viewport = cornerstoneViewportService.getCornerstoneViewport(viewportGridService.getActiveViewportId());
    return viewport?.getProperties().voiRange ?? null;
}"""
# Sum of the Hounsfield units of each slice that OHIF has decoded, by the slice's UID.
SLICE_SUMS = """() => Object.fromEntries([...window.cornerstone.cache._imageCache.keys()]
    .filter((id) => id.startsWith("wadors:"))
    .map((id) => [
        id.match(/instances\\/([0-9.]+)\\//)[1],
        window.cornerstone.cache.getImage(id)?.getPixelData().reduce((sum, value) => sum + value, 0),
    ])
    .filter(([, sum]) => sum !== undefined))"""
# The voxels of the mask that OHIF lays over each slice: by segment how many, and the sum of their indices.
MASK_SUMS = """() => {
    const { cache } = window.cornerstone;
    const [segmentation] = window.services.segmentationService.getSegmentations();
    const { imageIds } = segmentation.representationData.Labelmap;
    return Object.fromEntries(imageIds.map((id) => {
        const image = cache.getImage(id);
        const found = {};
        image.voxelManager.getScalarData().forEach((value, index) => {
            if (!value) return;
            found[value] ??= [0, 0];
            found[value][0] += 1;
            found[value][1] += index;
        });
        return [image.referencedImageId.match(/instances\\/([0-9.]+)\\//)[1], found];
    }));
}"""


@pytest.fixture
def ct(patient: Patient, users: dict[Role, User], real_scan: list[bytes]) -> Series:  # noqa: F811 (a fixture)
    return take_in(users[Role.COORDINATOR], patient, real_scan)


@pytest.fixture
def mask(ct: Series, users: dict[Role, User]) -> Mask:
    """Regions of three labels that are like themselves in no mirror, and differ from slice to slice."""
    labels = np.zeros((SLICES, 512, 512), dtype=np.uint8)
    for index in range(9, 17):
        labels[index, 200:260, 280 : 300 + 3 * index] = 1
        labels[index, 260 : 262 + index, 280:290] = 1
        labels[index, 210:220, 180 : 190 + index] = Label.EDEMA
    labels[12:14, 300:310, 250:270] = Label.SUBDURAL
    drawn = store_mask(actor=users[Role.COORDINATOR], series=ct, mask=labels)
    store_segmentation(drawn)
    return drawn


class Visit:
    """One person's browser, and all that it asked for."""

    def __init__(self, browser: Browser, site: str, client: Client) -> None:
        self.site, self.client = site, client
        self.context = browser.new_context(base_url=site, viewport={"width": 1400, "height": 900})
        cookie = client.cookies["sessionid"]
        self.context.add_cookies([{"name": "sessionid", "value": cookie.value, "url": site}])
        self.page: Page = self.context.new_page()
        self.requests: list[str] = []
        self.answers: list[Response] = []
        self.faults: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("response", lambda answer: self.answers.append(answer))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda line: self.faults.append(line.text) if line.type == "error" else None)

    def ask(self, expression: str) -> Any:
        return self.page.evaluate(expression)

    def paths(self, pattern: str) -> list[str]:
        """Return the addresses asked for that match, without the site's name."""
        found = (url.removeprefix(self.site) for url in self.requests if url.startswith(self.site))
        return [path for path in found if re.search(pattern, path)]


@pytest.fixture
def visit(
    browser: Browser, live_server: LiveServer, client_as: Callable[[User], Client], users: dict[Role, User]
) -> Iterator[Visit]:
    opened = Visit(browser, live_server.url, client_as(users[Role.COORDINATOR]))
    yield opened
    opened.context.close()


def open_study(visit: Visit, ct: Series, *, sets: int, slices: int = SLICES) -> None:
    visit.page.goto(f"/patients/{ct.patient.study_id}/")
    # The link opens a window of its own; here it is followed in this one, whose requests are watched.
    visit.page.get_by_role("link", name="Open in the viewer").evaluate("(link) => link.removeAttribute('target')")
    visit.page.get_by_role("link", name="Open in the viewer").click()
    visit.page.wait_for_url(f"**/viewer/?StudyInstanceUIDs={ct.study.study_instance_uid}")
    wait_until(lambda: len(visit.ask(DISPLAY_SETS)) == sets, 90)
    wait_until(lambda: visit.ask(WINDOW) is not None, 90)
    wait_until(lambda: len(visit.ask(SLICE_SUMS)) == slices, 90)


def show_mask(visit: Visit) -> None:
    visit.page.get_by_text("Hematoma, version 1").dblclick()
    wait_until(lambda: visit.ask("() => window.services.segmentationService.getSegmentations().length") == 1, 90)


def test_slices_window_and_mask(visit: Visit, ct: Series, mask: Mask, real_scan: list[bytes]) -> None:  # noqa: F811
    open_study(visit, ct, sets=2)
    assert sorted(visit.ask(DISPLAY_SETS)) == [["CT", SLICES], ["SEG", 0]]
    shown = visit.page.locator("body").inner_text()
    assert f"(1/{SLICES})" in shown
    assert re.search(r"W:\s*90\s+L:\s*45", shown)
    assert "Research use only" in shown
    # DICOM PS3.3, C.11.2.1.2.1: from center - 0.5 - (width - 1) / 2 to center - 0.5 + (width - 1) / 2
    assert visit.ask(WINDOW) == {"lower": 0, "upper": 89}
    assert visit.ask(SLICE_SUMS) == sums_of(ct, real_scan)
    show_mask(visit)
    assert visit.ask(MASK_SUMS) == mask_sums_of(mask)
    assert visit.ask(WINDOW) == {"lower": 0, "upper": 89}
    assert visit.faults == []


def sums_of(ct: Series, files: list[bytes]) -> dict[str, int]:
    """Sum the Hounsfield units of each slice of the hospital's own files, by the UID that it has here."""
    datasets = sorted(
        (pydicom.dcmread(BytesIO(content)) for content in files), key=lambda one: float(one.ImagePositionPatient[2])
    )
    hu = (dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept) for dataset in datasets)
    return {uid: int(slice_.sum()) for uid, slice_ in zip(uids_of(ct), hu, strict=True)}


def mask_sums_of(mask: Mask) -> dict[str, dict[str, list[int]]]:
    """Segments are numbered in the order of the labels that are drawn."""
    planes = load_labels(mask)
    segments = {str(number): label for number, label in enumerate(np.unique(planes)[1:], start=1)}
    found = []
    for plane in planes:
        places = {number: np.flatnonzero(plane == label) for number, label in segments.items()}
        found.append({number: [len(each), int(each.sum())] for number, each in places.items() if len(each)})
    return dict(zip(uids_of(mask.series), found, strict=True))


def uids_of(ct: Series) -> list[str]:
    """Return the slices' UIDs, foot to head."""
    return [item.sop_instance_uid for item in slices_of(ct)]


SYNTAXES = {
    "JPEG2000Lossless": "1.2.840.10008.1.2.4.90",
    "JPEGLSLossless": "1.2.840.10008.1.2.4.80",
    "JPEGLosslessProcess14_1": "1.2.840.10008.1.2.4.70",
    "RLELossless": "1.2.840.10008.1.2.5",
}


def test_compressed_slices_are_decoded(visit: Visit, patient: Patient, users: dict[Role, User], tmp_path: Path) -> None:
    """Each decoder is WebAssembly of its own, which the page's policy must let run."""
    smooth = np.add.outer(np.arange(8) * 9, np.add.outer(np.arange(64), np.arange(48))).astype(np.int16)
    paths = save_series(make_series(smooth, table_positions([5.0] * 7)), tmp_path)
    for path, syntax in zip(paths, [*SYNTAXES, *SYNTAXES], strict=True):
        recompress(path, syntax)
    files = [path.read_bytes() for path in paths]
    series = take_in(users[Role.COORDINATOR], patient, files)
    # Run lengths (RLE) are unpacked on the way in.
    stored = set(series.instances.values_list("transfer_syntax_uid", flat=True))
    assert stored == set(SYNTAXES.values()) - {SYNTAXES["RLELossless"]} | {str(pydicom.uid.ExplicitVRLittleEndian)}
    open_study(visit, series, sets=1, slices=8)
    assert visit.ask(SLICE_SUMS) == sums_of(series, files)
    assert visit.faults == []


# What OHIF does when a person stores a segmentation, without its dialog; a pixel is drawn on a slice before.
STORE = """async ([uid, place]) => {
    const { cache } = window.cornerstone;
    const [{ segmentationId, representationData }] = window.services.segmentationService.getSegmentations();
    const drawn = representationData.Labelmap.imageIds.map((id) => cache.getImage(id));
    drawn.find((image) => image.referencedImageId.includes(uid)).getPixelData()[place] = 1;
    const { dataset } = await window.commandsManager.run("generateSegmentation", { segmentationId });
    await window.extensionManager.getActiveDataSource()[0].store.dicom(dataset);
}"""


ALIKE, MIXED = (12.0,) * 9, (12.0,) * 5 + (18.0,) * 4


@pytest.mark.parametrize(("gaps", "upward", "right"), [(ALIKE, True, True), (MIXED, False, True), (MIXED, True, False)])
def test_what_ohif_stores(
    visit: Visit, patient: Patient, users: dict[Role, User], gaps: tuple[float, ...], upward: bool, right: bool
) -> None:
    """It becomes the next version, on the slices where it was drawn; where OHIF would turn it over it is refused."""
    ct = take_in(users[Role.COORDINATOR], patient, tilted_scan(gaps, upward=upward))
    labels = np.zeros((10, 64, 48), dtype=np.uint8)
    for index in range(2, 6):
        labels[index, 20 : 30 + index, 10:20] = 1
    mask = store_mask(actor=users[Role.COORDINATOR], series=ct, mask=labels)
    open_study(visit, ct, sets=2, slices=10)
    show_mask(visit)
    wait_until(lambda: visit.ask(MASK_SUMS) == mask_sums_of(mask), 30)
    refused = nullcontext() if right else pytest.raises(Error, match="request failed")
    with refused:
        visit.page.evaluate(STORE, [uids_of(ct)[8], 48 * 50 + 7])
    stored = Mask.objects.latest("pk")
    assert (stored.version, stored.state) == (2 if right else 1, Mask.State.SUBMITTED)
    labels[8, 50, 7] = right
    np.testing.assert_array_equal(load_labels(stored), labels)


def tilted_scan(gaps: tuple[float, ...], *, upward: bool) -> list[bytes]:
    """Ten slices of a tilted gantry, numbered from the foot up or from the head down."""
    hu = np.random.default_rng(1).integers(0, 80, (10, 64, 48))
    scan = make_series(hu, table_positions(gaps, tilt=18.0), column=tilted_column(18.0))
    for place, dataset in enumerate(scan):
        dataset.InstanceNumber = place + 1 if upward else 10 - place
    return to_bytes(scan)


def test_no_other_host_is_asked(visit: Visit, ct: Series, mask: Mask) -> None:
    open_study(visit, ct, sets=2)
    show_mask(visit)
    outside = [url for url in visit.requests if not url.startswith((visit.site + "/", "data:", "blob:" + visit.site))]
    assert outside == []
    assert [answer.url for answer in visit.answers if answer.status >= 400] == []


def test_who_is_signed_out_meanwhile_signs_in_again(visit: Visit, ct: Series, mask: Mask) -> None:
    open_study(visit, ct, sets=2)
    visit.context.clear_cookies()
    visit.page.get_by_text("Hematoma, version 1").dblclick()
    visit.page.wait_for_url(re.compile(r"/account/login/\?next=/viewer/"), timeout=30_000)


def test_a_user_of_another_center_gets_none_of_it(
    visit: Visit, ct: Series, mask: Mask, foreign_coordinator: User, client_as: Callable[[User], Client]
) -> None:
    open_study(visit, ct, sets=2)
    show_mask(visit)
    frames = visit.paths(r"/frames/\d+$")
    assert len(set(frames)) >= SLICES
    foreign = client_as(foreign_coordinator)
    objects = set(visit.paths(r"^/(viewer/|dicomweb/studies/)"))
    assert {path: foreign.get(path).status_code for path in objects} == dict.fromkeys(objects, 404)
    # A search finds nothing; it has no object that could be absent.
    searches = set(visit.paths(r"^/dicomweb/studies\?"))
    assert searches
    assert {path: foreign.get(path).json() for path in searches} == {path: [] for path in searches}
