"""Figures that are not defined are blanks on the page, never an error."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.cohorts.models import Snapshot
from apps.experiments.models import Experiment
from apps.experiments.selectors import Discrimination, discrimination_of


def part(auc: float | None, interval: list[float] | None, n: int = 5, n_poor: int = 1) -> dict[str, Any]:
    return {"n": n, "n_poor": n_poor, "auc": auc, "se": None, "ci_delong": interval, "ci_exact": interval}


def test_a_run_of_one_arm_with_undefined_figures(users: dict[Role, User], client_as: Any) -> None:
    actor = users[Role.SCIENTIST]
    snapshot = Snapshot.objects.create(
        digest="0" * 64, file="none", created_by=actor, dictionary_version="ich-1", patient_count=9, included_count=9
    )
    imaging = {
        "oof": part(0.75, None),
        "test": part(None, None, 0, 0),
        "folds": [{"fold": 1, "n": 3, "n_poor": 0, "auc": None}],
    }
    experiment = Experiment.objects.create(
        name="Alone", snapshot=snapshot, config={}, created_by=actor, finished_at=timezone.now(),
        metrics={"arms": {"imaging": imaging}, "comparison": {"oof": None, "test": None}}, model_digest="1" * 64,
    )  # fmt: skip
    assert discrimination_of(experiment) == [
        Discrimination("imaging", "oof", 5, 1, 0.75, None, None),
        Discrimination("imaging", "test", 0, 0, None, None, None),
    ]
    client = client_as(actor)
    page = client.get(f"/experiments/{experiment.pk}/")
    text = page.content.decode()
    # No interval is shown; "95" alone may stand in a form's random token.
    assert page.status_code == 200 and "0.750" in text and "(95\u202f%" not in text
    listing = client.get("/experiments/")
    assert listing.status_code == 200 and "Alone" in listing.content.decode()
