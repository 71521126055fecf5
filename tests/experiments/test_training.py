"""A training run from its start on the page's service to the imported results, by the code that a worker runs."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.http import Http404
from sklearn.metrics import roc_auc_score

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent
from apps.cohorts.models import Snapshot
from apps.cohorts.selectors import load_included
from apps.core.errors import Refusal
from apps.core.jobs import JobHandle
from apps.core.models import Job
from apps.crf.selectors import model_features
from apps.experiments import services
from apps.experiments.models import Experiment, PatientResult
from apps.experiments.presets import config_of
from apps.experiments.progress import progress_of
from apps.experiments.selectors import results_table, serving_experiment
from apps.imaging.models import Series
from apps.patients.models import Patient
from ml.training import ModelCard
from tests.cohorts import factory
from tests.experiments.fixtures import CONFIG, finish, queued
from tests.factories import user_with
from tests.ml.training.factory import tiny_config

Capture = Callable[..., Any]
Files = Callable[[], set[str]]
# The clinical inputs of the published fusion model (Chen 2023), in the paper's order.
FEATURES = [
    "age", "sex", "gcs", "headache", "emesis", "coma", "ivh", "history_hemorrhagic_stroke", "history_ischemic_stroke",
    "hypertension", "diabetes_mellitus", "hyperlipidemia", "coronary_heart_disease", "heart_failure", "arrhythmia",
    "anticoagulant_therapy", "antiplatelet_therapy", "smoking", "alcohol", "systolic_bp", "diastolic_bp", "treatment",
]  # fmt: skip
NUMBERS = {"age", "gcs", "systolic_bp", "diastolic_bp"}
CHOICES = {"sex", "treatment"}


def splits_of(experiment: Experiment) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((services.model_folder(experiment) / "splits.json").read_text())
    return loaded


def test_a_start_freezes_the_cohort_and_queues_the_training(
    cohort: list[Patient], scientist: User, django_capture_on_commit_callbacks: Capture
) -> None:
    experiment = queued(scientist, django_capture_on_commit_callbacks)
    assert (experiment.snapshot.patient_count, experiment.snapshot.included_count) == (24, 24)
    assert experiment.job is not None
    job = Job.objects.get(pk=experiment.job.pk)
    assert (job.queue, job.state, job.arguments) == ("training", "queued", {"experiment_id": experiment.pk})
    started = AuditEvent.objects.get(action="start_experiment")
    assert (started.actor, started.changes) == (scientist, {"snapshot": [None, experiment.snapshot.digest]})
    assert serving_experiment() is None


def test_progress_and_stage_move_to_the_end(
    cohort: list[Patient], scientist: User, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Capture
) -> None:
    seen: list[tuple[int, str, float]] = []
    told: list[float] = []
    report = JobHandle.report

    def watched(handle: JobHandle, stage: str, progress: float) -> None:
        report(handle, stage, progress)
        row = Job.objects.get(pk=handle.job_id)
        seen.append((row.pk, row.stage, row.progress))
        told.append(progress_of(Experiment.objects.get()).progress)

    monkeypatch.setattr(JobHandle, "report", watched)
    experiment = queued(scientist, django_capture_on_commit_callbacks)
    job = finish(experiment, django_capture_on_commit_callbacks)

    stages = [stage for _, stage, _ in seen]
    for number in {number for number, *_ in seen}:
        own = [value for of, _, value in seen if of == number]
        assert own == sorted(own) and own[0] == 0.0
    assert told == sorted(told) and told[0] == 0.0 and 0.9 < told[-1] < 1
    assert stages[0] == "Collecting images" and stages[-2:] == ["Evaluating", "Comparing with plain models"]
    epochs = [stage for stage in stages if "epoch" in stage]
    assert epochs == [
        f"{arm} model, fold {fold}, epoch {epoch}" for arm in CONFIG.arms for fold in (1, 2) for epoch in (1, 2)
    ]
    assert (job.state, job.progress, job.failure, job.attempt) == ("succeeded", 1.0, "", 1)


def test_each_patient_has_one_result_of_each_model_by_models_that_never_saw_him(
    trained: Experiment, cohort: list[Patient]
) -> None:
    rows = PatientResult.objects.filter(experiment=trained)
    everyone = {patient.study_id for patient in cohort}
    for arm in ("imaging", "fusion"):
        assert Counter(rows.filter(arm=arm).values_list("patient__study_id", flat=True)) == Counter(everyone)
    splits = splits_of(trained)
    test = set(rows.filter(split="test").values_list("patient__study_id", flat=True))
    out_of_fold = set(rows.filter(split="cv").values_list("patient__study_id", flat=True))
    assert test == set(splits["test"]) and test and not test & out_of_fold and test | out_of_fold == everyone
    for result in rows.filter(split="cv").select_related("patient"):
        fold = splits["folds"][(result.fold or 0) - 1]
        assert result.patient.study_id in fold["held_out"]
        assert result.patient.study_id not in fold["fit"] + fold["validation"]
    assert set(rows.filter(split="test").values_list("fold", flat=True)) == {None}


def test_the_metrics_are_those_of_the_imported_rows(trained: Experiment) -> None:
    outcome = load_included(trained.snapshot).set_index("study_id")["poor_outcome"].astype(bool)
    for arm, parts in trained.metrics["arms"].items():
        for split, part in (("cv", parts["oof"]), ("test", parts["test"])):
            rows = PatientResult.objects.filter(experiment=trained, arm=arm, split=split).select_related("patient")
            truth = [bool(outcome[row.patient.study_id]) for row in rows]
            assert (part["n"], part["n_poor"]) == (len(truth), sum(truth))
            assert part["auc"] == pytest.approx(roc_auc_score(truth, [row.probability for row in rows]), abs=1e-12)
    table = results_table(trained)
    assert len(table) == 24 and set(table["split"]) == {"cv", "test"}
    oof = table[table["split"] == "cv"]
    auc = roc_auc_score(oof["poor_outcome"].astype(bool), oof["fusion"])
    assert trained.metrics["arms"]["fusion"]["oof"]["auc"] == pytest.approx(auc, abs=1e-12)


def test_importing_again_leaves_the_same_rows(trained: Experiment, django_capture_on_commit_callbacks: Capture) -> None:
    before = list(PatientResult.objects.order_by("pk").values())
    finished_at = trained.finished_at
    another = ModelCard.model_validate_json(json.dumps(trained.card | {"torch_version": "another"}))
    services.finish_experiment(experiment=trained, metrics={"arms": {}}, card=another)
    Job.objects.filter(pk__in=[trained.job_id, trained.finishing_id]).update(state=Job.State.QUEUED)
    assert finish(trained, django_capture_on_commit_callbacks).state == "succeeded"
    trained.refresh_from_db()
    assert list(PatientResult.objects.order_by("pk").values()) == before
    assert trained.finished_at == finished_at and trained.metrics["arms"] and trained.model_digest != another.digest
    assert AuditEvent.objects.filter(action="finish_experiment").count() == 1


def test_the_manifest_holds_the_22_features_as_they_were_entered(
    cohort: list[Patient], scientist: User, django_capture_on_commit_callbacks: Capture
) -> None:
    experiment = queued(scientist, django_capture_on_commit_callbacks)
    manifest = json.loads(services.write_inputs(experiment).read_text())
    assert [feature["name"] for feature in manifest["features"]] == FEATURES
    values = {patient.study_id: patient.form.values for patient in Patient.objects.select_related("form")}
    assert {case["id"] for case in manifest["cases"]} == set(values)
    for case in manifest["cases"]:
        assert case["patient"] == case["id"] and case["center"] == case["id"][:2]
        for name in FEATURES:
            value = case["clinical"][name]
            assert value == values[case["id"]][name]
            assert type(value) is (int if name in NUMBERS else str if name in CHOICES else bool), name
        assert case["label"] == (1 if values[case["id"]]["gos_discharge"] <= 3 else 0)
    assert manifest["snapshot_digest"] == experiment.snapshot.digest


def test_images_are_brought_without_a_copy(
    cohort: list[Patient], scientist: User, tmp_path: Path, django_capture_on_commit_callbacks: Capture
) -> None:
    experiment = queued(scientist, django_capture_on_commit_callbacks)
    services.write_inputs(experiment)
    series = Series.objects.first()
    assert series is not None
    image = services.run_folder(experiment) / "images" / f"{series.tensor_sha256}.npy"
    assert image.samefile(tmp_path / "store" / series.tensor)


def test_too_few_patients_is_a_sentence_and_leaves_nothing(
    two_centers: Any, users: dict[Role, User], files: Files, api_as: Any, client_as: Any
) -> None:
    factory.ready_cohort(5, 3)
    kept = files()
    sentence = (
        "Training needs at least 6 patients of each outcome with CT, mask and complete form; "
        "5 with a poor and 3 with a favorable outcome are ready."
    )
    with pytest.raises(Refusal) as refused:
        services.start_experiment(actor=users[Role.SCIENTIST], name="Too early", config=CONFIG)
    assert (refused.value.sentence, refused.value.status) == (sentence, 409)
    body = {"name": "Too early", "preset": "small", "design": "folds"}
    of_five_folds = sentence.replace("6", "12", 1)
    answer = api_as(users[Role.SCIENTIST]).post("/api/v1/experiments/", body, format="json")
    assert (answer.status_code, json.loads(answer.content)["detail"]) == (409, of_five_folds)
    page = client_as(users[Role.SCIENTIST]).post("/experiments/new/", body)
    assert page.status_code == 409 and of_five_folds in page.content.decode()
    assert (Snapshot.objects.count(), Experiment.objects.count(), Job.objects.count()) == (0, 0, 0)
    assert files() == kept


def test_images_of_another_preprocessing_are_refused_before_anything_starts(
    cohort: list[Patient], scientist: User
) -> None:
    Series.objects.filter(pk=cohort[0].series.get().pk).update(preprocessing_version="0.0-older")
    with pytest.raises(Refusal, match="preprocessed by another version") as refused:
        services.start_experiment(actor=scientist, name="Mixed", config=CONFIG)
    assert refused.value.status == 409
    assert not Snapshot.objects.exists()


def test_only_who_may_run_experiments_in_all_centers_starts_one(
    cohort: list[Patient], users: dict[Role, User], two_centers: Any
) -> None:
    one_center = user_with(Role.SCIENTIST, two_centers[1], everywhere=False)
    for actor in [user for role, user in users.items() if role != Role.SCIENTIST] + [one_center]:
        with pytest.raises(Http404):
            services.start_experiment(actor=actor, name="Not mine", config=CONFIG)
    assert not Experiment.objects.exists() and not Snapshot.objects.exists()


def test_a_failed_run_goes_on_where_it_stopped(
    cohort: list[Patient], scientist: User, django_capture_on_commit_callbacks: Capture
) -> None:
    capture = django_capture_on_commit_callbacks
    experiment = queued(scientist, capture)
    folder = services.model_folder(experiment)
    # A folder where the predictions are to be written: the models are trained, and then the run fails.
    (folder / "oof.csv").mkdir(parents=True)
    failed = finish(experiment, capture)
    assert (failed.state, failed.failure_code) == ("failed", "unexpected")
    assert not PatientResult.objects.exists() and serving_experiment() is None
    weights = {path: path.stat().st_mtime_ns for path in folder.rglob("fold-*.pt")}
    assert len(weights) == 4

    (folder / "oof.csv").rmdir()
    with capture(execute=True):
        services.retry_experiment(actor=scientist, experiment=experiment)
    assert finish(experiment, capture).state == "succeeded"
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("fold-*.pt")} == weights, "nothing trained twice"
    assert PatientResult.objects.count() == 48
    with pytest.raises(Refusal, match="Only a failed run"):
        services.retry_experiment(actor=scientist, experiment=experiment)


def test_a_run_folder_of_other_data_is_refused(
    cohort: list[Patient], scientist: User, django_capture_on_commit_callbacks: Capture
) -> None:
    capture = django_capture_on_commit_callbacks
    first = queued(scientist, capture, tiny_config(epochs=1, patience=1, arms=("imaging",)))
    assert finish(first, capture).state == "succeeded"
    factory.fill_form(cohort[0], {"age": 41})
    second = queued(scientist, capture, tiny_config(epochs=1, patience=1, arms=("imaging",)))
    services.run_folder(second).mkdir(parents=True)
    services.model_folder(first).rename(services.model_folder(second))
    failed = finish(second, capture)
    assert (failed.state, failed.failure_code) == ("failed", "other_run")
    assert "another configuration or other cases" in failed.failure
    assert not PatientResult.objects.filter(experiment=second).exists()


def test_a_changed_image_is_noticed(
    cohort: list[Patient], scientist: User, django_capture_on_commit_callbacks: Capture
) -> None:
    experiment = queued(scientist, django_capture_on_commit_callbacks)
    services.write_inputs(experiment)
    image = next((services.run_folder(experiment) / "images").iterdir())
    image.write_bytes(image.read_bytes()[:-1] + b"\0\0")
    failed = finish(experiment, django_capture_on_commit_callbacks)
    assert (failed.state, failed.failure_code) == ("failed", "bad_image")


def test_the_predictions_written_by_the_run_are_the_rows(trained: Experiment) -> None:
    with (services.model_folder(trained) / "oof.csv").open(newline="") as file:
        written = {(line["patient"], line["arm"]): float(line["probability"]) for line in csv.DictReader(file)}
    rows = PatientResult.objects.filter(split="cv").values_list("patient__study_id", "arm", "probability")
    assert {(study_id, arm): probability for study_id, arm, probability in rows} == written


def test_a_model_for_the_door_does_without_the_treatment() -> None:
    """The published model's 22 features are known at admission but for the treatment."""
    assert config_of("small", at_door=True).without == ("treatment",)
    assert config_of("small").without == () and config_of("small").arms == ("imaging", "fusion", "clinical")
    assert {feature["name"] for feature in model_features()} >= {"treatment"}
