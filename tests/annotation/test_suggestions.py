"""A first outline that a worker makes: asked for, waited for, made once a CT, and only where the CT is a head."""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.annotation.models import Outline, Suggestion
from apps.core.jobs import run_job
from apps.core.models import Job
from apps.imaging.models import Series
from apps.patients.models import Patient
from ml.hematoma import SUGGESTION_VERSION
from ml.simulation import PhantomSpec, simulate_ct
from tests.annotation.scans import take_in
from tests.browser.annotator import dice

Users = dict[Role, User]


@pytest.fixture
def annotator(client_as: Callable[[User], Client], users: Users) -> Client:
    return client_as(users[Role.ANNOTATOR])


@pytest.fixture
def head(patient: Patient, users: Users, tmp_path: Path) -> tuple[Series, np.ndarray]:
    """A bleed of 32 mL in a tilted head, and where it is."""
    made = simulate_ct(
        tmp_path / "ct", spec=PhantomSpec(rows=256, columns=256, volume_ml=32.0, gantry_tilt_degrees=12.0), seed=5
    )
    files = [path.read_bytes() for path in sorted((tmp_path / "ct").iterdir())]
    return take_in(users[Role.COORDINATOR], patient, files), np.asarray(made.hematoma_mask) > 0


def ask(client: Client, **form: str) -> Any:
    url = reverse("annotation:outline-suggestion", args=["C1-0001"])
    return client.post(url, form, headers={"accept": "application/json"})


def work() -> Job:
    job = Suggestion.objects.get().job
    assert job is not None
    run_job(job_id=job.pk)
    job.refresh_from_db()
    return job


@pytest.mark.slow
def test_what_is_suggested(annotator: Client, head: tuple[Series, np.ndarray]) -> None:
    """Dice on a simulated head; it says nothing of real ones."""
    series, truth = head
    assert ask(annotator).status_code == ask(annotator).status_code == 202
    assert Job.objects.filter(task__endswith="suggest_outline").count() == 1
    assert work().state == Job.State.SUCCEEDED
    answer = ask(annotator)
    assert answer.status_code == 200
    labels = np.frombuffer(zlib.decompress(answer.content), np.uint8).reshape(truth.shape)
    assert set(np.unique(labels)) == {0, 1}
    assert dice(labels == 1, truth) >= 0.9
    outline = Outline.objects.get()
    assert outline.suggestion_version == SUGGESTION_VERSION, "what he submits is not by hand alone"
    assert not outline.slices.exists(), "it is drawn once the person takes it"
    # More slices make another CT.
    Series.objects.filter(pk=series.pk).update(revision=series.revision + 1)
    assert ask(annotator).status_code == 202
    assert Suggestion.objects.count() == 2


def test_what_is_no_head_has_none_and_says_why(annotator: Client, ct: Series) -> None:
    assert ask(annotator, again="1").status_code == 202
    assert work().state == Job.State.FAILED
    for _ in range(2):
        answer = ask(annotator)
        assert answer.status_code == 409 and answer.json()["code"] == "no_suggestion"
        assert answer.json()["detail"] == Suggestion.objects.get().job.failure  # type: ignore[union-attr]
    failed = Suggestion.objects.get().job_id
    assert ask(annotator, again="1").status_code == 202, "it is tried again where that is asked for"
    assert Suggestion.objects.get().job_id != failed


def test_one_of_another_program_is_made_anew(annotator: Client, ct: Series) -> None:
    ask(annotator)
    job = Suggestion.objects.get().job
    assert job is not None
    Job.objects.filter(pk=job.pk).update(state=Job.State.SUCCEEDED)
    Suggestion.objects.update(file="of/old/times.npz", version=0)
    assert ask(annotator).status_code == 202
    assert Suggestion.objects.get().job_id != job.pk


@pytest.mark.parametrize("role", [Role.PI, Role.MONITOR, Role.DATA_MANAGER])
def test_who_does_not_draw_asks_for_none(
    role: Role, client_as: Callable[[User], Client], users: Users, ct: Series
) -> None:
    assert ask(client_as(users[role])).status_code == 404
    assert not Suggestion.objects.exists()
