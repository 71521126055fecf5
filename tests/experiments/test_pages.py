"""Experiments in the browser and by the API: what they show in each state, and to whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.core.models import Job
from apps.experiments import services
from apps.experiments.models import Cell, Experiment
from apps.experiments.services import start_experiment
from apps.patients.models import Patient
from ml.training import CellKey
from tests.experiments.fixtures import CONFIG, queued
from tests.factories import user_with

Capture = Callable[..., Any]
ACTIVE = "hx-trigger"


def test_a_finished_run_shows_its_figures_and_where_they_come_from(
    trained: Experiment, users: dict[Role, User], client_as: Any
) -> None:
    client = client_as(users[Role.PI])
    page = client.get(f"/experiments/{trained.pk}/").content.decode()
    oof = trained.metrics["arms"]["fusion"]["oof"]
    assert f"{oof['auc']:.3f}" in page and f"<td>{oof['n']}</td>" in page
    assert trained.snapshot.digest in page and trained.model_digest in page
    assert "24 of 24 patients" in page
    assert ACTIVE not in page
    listing = client.get("/experiments/").content.decode()
    assert "Trial" in listing and f"{oof['auc']:.3f}" in listing
    assert "New experiment" not in listing, "the PI reads; the scientist runs"


def test_what_a_run_shows_while_it_waits_works_and_has_failed(
    cohort: list[Patient], users: dict[Role, User], client_as: Any, django_capture_on_commit_callbacks: Capture
) -> None:
    experiment = queued(users[Role.SCIENTIST], django_capture_on_commit_callbacks)
    client, reader = client_as(users[Role.SCIENTIST]), client_as(users[Role.PI])
    address = f"/experiments/{experiment.pk}/"
    assert "Waiting for a worker" in client.get(address).content.decode()

    Job.objects.filter(pk=experiment.job_id).update(state="succeeded", progress=1.0)
    services.queue_cells(experiment, [CellKey("imaging", 1), CellKey("imaging", 2)])
    first, second = experiment.cells.all()
    Cell.objects.filter(pk=first.pk).update(finished_at=timezone.now())
    Job.objects.filter(pk=first.job_id).update(state="succeeded", progress=1.0)
    job = Job.objects.filter(pk=second.job_id)
    job.update(state="running", stage="imaging model, fold 2, epoch 2", progress=0.5)
    answer = client.get(f"{address}status/")
    fragment = answer.content.decode()
    assert "imaging model, fold 2, epoch 2 · 1 of 2 networks trained" in fragment and ACTIVE in fragment
    assert "74 %" in fragment, "2 % for preparing, 96 % for one network and a half of two"
    assert "<html" not in fragment and "HX-Trigger" not in answer
    assert "74 %" in client.get("/experiments/").content.decode()

    job.update(state="failed", failure="The disk is full.")
    answer = client.get(f"{address}status/")
    assert answer["HX-Trigger"] == "job-ended" and ACTIVE not in answer.content.decode()
    assert "The disk is full." in client.get(address).content.decode()
    assert "Try again" in client.get(address).content.decode()
    assert "Try again" not in reader.get(address).content.decode()
    assert reader.post(f"{address}retry/").status_code == 404
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post(f"{address}retry/").status_code == 302
    assert job.get().state == "queued"
    assert client.post(f"{address}retry/").status_code == 409


def test_an_experiment_is_started_in_the_browser(
    cohort: list[Patient], users: dict[Role, User], client_as: Any, django_capture_on_commit_callbacks: Capture
) -> None:
    client = client_as(users[Role.SCIENTIST])
    assert "Configuration" in client.get("/experiments/new/").content.decode()
    assert client.post("/experiments/new/", {"name": " ", "preset": "small", "design": "folds"}).status_code == 200
    assert client.post("/experiments/new/", {"name": "First", "preset": "huge", "design": "folds"}).status_code == 200
    assert not Experiment.objects.exists()
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post("/experiments/new/", {"name": "First", "preset": "small", "design": "folds"})
    experiment = Experiment.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/experiments/{experiment.pk}/")
    assert experiment.name == "First" and experiment.config["image_shape"] == [32, 32, 32]


def test_the_api_starts_and_tells_of_runs(
    cohort: list[Patient], users: dict[Role, User], api_as: Any, django_capture_on_commit_callbacks: Capture
) -> None:
    api = api_as(users[Role.SCIENTIST])
    with django_capture_on_commit_callbacks(execute=True):
        started = api.post("/api/v1/experiments/", {"name": "By API", "preset": "small"}, format="json")
    assert started.status_code == 201
    found = api_as(users[Role.PI]).get(f"/api/v1/experiments/{started.json()['id']}/").json()
    assert (found["name"], found["state"], found["progress"], found["failure"]) == ("By API", "queued", 0.0, "")
    assert found["snapshot"] == Experiment.objects.get().snapshot.digest and found["finished_at"] is None
    assert api.get("/api/v1/experiments/").json()["count"] == 1
    for body in (
        {"name": "x"},
        {"name": "", "preset": "small", "design": "folds"},
        {"name": "x", "preset": "huge", "design": "folds"},
    ):
        assert api.post("/api/v1/experiments/", body, format="json").status_code == 400


@pytest.mark.parametrize("role", [Role.SCIENTIST, Role.PI, Role.DATA_MANAGER])
def test_who_holds_a_role_in_one_center_sees_and_starts_no_run_on_the_patients_of_all(
    cohort: list[Patient], scientist: User, two_centers: Any, role: Role, client_as: Any, api_as: Any,
    django_capture_on_commit_callbacks: Capture,
) -> None:  # fmt: skip
    experiment = queued(scientist, django_capture_on_commit_callbacks)
    actor = user_with(role, two_centers[1], everywhere=False)
    client, api = client_as(actor), api_as(actor)
    assert "Trial" not in client.get("/experiments/").content.decode()
    assert api.get("/api/v1/experiments/").json()["results"] == []
    for address in (f"/experiments/{experiment.pk}/", f"/experiments/{experiment.pk}/status/", "/experiments/new/"):
        assert client.get(address).status_code == 404
    assert client.post(f"/experiments/{experiment.pk}/retry/").status_code == 404
    assert api.get(f"/api/v1/experiments/{experiment.pk}/").status_code == 404
    body = {"name": "Not mine", "preset": "small", "design": "folds"}
    assert client.post("/experiments/new/", body).status_code == 404
    assert api.post("/api/v1/experiments/", body, format="json").status_code == 404
    assert Experiment.objects.count() == 1


def test_the_list_takes_the_same_queries_for_any_number_of_runs(
    cohort: list[Patient], scientist: User, client_as: Any
) -> None:
    client = client_as(scientist)
    start_experiment(actor=scientist, name="Run", config=CONFIG)
    client.get("/experiments/")
    with CaptureQueriesContext(connection) as few:
        client.get("/experiments/")
    for _ in range(5):
        start_experiment(actor=scientist, name="Run", config=CONFIG)
    with CaptureQueriesContext(connection) as many:
        assert client.get("/experiments/").content.decode().count(">Run<") == 6
    assert len(many) == len(few)
