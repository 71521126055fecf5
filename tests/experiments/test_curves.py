"""Learning curves: written as the epochs end, forgotten with a cell that begins anew, drawn on one scale."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.cohorts.models import Snapshot
from apps.core.models import Job
from apps.experiments.curves import curves_of, record_epoch
from apps.experiments.models import Epoch, Experiment
from ml.training import Event


@pytest.fixture
def run(users: dict[Role, User]) -> Experiment:
    actor = users[Role.SCIENTIST]
    snapshot = Snapshot.objects.create(
        digest="0" * 64, file="none", created_by=actor, dictionary_version="ich-1", patient_count=9, included_count=9
    )
    job = Job.objects.create(task="none", queue="training", state=Job.State.RUNNING)
    return Experiment.objects.create(
        name="Run", snapshot=snapshot, config={}, created_by=actor, job=job, created_at=timezone.now()
    )


def epoch(arm: str, fold: int, number: int, loss: float, train_loss: float, auc: float | None = 0.5) -> Event:
    return Event("train", 0.1, arm, fold, 1, number, loss, auc, train_loss)


def test_epochs_become_curves(run: Experiment) -> None:
    for event in (
        Event("verify", 0.0),
        epoch("imaging", 1, 1, 0.8, 1.0),
        epoch("imaging", 1, 2, 0.5, 0.75, None),
        epoch("imaging", 1, 3, 0.6, 0.5),
        epoch("fusion", 2, 1, 0.4, 0.9),
        Event("cell_done", 0.5, "imaging", 1, 1, 2, None, 0.7),
    ):
        record_epoch(run, event)
    fusion, imaging = curves_of(run)
    assert (fusion.arm, fusion.fold, imaging.arm, imaging.fold) == ("fusion", 2, "imaging", 1)
    # 160 x 90 with a margin of 4: three epochs at 4, 80 and 156; the highest loss, 1.0, at 4, and 0 at 86.
    assert imaging.training == "4.0,4.0 80.0,24.5 156.0,45.0"
    assert imaging.validation == "4.0,20.4 80.0,45.0 156.0,36.8"
    assert (imaging.last.number, imaging.best.number, fusion.validation) == (3, 2, "4.0,53.2")


def test_an_epoch_told_twice_is_one_and_a_cell_that_begins_anew_starts_empty(run: Experiment) -> None:
    record_epoch(run, epoch("fusion", 1, 1, 0.8, 1.0))
    record_epoch(run, epoch("fusion", 1, 1, 0.7, 1.0))
    record_epoch(run, epoch("fusion", 2, 1, 0.9, 1.0))
    assert sorted(Epoch.objects.values_list("fold", "validation_loss")) == [(1, 0.7), (2, 0.9)]
    record_epoch(run, Event("restart", 0.1, "fusion", 1, 1))
    assert list(Epoch.objects.values_list("fold", flat=True)) == [2]


def test_the_page_draws_them_while_the_run_goes_on(run: Experiment, users: dict[Role, User], client_as: Any) -> None:
    client = client_as(users[Role.PI])
    address = f"/experiments/{run.pk}/curves/"
    assert "with the end of each epoch" in client.get(address).content.decode()
    record_epoch(run, epoch("clinical", 1, 1, 0.8125, 1.0, 0.625))
    fragment = client.get(address).content.decode()
    assert "<html" not in fragment and "<polyline" in fragment and "0.813" in fragment and "AUC 0.625" in fragment
    assert f'hx-get="{address}"' in fragment
    assert "<polyline" in client.get(f"/experiments/{run.pk}/").content.decode()
    Job.objects.update(state=Job.State.SUCCEEDED)
    Experiment.objects.update(finished_at=timezone.now())
    assert "hx-get" not in client.get(address).content.decode()
    assert client_as(users[Role.COORDINATOR]).get(address).status_code == 404
