"""A cohort of 24, and a cross-validation on it: trained once a session, imported by each test that needs it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.core.jobs import run_job
from apps.core.models import Job
from apps.experiments.models import Experiment
from apps.experiments.progress import jobs_of
from apps.experiments.services import model_folder, start_experiment
from apps.patients.models import Patient
from ml.training import TrainingConfig
from tests.cohorts.factory import ready_cohort
from tests.ml.training.factory import tiny_config

# Started once, imported often: the same cohort and configuration make the same run folder.
CONFIG = tiny_config(epochs=2, patience=2)


@pytest.fixture
def scientist(users: dict[Role, User]) -> User:
    return users[Role.SCIENTIST]


@pytest.fixture(scope="session")
def one_thread() -> Iterator[None]:
    """Networks this small are slower on several threads than on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def cohort(users: dict[Role, User], files: Callable[[], set[str]], one_thread: None) -> list[Patient]:
    return ready_cohort()


@pytest.fixture(scope="session")
def training_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trained")


@pytest.fixture
def trained(
    cohort: list[Patient], scientist: User, training_store: Path, django_capture_on_commit_callbacks: Callable[..., Any]
) -> Experiment:
    """A finished experiment on the cohort.

    The first test to ask trains it; the others find its folder, in which nothing is left to train.
    """
    experiment = queued(scientist, django_capture_on_commit_callbacks)
    kept, folder = training_store / "run", model_folder(experiment)
    if kept.exists():
        shutil.copytree(kept, folder)
    finish(experiment, django_capture_on_commit_callbacks)
    if not kept.exists():
        shutil.copytree(folder, kept)
    experiment.refresh_from_db()
    assert experiment.is_finished, experiment.job
    return experiment


def queued(actor: User, capture: Callable[..., Any], config: TrainingConfig = CONFIG) -> Experiment:
    """Start an experiment, as the page does."""
    with capture(execute=True):
        return start_experiment(actor=actor, name="Trial", config=config)


def finish(experiment: Experiment, capture: Callable[..., Any]) -> Job:
    """Do what a worker does with the run's jobs until none waits; return the first that failed, else the last."""
    ended: list[Job] = []
    while waiting := [job for job in jobs_now(experiment) if job.state == Job.State.QUEUED]:
        with capture(execute=True):
            run_job(job_id=waiting[0].pk)
        ended.append(Job.objects.get(pk=waiting[0].pk))
    return next((job for job in ended if job.state == Job.State.FAILED), ended[-1])


def jobs_now(experiment: Experiment) -> list[Job]:
    """Return the run's jobs as they are."""
    return jobs_of(Experiment.objects.get(pk=experiment.pk))
