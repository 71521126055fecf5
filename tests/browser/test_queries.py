"""A query in a real browser, from the rule that opens it to its closure."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.core.jobs import run_job
from apps.crf.queries.models import Query, RuleRun
from apps.crf.services import save_form
from apps.patients.models import Patient
from tests.browser.axe import assert_accessible
from tests.browser.forms import VALUES, enter
from tests.browser.opening import OpenAs

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.django_db(transaction=True),
]
# All that is required, but coma with a GCS of 15, and a systolic pressure of 300.
ENTERED = {**VALUES, "discharge_date": "2026-03-09", "gos_discharge": "4", "mrs_discharge": "2",
           "outcome_assessor": "A1", "outcome_date": "2026-03-09", "coma": "true", "gcs": "15",
           "systolic_bp": "300"}  # fmt: skip


@pytest.fixture
def doubtful(users: dict[Role, User], patient: Patient) -> Patient:
    save_form(actor=users[Role.COORDINATOR], patient=patient, read_version=0, values=ENTERED)
    return patient


def run_from_the_button(page: Page) -> None:
    page.get_by_role("button", name="Run the rules").click()
    expect(page.locator(".job-stage")).to_contain_text("Waiting for a worker")
    job_id = RuleRun.objects.latest("pk").job_id
    assert job_id is not None
    run_job(job_id=job_id)
    expect(page.locator(".query-run")).to_be_visible(timeout=15_000)


def test_from_the_rule_to_closure(open_as: OpenAs, doubtful: Patient) -> None:
    manager = open_as(Role.DATA_MANAGER, "/queries/")
    expect(manager.locator("#queries")).to_contain_text("No query fits")
    run_from_the_button(manager)
    rows = manager.locator("#queries tbody tr")
    expect(rows).to_have_count(2)
    assert_accessible(manager)

    coordinator = open_as(Role.COORDINATOR, "/patients/")
    link = coordinator.get_by_role("link", name="Queries")
    expect(link).to_contain_text("2")
    link.click()
    row = coordinator.locator("#queries tbody tr").filter(has_text="300 mmHg is unusual")
    row.get_by_role("link", name="Systolic blood pressure").click()
    coordinator.get_by_label("Your answer").fill("Measured twice, both arms.")
    assert_accessible(coordinator)
    coordinator.get_by_role("button", name="Answer").click()
    expect(coordinator.locator(".ichor-subtitle .badge").first).to_have_text("answered")

    # The mark beside the field opens the thread; the correction closes it.
    coordinator.goto(f"/patients/{doubtful}/crf/")
    field = coordinator.locator("#field-coma")
    mark = field.locator(".crf-query-mark")
    mark.focus()
    coordinator.keyboard.press("Enter")
    expect(field.locator(".query-text")).to_contain_text("Coma is a GCS of 8 or less")
    assert_accessible(coordinator)
    enter(coordinator, "gcs", "7")
    coordinator.locator("label").filter(has_text="Query answered").click()
    coordinator.get_by_role("button", name="Save").click()
    expect(coordinator.locator("main")).to_contain_text("Saved 1 value.")
    expect(field.locator(".crf-query-mark")).to_have_count(0)

    manager.goto("/queries/")
    expect(rows).to_have_count(1)
    rows.get_by_role("link", name="Systolic blood pressure").click()
    expect(manager.locator(".query-step")).to_have_count(2)
    manager.get_by_role("button", name="Close: the value is right").click()
    expect(manager.locator(".query-step").last).to_contain_text("Closed")
    assert set(Query.objects.values_list("state", flat=True)) == {"closed"}
    manager.goto("/queries/")
    run_from_the_button(manager)
    expect(manager.locator(".query-run")).to_contain_text("0 queries opened, 0 reopened, 0 closed")


def test_a_person_asks_and_many_are_assigned(open_as: OpenAs, doubtful: Patient, users: dict[Role, User]) -> None:
    monitor = open_as(Role.MONITOR, f"/patients/{doubtful}/crf/")
    monitor.locator("#field-age").get_by_role("link", name="Ask about this value").click()
    monitor.get_by_label("Question").fill("Is this the age at onset?")
    monitor.get_by_role("button", name="Ask about this value").click()
    expect(monitor.locator(".query-text")).to_have_text("Is this the age at onset?")
    assert_accessible(monitor)
    manager = open_as(Role.DATA_MANAGER, "/queries/open/")
    manager.get_by_label("Study ids").fill(str(doubtful))
    manager.get_by_label("Variable").select_option("gcs")
    manager.get_by_label("Question").fill("Before sedation?")
    assert_accessible(manager)
    manager.get_by_role("button", name="Open the queries").click()
    manager.get_by_label("Tick all").check()
    expect(manager.locator("[data-bulk-count]")).to_have_text("ticked: 2")
    manager.locator(".query-bulk select").select_option(label="Coordinator-C1 (coordinator-c1)")
    manager.get_by_role("button", name="Assign").click()
    expect(manager.locator("main")).to_contain_text("Assigned 2 queries.")
    assert set(Query.objects.values_list("assigned_to", flat=True)) == {users[Role.COORDINATOR].pk}


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(open_as: OpenAs, doubtful: Patient, width: int, scheme: str) -> None:
    from apps.crf.queries.running import run_rules

    run_rules()
    page = open_as(Role.DATA_MANAGER, "/queries/", width, color_scheme=scheme)
    expect(page.locator("#queries tbody tr")).to_have_count(2)
    assert_accessible(page)
    page.get_by_label("For").select_option("mine")
    expect(page.locator("#queries")).to_contain_text("No query fits")
    page.goto(f"/queries/{Query.objects.first().pk}/")  # type: ignore[union-attr]
    assert_accessible(page)
