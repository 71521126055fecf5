"""The annotator in Chromium, served as in production: until it can be drawn on, one stroke, saving, and the SEG."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.forms import serve_web
from tests.bench.table import Peer, median_seconds, show

SLICES, STROKES, VISITS = 60, 30, 3
READY, STROKE, MILLILITERS, SAVE, SEGMENTATION = 3.0, 0.05, 0.1, 0.3, 1.0
# Moves a pen over the picture, and tells when the milliliters and when the picture of each move were there.
DRAW = """async ([strokes, top]) => {
    const stage = document.querySelector('[data-part=stage]');
    const box = stage.getBoundingClientRect();
    const ml = document.querySelector('[data-ml="1"]');
    stage.setPointerCapture = () => {};
    const fire = (kind, x, y) => stage.dispatchEvent(new PointerEvent(kind, {
        bubbles: true, button: 0, pointerId: 1,
        clientX: box.left + box.width * x, clientY: box.top + box.height * y }));
    const frame = () => new Promise(requestAnimationFrame);
    fire('pointerdown', 0.4, top);
    await frame();
    const times = [];
    for (let i = 1; i <= strokes; i++) {
        const before = ml.textContent;
        const start = performance.now();
        fire('pointermove', 0.4 + 0.2 * i / strokes, top + 0.1 * (i % 2));
        const told = performance.now();
        if (ml.textContent === before) throw new Error('the milliliters stayed');
        await frame();
        times.push([told - start, performance.now() - start]);
    }
    fire('pointerup', 0.6, top);
    return times;
}"""


def run() -> None:
    from django.db import connection
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases

    setup_test_environment()
    old = setup_databases(verbosity=0, interactive=False)
    try:
        if connection.vendor != "postgresql":
            print("The annotator is measured on PostgreSQL alone: start it with tests.services.with_servers.")
            return
        series, session = _scan()
        print(f"{series.slice_count} slices of {series.geometry['columns']} x {series.geometry['rows']}")
        with serve_web() as root:
            _visit(root, session, series.patient.study_id)
        _write(series)
    finally:
        teardown_databases(old, verbosity=0)


def _scan() -> tuple[Any, str]:
    """Store a CT of 60 slices, and sign an annotator in."""
    from django.test import Client

    from apps.accounts.policy import Role
    from ml.simulation import PhantomSpec, SpacingPattern, simulate_ct
    from tests.annotation.scans import take_in
    from tests.factories import CenterFactory, PatientFactory, user_with

    center = CenterFactory(code="C1")
    patient = PatientFactory(study_id="C1-0001", center=center)
    with tempfile.TemporaryDirectory() as folder:
        simulate_ct(folder, spec=PhantomSpec(spacing=SpacingPattern.UNIFORM_2_5MM), seed=1)
        files = [path.read_bytes() for path in sorted(Path(folder).iterdir())[-SLICES:]]
    series = take_in(user_with(Role.COORDINATOR, center), patient, files)
    client = Client()
    client.force_login(user_with(Role.ANNOTATOR, center), backend="allauth.account.auth_backends.AuthenticationBackend")
    return series, client.cookies["sessionid"].value


def _visit(root: str, session: str, study_id: str) -> None:
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import CHROMIUM, FLAGS

    ready, early, strokes, saves = [], [], [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for _number in range(VISITS):
            with browser.new_context(base_url=root, viewport={"width": 1400, "height": 900}) as context:
                context.add_cookies([{"name": "sessionid", "value": session, "url": root}])
                page = context.new_page()
                page.goto(f"/patients/{study_id}/mask/outline/")
                page.wait_for_selector("[data-island=annotator][data-ready]", timeout=60_000)
                ready.append(page.evaluate("performance.now()") / 1000)
                page.locator("[data-part=range]").uncheck()
                with page.expect_request_finished(lambda request: "/save/" in request.url) as saved:
                    early += page.evaluate(DRAW, [STROKES, 0.3])
                saves.append(saved.value.timing["responseEnd"] / 1000)
                # By then the browser has made the page's program fast, and no hand is quicker to the picture.
                page.wait_for_timeout(1000)
                strokes += page.evaluate(DRAW, [STROKES, 0.5])
        browser.close()
    show("ready to be drawn on", statistics.median(ready), target=READY)
    show("  a move of the brush, until its picture is drawn", _p95(strokes, 1), target=STROKE, note="95th percentile")
    show("    the same in the first second of the page", _p95(early, 1), note="95th percentile")
    show("  a move of the brush, until the mL are there", _p95(strokes, 0), target=MILLILITERS, note="95th percentile")
    show("  saving what a stroke changed", statistics.median(saves), target=SAVE)


def _p95(strokes: list[list[float]], column: int) -> float:
    found = sorted(each[column] for each in strokes)
    return found[int(0.95 * len(found))] / 1000


def _write(series: Any) -> None:
    """Write a SEG of all slices, and the same mask as NIfTI by SimpleITK."""
    from io import BytesIO

    import numpy as np
    import SimpleITK as sitk  # noqa: N813

    from apps.annotation.segmentation import segmentation_of
    from apps.annotation.services import store_mask

    labels = np.zeros((series.slice_count, series.geometry["rows"], series.geometry["columns"]), np.uint8)
    labels[20:40, 200:280, 220:300] = 1
    mask = store_mask(actor=series.uploaded_by, series=series, mask=labels)

    def nifti() -> None:
        with tempfile.TemporaryDirectory() as folder:
            sitk.WriteImage(sitk.GetImageFromArray(labels), f"{folder}/mask.nii.gz")

    peer = Peer("NIfTI by SimpleITK", median_seconds(nifti, 5))
    seconds = median_seconds(lambda: segmentation_of(mask).save_as(BytesIO(), enforce_file_format=True), 5)
    show("  DICOM SEG of all slices", seconds, target=SEGMENTATION, peer=peer)
