"""The explanation in a real browser: the map lies on its own slice, obeys keys and mouse, and hides nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.annotation.services import store_mask
from apps.cohorts.models import Snapshot
from apps.core import store
from apps.core.models import Job
from apps.experiments.models import Experiment, ServingTerm
from apps.imaging.models import Series
from apps.patients.models import Patient
from apps.predictions import heatmap
from apps.predictions.models import Explanation, Prediction
from tests.annotation.approving import approved
from tests.annotation.scans import take_in
from tests.browser.axe import assert_accessible
from tests.imaging.factory import scan_files
from tests.imaging.store import empty_store  # noqa: F401 (a fixture)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.django_db(transaction=True),
]
SLICES, SIDE = 8, 64
MOST = 5  # the slice with most of the map, counted from 0
# Which slice each layer shows, whether the map is to be seen, and how many of its pixels are drawn.
LAYERS = """() => {
    const number = (image) => Number(image.currentSrc.match(/slices\\/(\\d+)\\.png/)[1]);
    const ct = document.querySelector('[data-part=image]');
    const heat = document.querySelector('[data-part=heat]');
    const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 64 });
    const context = canvas.getContext('2d');
    if (!ct.complete || !heat.complete) return null;
    context.drawImage(heat, 0, 0, 64, 64);
    const alpha = context.getImageData(0, 0, 64, 64).data.filter((_, place) => place % 4 === 3);
    const seen = !heat.hidden && getComputedStyle(heat).visibility === 'visible';
    return { ct: number(ct), heat: number(heat), seen, drawn: alpha.filter((value) => value > 0).length,
        outline: heat.currentSrc.includes('overlay=1'), opacity: getComputedStyle(heat).opacity };
}"""


def levels() -> np.ndarray:
    """A map whose square on slice i has i + 2 rows, and which is strongest on one slice."""
    found = np.zeros((SLICES, SIDE, SIDE), dtype=np.float32)
    for index in range(SLICES):
        found[index, 20 : 22 + index, 30:40] = 0.6
    found[MOST, 20:40, 30:50] = 1
    return found


def drawn_on(index: int, *, outline: bool) -> int:
    """Count the pixels of the map on a slice, without those that the mask's outline (30 to 34, 30 to 34) takes."""
    seen = levels()[index] > 0
    if outline and index in (2, 3, 4, 5):
        seen[30:35, 30:35] &= np.pad(np.ones((3, 3), dtype=bool), 1)
    return int(seen.sum())


@pytest.fixture
def explained(patient: Patient, users: dict[Role, User]) -> Explanation:
    """A prediction and its explanation as rows; what computes them is tested elsewhere."""
    files = scan_files(SLICES, seed=4, side=SIDE)
    series = take_in(users[Role.COORDINATOR], patient, files)
    mask = np.zeros((SLICES, SIDE, SIDE), dtype=np.uint8)
    mask[2:6, 30:35, 30:35] = 1
    approved(store_mask(actor=users[Role.COORDINATOR], series=series, mask=mask))
    Series.objects.filter(pk=series.pk).update(state=Series.State.READY, tensor="00/00/image.npy")
    return explained_rows(Series.objects.get(pk=series.pk), users[Role.PI])


def explained_rows(series: Series, owner: User) -> Explanation:
    snapshot = Snapshot.objects.create(
        digest="0" * 64, file="x", created_by=owner, dictionary_version="ich-1", patient_count=0, included_count=0
    )
    run = Experiment.objects.create(
        name="Trial", snapshot=snapshot, config={}, created_by=owner, finished_at=timezone.now(), model_digest="a" * 64
    )
    ServingTerm.objects.create(experiment=run)
    same: dict[str, Any] = {
        "patient": series.patient, "experiment": run, "series": series, "form_version": 1, "tensor": series.tensor,
        "arm": "fusion", "probability": 0.63, "gate_mean": 0.41,
    }  # fmt: skip
    Prediction.objects.create(**same, per_fold=[0.6, 0.66])
    shares = {"gcs": -1.2, "age": 0.7, "treatment": 0.3, "sex": 0.2, "headache": 0.15, "coma": 0.1, "emesis": 0.08,
              "ivh": 0.05, "hypertension": 0.04, "systolic_bp": -0.01}  # fmt: skip
    values: dict[str, object] = {"gcs": 14, "age": 71, "sex": "female", "systolic_bp": 180}
    return Explanation.objects.create(
        **same,
        method="by hand",
        baseline_logit=0.1,
        contributions=[{"feature": name, "value": values.get(name), "logit": share} for name, share in shares.items()],
        file=store.put(heatmap.pack(levels()), ".npz")[0],
        slice_shares=heatmap.shares_of(levels(), np.full(SLICES, 16.0)),
        job=Job.objects.create(task="none", queue="imaging", state=Job.State.SUCCEEDED, finished_at=timezone.now()),
    )


