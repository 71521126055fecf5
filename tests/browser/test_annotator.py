"""The annotator in a real browser: outline, submit, return, correct, approve, and nothing drawn is ever lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from django.urls import reverse
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.annotation.models import Mask
from apps.annotation.outlines import outline_labels, outline_of
from apps.annotation.selectors import current_mask, load_hematoma, load_labels
from apps.core.jobs import run_job
from apps.core.models import Job
from apps.imaging.geometry import from_json
from apps.imaging.models import Series
from apps.patients.models import Patient
from ml.hematoma import volume_ml
from ml.simulation import PhantomSpec, simulate_ct
from tests.annotation.scans import take_in
from tests.browser.annotator import Hands, dice
from tests.browser.axe import assert_accessible
from tests.browser.opening import OpenAs
from tests.factories import PASSWORD
from tests.imaging.conftest import real_scan  # noqa: F401 (a fixture)
from tests.imaging.store import empty_store  # noqa: F401 (a fixture)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.django_db(transaction=True),
]
OUTLINE = "/patients/C1-0001/mask/outline/"
# Of the truth: what a person would be asked to reach.
LEAST_DICE, MOST_OFF = 0.90, 0.05


class Case(NamedTuple):
    series: Series
    truth: np.ndarray
    truth_ml: float


@pytest.fixture
def case(patient: Patient, users: dict[Role, User], tmp_path: Path) -> Case:
    """A bleed of 32 mL in a head that is cut at 5 mm, in a tilted gantry."""
    spec = PhantomSpec(rows=256, columns=256, volume_ml=32.0, gantry_tilt_degrees=12.0)
    made = simulate_ct(tmp_path / "ct", spec=spec, seed=5)
    files = [path.read_bytes() for path in sorted((tmp_path / "ct").iterdir())]
    series = take_in(users[Role.COORDINATOR], patient, files)
    return Case(series, np.asarray(made.hematoma_mask) > 0, made.hematoma_ml)


def drawn_by(user: User, series: Series) -> np.ndarray:
    outline = outline_of(user, series)
    assert outline is not None
    return outline_labels(outline)


def occupied(truth: np.ndarray) -> list[int]:
    return [int(index) for index in np.flatnonzero(truth.any(axis=(1, 2)))]


def test_from_an_empty_mask_to_a_score_that_follows(
    open_as: OpenAs, case: Case, users: dict[Role, User], patient: Patient
) -> None:
    """By mouse with the range brush; returned with a pinned remark, corrected, approved."""
    page = open_as(Role.ANNOTATOR, OUTLINE)
    hands = Hands(page, case.series)
    assert_accessible(page)
    hands.set_size(12)
    slices = occupied(case.truth)
    for index in slices[:-1]:
        hands.go(index)
        hands.scribble(case.truth[index], step=5.0)
    hands.wait_until_saved()
    shown = hands.milliliters()
    page.get_by_role("button", name="Submit for review").click()
    page.wait_for_url("**/mask/1/")
    first = Mask.objects.get()
    assert shown == float(first.volume_ml), "screen and server measure the same"
    assert current_mask(patient) is None

    review = open_as(Role.REVIEWER, reverse("annotation:version", args=["C1-0001", 1]))
    seen = Hands(review, case.series)
    assert seen.milliliters() == shown
    assert_accessible(review)
    seen.go(slices[-1])
    review.mouse.click(*seen.screen((128.0, 100.0)))
    review.get_by_label("What is to be changed").fill("The topmost slice is missing.")
    review.get_by_label("Pin it to the cursor").check()
    review.get_by_role("button", name="Return").click()
    review.wait_for_url("**/masks/")
    remark = first.remarks.get()
    assert (remark.slice_index, remark.row, remark.column) == (slices[-1], 128, 100)

    page.goto(OUTLINE)
    hands = Hands(page, case.series)
    page.get_by_role("button", name=f"slice {slices[-1] + 1}").click()
    expect(page.locator("[data-part=slider]")).to_have_js_property("value", str(slices[-1] + 1))
    hands.set_size(12)
    hands.scribble(case.truth[slices[-1]], step=5.0)
    hands.wait_until_saved()
    page.get_by_role("button", name="Submit for review").click()
    page.wait_for_url("**/mask/2/")
    review.goto(reverse("annotation:version", args=["C1-0001", 2]))
    Hands(review, case.series)
    review.get_by_role("button", name="Approve").click()
    review.wait_for_url("**/masks/")

    counting = current_mask(patient)
    assert counting is not None and counting.version == 2
    assert dice(load_hematoma(counting), case.truth) >= LEAST_DICE
    assert abs(float(counting.volume_ml) / case.truth_ml - 1) <= MOST_OFF
    page.goto("/patients/C1-0001/")
    assert str(counting.volume_ml) in page.content()


def test_by_keys_alone(open_as: OpenAs, case: Case, users: dict[Role, User]) -> None:
    """The brush is moved with the arrows, slice by slice; the one in the middle of each pair is interpolated."""
    page = open_as(Role.ANNOTATOR, OUTLINE)
    hands = Hands(page, case.series)
    hands.stage.focus()
    keys = page.keyboard
    for _ in range(3):  # 9, 10, 12 mm
        keys.press("]")
    slices = occupied(case.truth)
    left_out = slices[2:-2:3]
    at = [128, 128]
    for index in (each for each in slices if each not in left_out):
        hands.go(index)
        dab_over(page, at, case.truth[index])
    before = hands.milliliters()
    keys.press("i")
    expect(page.locator("[data-part=note]")).to_contain_text(f"{len(left_out)} slices filled in")
    hands.wait_until_saved()
    drawn = drawn_by(users[Role.ANNOTATOR], case.series) == 1
    assert dice(drawn, case.truth) >= LEAST_DICE
    assert abs(hands.milliliters() / case.truth_ml - 1) <= MOST_OFF
    keys.press("Control+z")
    expect(page.locator("[data-ml='1']")).to_have_text(f"{before:.2f}")
    hands.wait_until_saved()
    assert not (drawn_by(users[Role.ANNOTATOR], case.series)[left_out] == 1).any()


def dab_over(page: Page, at: list[int], region: np.ndarray) -> None:
    """Go over what encloses a region (y, x), and mark every eighth pixel both ways."""
    rows, columns = np.nonzero(region)
    for row in range(int(rows.min()), int(rows.max()) + 8, 8):
        for column in range(int(columns.min()), int(columns.max()) + 8, 8):
            move(page, at, [min(row, int(rows.max())), min(column, int(columns.max()))])
            page.keyboard.press("Space")


def move(page: Page, at: list[int], to: list[int]) -> None:
    """Move the cursor by the arrow keys, ten pixels at a time where it is far."""
    for axis, (less, more) in enumerate((("ArrowUp", "ArrowDown"), ("ArrowLeft", "ArrowRight"))):
        way = to[axis] - at[axis]
        far, near = divmod(abs(way), 10)
        key = more if way > 0 else less
        for _ in range(far):
            page.keyboard.press(f"Shift+{key}")
        for _ in range(near):
            page.keyboard.press(key)
    at[:] = to


def test_growing_and_undoing(open_as: OpenAs, case: Case, users: dict[Role, User]) -> None:
    page = open_as(Role.ANNOTATOR, OUTLINE)
    hands = Hands(page, case.series)
    slices = occupied(case.truth)
    middle = slices[len(slices) // 2]
    hands.go(middle)
    rows, columns = np.nonzero(case.truth[middle])
    page.keyboard.press("g")
    page.mouse.click(*hands.screen((float(rows.mean()), float(columns.mean()))))
    hands.wait_until_saved()
    assert dice(drawn_by(users[Role.ANNOTATOR], case.series) == 1, case.truth) >= LEAST_DICE
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("[data-ml='1']")).to_have_text("0.00")
    page.keyboard.press("Control+y")
    hands.wait_until_saved()
    hands.go(0)
    page.mouse.click(*hands.screen((5.0, 5.0)))
    expect(page.locator("[data-part=note]")).to_contain_text("outside the HU range")


def test_from_a_suggestion(open_as: OpenAs, case: Case, users: dict[Role, User]) -> None:
    """The page waits for the worker; what it proposes is one step that can be undone, and is corrected by hand."""
    page = open_as(Role.ANNOTATOR, OUTLINE)
    hands = Hands(page, case.series)
    page.get_by_role("button", name="Suggest").click()
    expect(page.locator("[data-part=note]")).to_contain_text("Looking for the hematoma")
    job = wait_for_job()
    expect(page.locator("[data-ml='1']")).not_to_have_text("0.00", timeout=15_000)
    hands.wait_until_saved()
    assert job.state == Job.State.SUCCEEDED
    drawn = drawn_by(users[Role.ANNOTATOR], case.series) == 1
    assert dice(drawn, case.truth) >= LEAST_DICE
    assert abs(hands.milliliters() / case.truth_ml - 1) <= MOST_OFF
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("[data-ml='1']")).to_have_text("0.00")


def wait_for_job() -> Job:
    """Do the work of a worker."""
    for _ in range(100):
        job = Job.objects.filter(task__endswith="suggest_outline").first()
        if job is not None:
            run_job(job_id=job.pk)
            job.refresh_from_db()
            return job
        time.sleep(0.1)
    raise AssertionError("nobody asked for a suggestion")


def test_a_tab_that_is_killed_loses_nothing(open_as: OpenAs, case: Case, users: dict[Role, User]) -> None:
    page = open_as(Role.ANNOTATOR, OUTLINE)
    hands = Hands(page, case.series)
    page.locator("[data-part=range]").uncheck()
    hands.go(10)
    hands.drag((100.0, 100.0), (120.0, 130.0))
    hands.wait_until_saved()
    shown = hands.milliliters()
    page.context.close()
    again = Hands(open_as(Role.ANNOTATOR, OUTLINE), case.series)
    assert again.milliliters() == shown > 0
    assert again.slice == 10, "it opens where something is drawn"


@pytest.fixture
def cut_off(
    browser: Browser, live_server: LiveServer, sign_in_as: Callable[[BrowserContext, Role], None], case: Case
) -> Iterator[Hands]:
    """Hands that draw at any density, on a page that may complain: it is to lose its server or its session."""
    with browser.new_context(base_url=live_server.url, viewport={"width": 1400, "height": 900}) as context:
        sign_in_as(context, Role.ANNOTATOR)
        page = context.new_page()
        page.goto(OUTLINE)
        hands = Hands(page, case.series)
        page.locator("[data-part=range]").uncheck()
        yield hands


def test_a_network_that_is_away_for_a_while_loses_nothing(cut_off: Hands, case: Case, users: dict[Role, User]) -> None:
    page, context = cut_off.page, cut_off.page.context
    context.set_offline(True)
    cut_off.drag((100.0, 100.0), (120.0, 130.0))
    expect(page.locator("[data-annotator-saved]")).to_contain_text("Not saved")
    cut_off.drag((150.0, 100.0), (150.0, 130.0))
    context.set_offline(False)
    expect(page.locator("[data-annotator-saved]")).to_have_text("saved", timeout=10_000)
    drawn = drawn_by(users[Role.ANNOTATOR], case.series)
    assert cut_off.milliliters() == pytest.approx(volume_ml(drawn == 1, from_json(case.series.geometry)), abs=0.005)


def test_the_picture_stays_under_the_pen_where_saving_fails(cut_off: Hands) -> None:
    cut_off.page.context.set_offline(True)
    cut_off.drag((100.0, 100.0), (120.0, 130.0))
    expect(cut_off.page.locator("[data-annotator-saved]")).to_contain_text("Not saved")
    assert cut_off.stage.bounding_box() == cut_off.box


def test_who_was_signed_out_loses_nothing(cut_off: Hands, case: Case, users: dict[Role, User]) -> None:
    page, context = cut_off.page, cut_off.page.context
    context.clear_cookies()
    cut_off.drag((100.0, 100.0), (120.0, 130.0))
    expect(page.locator("[data-annotator-saved]")).to_contain_text("you are signed out")
    other = context.new_page()
    other.goto("/account/login/")
    other.locator("form input[name=login]").fill(users[Role.ANNOTATOR].username)
    other.locator("form input[type=password]").fill(PASSWORD)
    other.locator("form button[type=submit]").first.click()
    expect(page.locator("[data-annotator-saved]")).to_have_text("saved", timeout=15_000)
    assert (drawn_by(users[Role.ANNOTATOR], case.series) == 1).any()
    page.get_by_role("button", name="Submit for review").click()
    page.wait_for_url("**/mask/1/")


def test_two_tabs(open_as: OpenAs, case: Case, users: dict[Role, User]) -> None:
    """The second tab is told to load anew; what the first one saved stays."""
    first, second = (Hands(open_as(Role.ANNOTATOR, OUTLINE), case.series) for _ in range(2))
    for hands in (first, second):
        hands.page.locator("[data-part=range]").uncheck()
    first.drag((100.0, 100.0), (120.0, 130.0))
    first.wait_until_saved()
    kept = drawn_by(users[Role.ANNOTATOR], case.series)
    second.drag((60.0, 60.0), (60.0, 70.0))
    expect(second.page.locator("[data-annotator-saved]")).to_contain_text("changed in another window")
    np.testing.assert_array_equal(drawn_by(users[Role.ANNOTATOR], case.series), kept)


def test_the_same_disk_in_both_parts_of_a_scan_with_mixed_gaps(
    open_as: OpenAs,
    patient: Patient,
    users: dict[Role, User],
    real_scan: list[bytes],  # noqa: F811 (a fixture)
) -> None:
    """4 mm apart below, 7 mm above: the same pixels are 7/4 of the volume. A contour, as the brush's would differ."""
    series = take_in(users[Role.COORDINATOR], patient, real_scan)
    page = open_as(Role.ANNOTATOR, OUTLINE)
    hands = Hands(page, series)
    page.locator("[data-part=range]").uncheck()
    hands.set_size(40)
    found = []
    for index in (5, 20):
        hands.go(index)
        page.mouse.click(*hands.screen((255.0, 255.0)))
        hands.wait_until_saved()
        found.append(hands.milliliters())
    page.get_by_role("button", name="Submit for review").click()
    page.wait_for_url("**/mask/1/")
    mask = Mask.objects.get()
    labels = load_labels(mask)
    assert np.array_equal(labels[5], labels[20]) and labels[5].any()
    low, high = found[0], found[1] - found[0]
    assert high / low == pytest.approx(7 / 4, abs=0.01)
    assert found[1] == float(mask.volume_ml)


def test_chinese_dark_and_narrow(open_as: OpenAs, case: Case) -> None:
    page = open_as(Role.ANNOTATOR, OUTLINE, 390, locale="zh-Hans", color_scheme="dark")
    Hands(page, case.series)
    expect(page.get_by_role("heading", level=1)).to_have_text("勾画血肿")
    assert_accessible(page)
