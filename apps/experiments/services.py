"""Starting a training run, and writing down what came of it."""

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.accounts.access import require
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.cohorts.models import Snapshot
from apps.cohorts.selectors import load_included
from apps.cohorts.services import freeze_snapshot
from apps.core import jobs, store
from apps.core.errors import Refusal
from apps.crf.selectors import model_features
from apps.experiments.models import Experiment, PatientResult
from apps.patients.changes import announce
from apps.patients.models import Patient
from ml.training import Case, Feature, Manifest, TrainingConfig, write_manifest

# With fewer of either outcome a fold can be left without one of them.
MIN_PER_OUTCOME_AND_FOLD = 2


@transaction.atomic
def start_experiment(*, actor: User, name: str, config: TrainingConfig) -> Experiment:
    """Freeze the cohort and queue a cross-validation on it."""
    from apps.experiments.tasks import train

    require(actor, Permission.RUN_EXPERIMENTS)
    snapshot = freeze_snapshot(actor=actor)
    _check_size(snapshot, config)
    experiment = Experiment.objects.create(
        name=name.strip(), snapshot=snapshot, config=config.model_dump(mode="json"), created_by=actor
    )
    experiment.job = train.enqueue(experiment_id=experiment.pk)
    experiment.save(update_fields=["job"])
    record(actor=actor, action="start_experiment", target=experiment, changes={"snapshot": [None, snapshot.digest]})
    return experiment


def _check_size(snapshot: Snapshot, config: TrainingConfig) -> None:
    outcomes = Counter(load_included(snapshot)["poor_outcome"])
    needed = MIN_PER_OUTCOME_AND_FOLD * (config.folds + 1)
    fewest = min(outcomes[True], outcomes[False])
    if fewest < needed:
        raise Refusal(
            "too_few_patients",
            f"Training needs at least {needed} patients of each outcome with CT, mask and complete form; "
            f"{outcomes[True]} with a poor and {outcomes[False]} with a favorable outcome are ready.",
            status=409,
        )


@transaction.atomic
def retry_experiment(*, actor: User, experiment: Experiment) -> None:
    """Queue a failed run again; it goes on from its last checkpoint."""
    require(actor, Permission.RUN_EXPERIMENTS)
    if experiment.job is None or experiment.job.state != "failed":
        raise Refusal("not_failed", "Only a failed run can be tried again.", status=409)
    record(actor=actor, action="retry_experiment", target=experiment)
    jobs.retry(experiment.job)


def run_folder(experiment: Experiment) -> Path:
    """Return the folder of a run."""
    return Path(settings.RUNS_DIR) / experiment.run_folder


def model_folder(experiment: Experiment) -> Path:
    """Return the folder that ml.training writes and ml.inference reads."""
    return run_folder(experiment) / "run"


def write_inputs(experiment: Experiment) -> Path:
    """Bring the snapshot's cases and images to the run folder and return the manifest's path."""
    folder = run_folder(experiment)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    table = load_included(experiment.snapshot)
    features = [Feature.model_validate(feature) for feature in model_features()]
    cases = [_case(row, features) for row in table.to_dict("records")]
    for row in table.itertuples():
        path = folder / "images" / f"{row.tensor_sha256}.npy"
        if not path.exists():
            partial = path.with_suffix(".part")
            partial.write_bytes(store.get(str(row.tensor)))
            partial.rename(path)
    manifest = Manifest.model_validate(
        {
            "snapshot_digest": experiment.snapshot.digest,
            "preprocessing_version": _one_version(table),
            "features": features,
            "cases": cases,
        }
    )
    write_manifest(manifest, folder / "manifest.json")
    return folder / "manifest.json"


def _one_version(table: pd.DataFrame) -> str:
    versions = set(table["preprocessing_version"])
    if len(versions) > 1:
        raise Refusal(
            "mixed_preprocessing",
            "The CTs were preprocessed by different versions of the program. Preprocess the older again, then train.",
        )
    return str(versions.pop())


def _case(row: dict[Any, Any], features: Iterable[Feature]) -> Case:
    clinical = {feature.name: _plain(row.get(f"crf_{feature.name}")) for feature in features}
    return Case(
        id=row["study_id"],
        patient=row["study_id"],
        center=row["center"],
        label=1 if row["poor_outcome"] else 0,
        image=f"images/{row['tensor_sha256']}.npy",
        image_sha256=row["tensor_sha256"],
        clinical=clinical,
    )


def _plain(value: Any) -> Any:
    """Return a table's cell as Python's own type, and every kind of blank as None."""
    if value is None or (isinstance(value, float) and value != value):
        return None
    return value.item() if hasattr(value, "item") else value


@transaction.atomic
def finish_experiment(*, experiment: Experiment, metrics: dict[str, Any], model_digest: str) -> None:
    """Import a finished run folder. Importing twice leaves the same rows."""
    folder = model_folder(experiment)
    patients = dict(Patient.objects.values_list("study_id", "pk"))
    PatientResult.objects.filter(experiment=experiment).delete()
    rows = []
    for name, split in (("oof.csv", PatientResult.Split.CROSS_VALIDATION), ("test.csv", PatientResult.Split.TEST)):
        for line in _read_csv(folder / name):
            fold = int(line["fold"]) if line.get("fold") else None
            rows.append(
                PatientResult(
                    experiment=experiment,
                    patient_id=patients[line["patient"]],
                    arm=line["arm"],
                    split=split,
                    fold=fold,
                    probability=float(line["probability"]),
                )
            )
    PatientResult.objects.bulk_create(rows)
    experiment.metrics = metrics
    experiment.model_digest = model_digest
    experiment.finished_at = timezone.now()
    experiment.save()
    record(actor=None, action="finish_experiment", target=experiment, changes={"model": [None, model_digest]})
    # Patients whom the run has not seen get a prediction by the new model.
    for patient in Patient.objects.exclude(results__experiment=experiment):
        announce(patient)


def _read_csv(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
