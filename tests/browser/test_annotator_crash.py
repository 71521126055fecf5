"""Tab, web process or worker killed in the middle of an outline: at most the stroke of the last second is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from django.test import Client
from playwright.sync_api import Browser, Error, Page, expect

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.annotation.models import Mask, Outline
from apps.annotation.outlines import outline_labels
from apps.annotation.selectors import load_labels
from apps.annotation.tasks import queue_stale
from apps.core import store
from apps.core.models import Job
from apps.imaging.geometry import from_json
from apps.imaging.models import Series
from apps.patients.models import Patient
from ml.hematoma import FEATURES_VERSION, volume_ml
from ml.simulation import PhantomSpec, simulate_ct
from tests.annotation.scans import take_in
from tests.browser.annotator import Hands, dice
from tests.browser.installation import LONG, Installation, new_installation
from tests.imaging.store import empty_store  # noqa: F401 (a fixture)
from tests.services.servers import wait_until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.django_db(transaction=True),
]
OUTLINE = "/patients/C1-0001/mask/outline/"
MS = 1000 * LONG
Open = Callable[[], Hands]
Users = dict[Role, User]


@pytest.fixture
def truth(patient: Patient, users: Users, tmp_path: Path) -> np.ndarray:
    """A CT with a bleed of 32 mL in a tilted head, stored for the patient; where the bleed is."""
    spec = PhantomSpec(rows=256, columns=256, volume_ml=32.0, gantry_tilt_degrees=12.0)
    made = simulate_ct(tmp_path / "ct", spec=spec, seed=5)
    take_in(users[Role.COORDINATOR], patient, [path.read_bytes() for path in sorted((tmp_path / "ct").iterdir())])
    return np.asarray(made.hematoma_mask) > 0


@pytest.fixture
def installation(truth: np.ndarray, tmp_path: Path) -> Iterator[Installation]:
    with new_installation(tmp_path) as found:
        yield found


@pytest.fixture
def open_outline(
    browser: Browser, installation: Installation, client_as: Callable[[User], Client], users: Users
) -> Iterator[Open]:
    """Return a function that opens a tab of its own on the outline, where every density may be drawn."""
    contexts = []
    cookie = client_as(users[Role.ANNOTATOR]).cookies["sessionid"].value

    def open_tab() -> Hands:
        context = browser.new_context(base_url=installation.root, viewport={"width": 1400, "height": 900})
        contexts.append(context)
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": installation.root}])
        page = context.new_page()
        page.goto(OUTLINE)
        hands = Hands(page, Series.objects.get(modality="CT"))
        page.locator("[data-part=range]").uncheck()
        return hands

    yield open_tab
    for context in contexts:
        context.close()


def stroke(hands: Hands, index: int) -> None:
    """Draw on a slice; without a range of densities each slice gets the same pixels."""
    hands.go(index)
    hands.drag((100.0, 100.0), (120.0, 130.0))


def wait_until_saved(page: Page) -> None:
    expect(page.locator("[data-annotator-saved]")).to_have_text("saved", timeout=MS)


def saved() -> np.ndarray:
    return outline_labels(Outline.objects.get())


def slices_with_the_stroke() -> list[int]:
    """Return the slices that hold the stroke; each holds it whole, and nothing else is drawn."""
    labels = saved()
    found = [int(index) for index in np.flatnonzero(labels.any(axis=(1, 2)))]
    assert labels[found[0], 110, 115] == 1
    for index in found:
        np.testing.assert_array_equal(labels[index], labels[found[0]])
    return found


def server_ml() -> float:
    return volume_ml(saved() == 1, from_json(Series.objects.get(modality="CT").geometry))


def submit(page: Page, version: int) -> Mask:
    page.get_by_role("button", name="Submit for review").click()
    page.wait_for_url(f"**/mask/{version}/", timeout=MS)
    return Mask.objects.get(version=version)


def test_strokes_while_the_web_process_is_dead(installation: Installation, open_outline: Open) -> None:
    """The page says that it has not saved them, keeps them, and sends them by itself."""
    installation.start_web()
    hands = open_outline()
    stroke(hands, 8)
    wait_until_saved(hands.page)
    assert installation.web is not None
    installation.web.kill()
    stroke(hands, 10)
    expect(hands.page.locator("[data-annotator-saved]")).to_contain_text("Not saved", timeout=MS)
    stroke(hands, 12)
    assert slices_with_the_stroke() == [8], "nobody was there to save the others"
    shown = hands.milliliters()
    installation.start_web()
    wait_until_saved(hands.page)
    assert slices_with_the_stroke() == [8, 10, 12]
    assert hands.milliliters() == shown == pytest.approx(server_ml(), abs=0.005)
    assert float(submit(hands.page, 1).volume_ml) == shown


def test_web_process_killed_before_it_answers(installation: Installation, open_outline: Open) -> None:
    """What was saved without an answer is sent again and does not count as another window's."""
    installation.start_web()
    hands = open_outline()
    stroke(hands, 8)
    wait_until_saved(hands.page)
    assert installation.web is not None
    installation.web.kill()
    held = installation.start_web(held="apps.annotation.outlines.save_slices")
    stroke(hands, 10)
    installation.wait_until_held()
    assert slices_with_the_stroke() == [8, 10]
    stroke(hands, 12)
    held.kill()
    installation.start_web()
    wait_until_saved(hands.page)
    assert slices_with_the_stroke() == [8, 10, 12]


