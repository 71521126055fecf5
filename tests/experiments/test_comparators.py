"""What a run's manifest says of hematomas and scores, and what its page says of the comparators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.annotation.models import Mask
from apps.cohorts.models import Snapshot
from apps.cohorts.selectors import load_included_rows
from apps.cohorts.services import freeze_snapshot
from apps.cohorts.table import Row
from apps.experiments.models import Experiment
from apps.experiments.services import write_inputs
from apps.patients.models import Patient
from ml.hematoma import FEATURES, FEATURES_VERSION
from ml.scores import SCORES
from ml.training import Case, read_manifest
from tests.experiments.fixtures import finish, queued


def cases_of(scientist: User) -> tuple[list[Row], list[Case]]:
    """Freeze the cohort as it is, and return its rows and what a run would learn from."""
    snapshot = freeze_snapshot(actor=scientist)
    experiment = Experiment.objects.create(name="Trial", snapshot=snapshot, config={}, created_by=scientist)
    return load_included_rows(snapshot), list(read_manifest(write_inputs(experiment)).cases)


def test_the_manifest_has_scores_and_measured_hematomas(cohort: list[Patient], scientist: User) -> None:
    measured = {name: 0.5 + number for number, name in enumerate(FEATURES)}
    of_first = Mask.objects.filter(patient=cohort[0])
    of_first.update(features=measured, features_version=FEATURES_VERSION)

    rows, cases = cases_of(scientist)

    own = next(case for case in cases if case.id == cohort[0].study_id)
    assert own.hematoma == measured | {"volume_ml": float(of_first.get().volume_ml)}
    assert {case.id for case in cases if case.hematoma is not None} == {own.id}
    for row, case in zip(rows, cases, strict=True):
        assert case.scores == {key: row[f"score_{key}"] for key in SCORES}
        assert case.scores["ich_score"] is not None


@pytest.mark.slow
def test_a_run_is_held_against_forest_and_scores(
    cohort: list[Patient], scientist: User, django_capture_on_commit_callbacks: Callable[..., Any], client_as: Any
) -> None:
    for number, mask in enumerate(Mask.objects.order_by("pk")):
        measured = {name: float((number * 7 + place) % 11) for place, name in enumerate(FEATURES)}
        Mask.objects.filter(pk=mask.pk).update(features=measured, features_version=FEATURES_VERSION)
    experiment = queued(scientist, django_capture_on_commit_callbacks)
    finish(experiment, django_capture_on_commit_callbacks)
    experiment.refresh_from_db()
    compared = experiment.metrics["comparators"]
    assert {"hematoma_forest", "ich_score", "ich_gs"} <= set(compared["arms"])
    assert ("fusion", "hematoma_forest") in {(test["a"], test["b"]) for test in compared["comparisons"]["oof"]}
    page = client_as(scientist).get(f"/experiments/{experiment.pk}/").content.decode()
    assert "random forest of the hematoma" in page and SCORES["ich_gs"].name in page


def test_a_snapshot_without_these_columns_still_makes_a_manifest(
    cohort: list[Patient], scientist: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_frozen_before(snapshot: Snapshot) -> list[Row]:
        new = {f"hematoma_{name}" for name in FEATURES} - {"hematoma_volume_ml"}
        return [{key: value for key, value in row.items() if key not in new} for row in load_included_rows(snapshot)]

    monkeypatch.setattr("apps.experiments.services.load_included_rows", as_frozen_before)
    _, cases = cases_of(scientist)
    assert {case.hematoma for case in cases} == {None}


def area(value: float) -> dict[str, Any]:
    interval = [value - 0.1, value + 0.1]
    return {"n": 24, "n_poor": 12, "auc": value, "se": 0.05, "ci_delong": interval, "ci_exact": interval}


def finished(actor: User, comparators: dict[str, Any]) -> Experiment:
    snapshot = Snapshot.objects.create(
        digest="0" * 64, file="none", created_by=actor, dictionary_version="ich-1", patient_count=24, included_count=24
    )
    arm = {"oof": area(0.8), "test": area(0.8), "folds": []}
    metrics = {"arms": {"fusion": arm}, "comparison": {"oof": None, "test": None}, "comparators": comparators}
    return Experiment.objects.create(
        name="Trial", snapshot=snapshot, config={}, created_by=actor, finished_at=timezone.now(), metrics=metrics,
        model_digest="1" * 64,
    )  # fmt: skip


def test_the_page_shows_every_comparator_by_a_plain_name(users: dict[Role, User], client_as: Any) -> None:
    keys = ["logistic_regression", "random_forest", "perceptron", "hematoma_forest", *SCORES]
    names = [
        "logistic regression", "random forest", "multilayer perceptron",
        "random forest of the hematoma&#x27;s shape and density", *(score.name for score in SCORES.values()),
    ]  # fmt: skip
    tests = [
        {"a": "fusion", "b": key, "n": 24, "n_poor": 12, "difference": 0.1, "z": 1.0, "p": 0.3, "ci": [-0.1, 0.3]}
        for key in keys
    ]
    arms = {key: {"oof": area(0.7), "test": area(0.7), "folds": []} for key in keys}
    experiment = finished(users[Role.SCIENTIST], {"arms": arms, "comparisons": {"oof": tests, "test": []}})
    page = client_as(users[Role.SCIENTIST]).get(f"/experiments/{experiment.pk}/").content.decode()
    assert "Clinical scores and plain models" in page
    for key, name in zip(keys, names, strict=True):
        assert f'<th scope="row">{name}</th>' in page, key
        assert f'<th scope="row">fusion – {name}</th>' in page, key


def test_a_run_without_comparators_has_no_table_of_them(users: dict[Role, User], client_as: Any) -> None:
    nothing = {"arms": {}, "comparisons": {"oof": [], "test": []}, "left_out": []}
    experiment = finished(users[Role.SCIENTIST], nothing)
    page = client_as(users[Role.SCIENTIST]).get(f"/experiments/{experiment.pk}/")
    assert page.status_code == 200 and "Clinical scores and plain models" not in page.content.decode()
