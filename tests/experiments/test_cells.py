"""Each cell of a run is a job of its own: queued once, trained anywhere, stopped and tried again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent
from apps.core.errors import Refusal
from apps.core.jobs import run_job
from apps.core.models import Job
from apps.experiments import services
from apps.experiments.models import Cell, Experiment, PatientResult
from apps.experiments.progress import progress_of
from apps.patients.models import Patient
from tests.experiments.fixtures import finish, jobs_now, queued
from tests.ml.training.factory import tiny_config

Capture = Callable[..., Any]
NESTED = tiny_config(arms=("imaging",), inner_folds=2, epochs=2, patience=2)


@pytest.fixture
def prepared(cohort: list[Patient], scientist: User, django_capture_on_commit_callbacks: Capture) -> Experiment:
    """A nested run whose cells wait."""
    experiment = queued(scientist, django_capture_on_commit_callbacks, NESTED)
    work(experiment.job, django_capture_on_commit_callbacks)
    return experiment


def work(job: Job | None, capture: Capture) -> str:
    """Do what a worker does with one job, and return its state at the end."""
    assert job is not None
    with capture(execute=True):
        run_job(job_id=job.pk)
    return Job.objects.get(pk=job.pk).state


def grid(experiment: Experiment) -> list[tuple[int, int]]:
    return [(cell.fold, cell.inner) for cell in experiment.cells.all()]


def test_a_nested_run_has_a_job_for_each_network(
    prepared: Experiment, django_capture_on_commit_callbacks: Capture
) -> None:
    assert grid(prepared) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert {cell.job.queue for cell in prepared.cells.all()} == {"training"}
    Job.objects.filter(pk=prepared.job_id).update(state=Job.State.QUEUED)
    work(prepared.job, django_capture_on_commit_callbacks)
    assert Cell.objects.count() == 4, "a message delivered twice queues nothing twice"


def test_the_last_network_to_end_has_the_run_finished_whatever_the_order(
    prepared: Experiment, django_capture_on_commit_callbacks: Capture
) -> None:
    capture = django_capture_on_commit_callbacks
    for cell in reversed(prepared.cells.all()):
        assert Experiment.objects.get().finishing is None
        assert work(cell.job, capture) == "succeeded"
    finishing = Experiment.objects.get().finishing
    services.finish_cell(prepared.cells.all()[0])
    assert Experiment.objects.get().finishing == finishing, "a cell that ends twice finishes the run once"
    read_before = Experiment.objects.get()
    assert work(finishing, capture) == "succeeded"
    assert progress_of(read_before).state == "running", "a run that ends while it is read has not failed"
    done = Experiment.objects.get()
    assert done.is_finished and progress_of(done).state == "succeeded"
    weights = {(file["fold"], file["inner"]) for file in done.card["weights"]}
    assert weights == {(1, 1), (1, 2), (2, 1), (2, 2)}
    assert PatientResult.objects.count() == 24
    assert done.card["recalibration"]["imaging"]["line"]["slope"] > 0


def test_a_network_that_fails_stops_no_other_and_is_tried_again_alone(
    prepared: Experiment, scientist: User, django_capture_on_commit_callbacks: Capture
) -> None:
    capture = django_capture_on_commit_callbacks
    blocked = services.model_folder(prepared) / "checkpoints" / "imaging" / "fold-1-2.pt"
    blocked.mkdir(parents=True)
    failed = finish(prepared, capture)
    assert failed.state == "failed"
    run = Experiment.objects.get()
    assert [cell.finished_at is not None for cell in run.cells.all()] == [True, False, True, True]
    told = progress_of(run)
    assert (told.state, told.failure) == ("failed", failed.failure)
    assert "3 of 4 networks trained" in told.stage and "1 stopped" in told.stage
    blocked.rmdir()
    others = {job.pk: job.started_at for job in jobs_now(run) if job.pk != failed.pk}
    with capture(execute=True):
        services.retry_experiment(actor=scientist, experiment=run)
    assert finish(run, capture).state == "succeeded"
    assert Experiment.objects.get().is_finished
    assert {job.pk: job.started_at for job in Job.objects.filter(pk__in=others)} == others


def test_weights_that_were_lost_before_the_end_are_trained_again(
    prepared: Experiment, django_capture_on_commit_callbacks: Capture
) -> None:
    capture = django_capture_on_commit_callbacks
    cells = prepared.cells.all()
    for cell in cells:
        work(cell.job, capture)
    lost = services.model_folder(prepared) / "checkpoints" / "imaging" / "fold-2-1.pt"
    before = lost.read_bytes()
    lost.unlink()
    assert work(Experiment.objects.get().finishing, capture) == "succeeded"
    assert not Experiment.objects.get().is_finished
    assert [job.pk for job in jobs_now(prepared) if job.state == "queued"] == [cells[2].job_id]
    assert finish(prepared, capture).state == "succeeded"
    assert Experiment.objects.get().is_finished and lost.read_bytes() == before


def test_a_run_is_stopped_and_goes_on(
    prepared: Experiment, users: dict[Role, User], client_as: Any, django_capture_on_commit_callbacks: Capture
) -> None:
    capture = django_capture_on_commit_callbacks
    client, address = client_as(users[Role.SCIENTIST]), f"/experiments/{prepared.pk}/"
    first = prepared.cells.all()[0]
    assert work(first.job, capture) == "succeeded"
    assert "What is trained stays" in client.get(address).content.decode()
    assert client_as(users[Role.PI]).post(f"{address}stop/").status_code == 404
    assert client.post(f"{address}stop/").status_code == 302
    assert AuditEvent.objects.filter(action="stop_experiment").count() == 1
    page = client.get(address).content.decode()
    assert "Stopped by a person" in page and "Try again" in page and "What is trained stays" not in page
    with pytest.raises(Refusal, match="nothing to stop"):
        services.stop_experiment(actor=users[Role.SCIENTIST], experiment=prepared)
    with capture(execute=True):
        assert client.post(f"{address}retry/").status_code == 302
    assert finish(prepared, capture).state == "succeeded"
    assert Experiment.objects.get().is_finished
    assert Job.objects.get(pk=first.job_id).attempt == 1


def test_a_worker_notices_that_its_run_was_stopped(
    prepared: Experiment,
    scientist: User,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Capture,
) -> None:
    from apps.experiments import tasks

    def stopped_meanwhile(experiment: Experiment, event: Any) -> None:
        if event.stage == "train" and event.epoch == 1:
            services.stop_experiment(actor=scientist, experiment=experiment)

    monkeypatch.setattr(tasks, "record_epoch", stopped_meanwhile)
    cell = prepared.cells.all()[0]
    assert work(cell.job, django_capture_on_commit_callbacks) == "failed"
    states = services.model_folder(prepared) / "checkpoints" / "imaging" / "fold-1-1"
    assert [path.name[:11] for path in states.iterdir()] == ["epoch-00001"]
    assert not cell.finished_at and progress_of(Experiment.objects.get()).state == "failed"


def test_the_page_and_the_api_offer_the_designs(
    cohort: list[Patient], users: dict[Role, User], client_as: Any, api_as: Any
) -> None:
    client, api = client_as(users[Role.SCIENTIST]), api_as(users[Role.SCIENTIST])
    assert "Nested 5 × 5" in client.get("/experiments/new/").content.decode()
    refused = client.post("/experiments/new/", {"name": "x", "preset": "small", "design": "best of all"})
    assert refused.status_code == 200 and not Experiment.objects.exists()
    for design, changed in (("nested", {"inner_folds": 5}), ("center", {"scheme": "center"})):
        body = {"name": design, "preset": "small", "design": design}
        answer = api.post("/api/v1/experiments/", body, format="json")
        assert answer.status_code == 201
        assert answer.json()["config"] | changed == answer.json()["config"]