def test_web_process_killed_while_it_stores_the_version(installation: Installation, open_outline: Open) -> None:
    """There is no half of a version: submitted again, there is one, with its Segmentation and its features."""
    held = installation.start_web(held="apps.annotation.services.store_segmentation")
    hands = open_outline()
    stroke(hands, 8)
    stroke(hands, 10)
    wait_until_saved(hands.page)
    hands.page.get_by_role("button", name="Submit for review").click(no_wait_after=True)
    installation.wait_until_held()
    held.kill()
    assert not Mask.objects.exists() and not Series.objects.filter(modality="SEG").exists()
    installation.start_web()
    again = open_outline()
    assert slices_with_the_stroke() == [8, 10]
    mask = submit(again.page, 1)
    np.testing.assert_array_equal(load_labels(mask), saved())
    assert mask.features and mask.features_version == FEATURES_VERSION
    (segmentation,) = Series.objects.get(modality="SEG").instances.all()
    assert len(store.get(segmentation.file)) == segmentation.size


def close(page: Page) -> None:
    page.context.close()


def crash(page: Page) -> None:
    """End the process that runs the page: none of its own code runs any more."""
    with page.expect_event("crash"), suppress(Error):
        page.goto("chrome://crash")


@pytest.mark.parametrize("end", [close, crash])
@pytest.mark.parametrize("server", ["alive", "dead"])
def test_tab_killed_after_a_stroke(
    server: str, end: Callable[[Page], None], installation: Installation, open_outline: Open
) -> None:
    """Of the last stroke there is all or nothing; without a server there cannot be anything."""
    installation.start_web()
    hands = open_outline()
    for index in (8, 10):
        stroke(hands, index)
        wait_until_saved(hands.page)
    assert installation.web is not None
    if server == "dead":
        installation.web.kill()
    stroke(hands, 12)
    end(hands.page)
    if server == "dead":
        installation.start_web()
    again = open_outline()
    kept = slices_with_the_stroke()
    assert kept == [8, 10] or (server == "alive" and kept == [8, 10, 12])
    assert again.milliliters() == pytest.approx(server_ml(), abs=0.005)
    stroke(again, 14)
    wait_until_saved(again.page)
    assert slices_with_the_stroke() == [*kept, 14], "the work goes on"


def test_worker_killed_while_it_looks_for_the_hematoma(
    truth: np.ndarray, installation: Installation, open_outline: Open
) -> None:
    """The next worker makes the suggestion; what was drawn before and meanwhile is where it was."""
    installation.start_web()
    worker = installation.start_worker(held="ml.hematoma.suggest")
    hands = open_outline()
    stroke(hands, 1)
    wait_until_saved(hands.page)
    hands.page.get_by_role("button", name="Suggest").click()
    installation.wait_until_held()
    stroke(hands, 2)
    wait_until_saved(hands.page)
    worker.kill()
    job = Job.objects.get(task__endswith="suggest_outline")
    assert job.state == Job.State.RUNNING, "nobody could write down the death"
    assert slices_with_the_stroke() == [1, 2]

    installation.start_worker()
    take_suggestion(hands.page, job)
    wait_until_saved(hands.page)
    labels = saved()
    np.testing.assert_array_equal(labels[1], labels[2])
    assert labels[1, 110, 115] == 1
    assert dice(labels[3:] == 1, truth[3:]) >= 0.9
    mask = submit(hands.page, 1)
    np.testing.assert_array_equal(load_labels(mask), labels)


def take_suggestion(page: Page, job: Job) -> None:
    """Wait for the suggestion; where the page has given up waiting ask once more, as its sentence says."""
    wait_until(lambda: Job.objects.get(pk=job.pk).state == Job.State.SUCCEEDED, "the suggestion", LONG)
    assert Job.objects.get(pk=job.pk).attempt == 2
    button, note = page.get_by_role("button", name="Suggest"), page.locator("[data-part=note]")
    expect(button).to_be_enabled(timeout=MS)
    if "Try again" in note.inner_text():
        button.click()
        expect(button).to_be_enabled(timeout=MS)
    expect(note).to_have_text("")


def test_worker_killed_while_it_measures_a_version(installation: Installation, open_outline: Open) -> None:
    """A version that lacks its features, as one whose CT could not be read, has them in the end."""
    installation.start_web()
    hands = open_outline()
    stroke(hands, 8)
    wait_until_saved(hands.page)
    expected = submit(hands.page, 1).features
    assert expected
    Mask.objects.update(features={}, features_version=0)
    queue_stale()
    worker = installation.start_worker(held="apps.annotation.services.hematoma_features")
    installation.wait_until_held()
    worker.kill()
    mask = Mask.objects.get()
    assert mask.job is not None and mask.job.state == Job.State.RUNNING and not mask.features

    installation.start_worker()
    job = mask.job
    wait_until(lambda: Job.objects.get(pk=job.pk).state == Job.State.SUCCEEDED, "the features", LONG)
    mask.refresh_from_db()
    assert mask.features == expected and mask.features_version == FEATURES_VERSION
    assert Series.objects.filter(modality="SEG").count() == 1
    assert slices_with_the_stroke() == [8]