@pytest.fixture
def open_page(
    browser: Browser, live_server: LiveServer, client_as: Callable[[User], Client], users: dict[Role, User],
    explained: Explanation,
) -> Iterator[Callable[..., Page]]:  # fmt: skip
    """Return a function that opens the explanation; an error of a script or of the page's policy fails the test."""
    cookie = client_as(users[Role.PI]).cookies["sessionid"].value
    faults: list[str] = []
    contexts = []

    def open_it(width: int = 1400, **options: Any) -> Page:
        context = browser.new_context(
            base_url=live_server.url, viewport={"width": width, "height": 900}, **options
        )  # fmt: skip
        contexts.append(context)
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        page.goto(reverse("predictions:explanation", args=[explained.patient.study_id]))
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert faults == []


def expect_slice(page: Page, index: int, *, outline: bool = True) -> dict[str, Any]:
    """Wait until CT and map show this slice, and look at what is drawn."""
    page.wait_for_function(
        f"(wanted) => {{ const now = ({LAYERS})(); return now && now.ct === wanted && now.heat === wanted; }}",
        arg=index,
    )
    layers: dict[str, Any] = page.evaluate(LAYERS)
    assert layers["outline"] == outline
    assert layers["drawn"] == drawn_on(index, outline=outline)
    return layers


def test_the_map_follows_the_slice(open_page: Callable[..., Page]) -> None:
    page = open_page()
    assert expect_slice(page, MOST)["seen"]
    expect(page.locator("[data-part=where]")).to_contain_text(f"Slice {MOST + 1} of {SLICES}")
    mass = levels().sum(axis=(1, 2))
    expect(page.locator("[data-part=share]")).to_contain_text(f"{100 * mass[MOST] / mass.sum():.0f} % of the map")
    stage = page.locator("[data-part=stage]")
    stage.focus()
    for key, index in (("ArrowDown", MOST + 1), ("Home", 0), ("End", SLICES - 1), ("ArrowUp", SLICES - 2)):
        page.keyboard.press(key)
        assert expect_slice(page, index)["seen"]
    stage.hover()
    page.mouse.wheel(0, -45)
    expect_slice(page, SLICES - 3)
    page.locator("[data-part=slider]").fill("3")
    expect_slice(page, 2)
    page.mouse.wheel(0, -450)
    for _ in range(20):  # faster than any answer comes
        page.locator("[data-part=slider]").press("ArrowRight")
    expect_slice(page, SLICES - 1)


def test_map_and_outline_are_turned_on_and_off(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.locator("[data-part=stage]").focus()
    before = expect_slice(page, MOST)
    page.keyboard.press("h")
    expect(page.locator("[data-part=heat]")).to_be_hidden()
    switch = page.get_by_role("checkbox", name="Map")
    expect(switch).not_to_be_checked()
    switch.check()
    expect(page.locator("[data-part=heat]")).to_be_visible()
    page.locator("[data-part=opacity]").fill("30")
    assert page.evaluate(LAYERS)["opacity"] == "0.3"
    page.locator("[data-part=stage]").focus()
    page.keyboard.press("m")
    expect(page.locator("[data-part=heat]")).to_have_attribute("src", re.compile("overlay=0"))
    assert expect_slice(page, MOST, outline=False)["drawn"] > before["drawn"]


def test_what_of_the_form_moved_the_number(open_page: Callable[..., Page]) -> None:
    page = open_page()
    expect(page.locator(".explained-sentence")).to_contain_text("63 %")
    expect(page.locator(".gate .figure-number")).to_have_text("0.41")
    table = page.get_by_role("table", name="The largest shares")
    rows = table.locator("tbody tr")
    expect(rows).to_have_count(8)
    expect(rows.first).to_contain_text("Glasgow Coma Scale")
    expect(rows.first).to_contain_text("\N{MINUS SIGN}1.20")
    expect(rows.nth(1)).to_contain_text("+0.70")
    middle = table.locator("svg path").first.bounding_box()
    assert middle is not None
    bars = [rows.nth(number).locator("svg rect").bounding_box() for number in (0, 1)]
    assert all(bars)
    left, right = (bar for bar in bars if bar)
    assert left["x"] + left["width"] == pytest.approx(middle["x"], abs=1) and right["x"] == pytest.approx(
        middle["x"], abs=1
    )
    assert right["width"] / left["width"] == pytest.approx(0.7 / 1.2, abs=0.03)
    page.get_by_text("2 further values").click()
    expect(page.get_by_role("table", name="The smaller shares").locator("tbody tr")).to_have_count(2)


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(open_page: Callable[..., Page], width: int, scheme: str) -> None:
    page = open_page(width, color_scheme=scheme)
    expect_slice(page, MOST)
    page.get_by_text("2 further values").click()
    assert_accessible(page)


def test_without_a_script_one_slice_is_shown(open_page: Callable[..., Page]) -> None:
    page = open_page(java_script_enabled=False)
    source = page.locator("[data-part=heat]").get_attribute("src")
    assert source is not None and re.search(rf"slices/{MOST}\.png", source)
    expect(page.get_by_role("table", name="The largest shares")).to_be_visible()
