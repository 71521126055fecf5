"""Starting a training run, and writing down what came of it."""

import csv
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.access import require_everywhere
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.cohorts.selectors import load_included_rows
from apps.cohorts.services import freeze_snapshot
from apps.cohorts.table import Row, build_rows, included
from apps.core import jobs, store
from apps.core.errors import Refusal
from apps.core.models import Job
from apps.crf.selectors import model_features
from apps.experiments.models import Cell, Experiment, PatientResult
from apps.experiments.progress import jobs_of
from apps.experiments.registry import begin_first_term
from apps.patients.models import Patient
from ml.hematoma import FEATURES
from ml.preprocessing import PREPROCESSING_VERSION
from ml.scores import SCORES
from ml.training import Case, Feature, Manifest, TrainingConfig, write_manifest

if TYPE_CHECKING:
    from ml.training import CellKey, ModelCard

# With fewer of either outcome a fold can be left without one of them.
MIN_PER_OUTCOME_AND_FOLD = 2


def start_experiment(*, actor: User, name: str, config: TrainingConfig) -> Experiment:
    """Freeze the cohort and queue a cross-validation on it; a cohort that cannot be trained on is not frozen."""
    from apps.experiments.tasks import train

    require_everywhere(actor, Permission.RUN_EXPERIMENTS)
    rows = build_rows()
    _check_size(included(rows), config)
    _preprocessing_of(included(rows))
    snapshot = freeze_snapshot(actor=actor, rows=rows)
    with transaction.atomic():
        experiment = Experiment.objects.create(
            name=name.strip(), snapshot=snapshot, config=config.model_dump(mode="json"), created_by=actor
        )
        experiment.job = train.enqueue(experiment_id=experiment.pk)
        experiment.save(update_fields=["job"])
        record(actor=actor, action="start_experiment", target=experiment, changes={"snapshot": [None, snapshot.digest]})
    return experiment


def _check_size(rows: list[Row], config: TrainingConfig) -> None:
    poor = sum(row["poor_outcome"] for row in rows)
    favorable = len(rows) - poor
    needed = MIN_PER_OUTCOME_AND_FOLD * (config.folds + 1)
    if min(poor, favorable) < needed:
        raise Refusal(
            "too_few_patients",
            _(
                "Training needs at least %(needed)d patients of each outcome with CT, mask and complete form; "
                "%(poor)d with a poor and %(favorable)d with a favorable outcome are ready."
            )
            % {"needed": needed, "poor": poor, "favorable": favorable},
            status=409,
        )


def _preprocessing_of(rows: list[Row]) -> str:
    """Return the version that made all the images; a model of others could not be used by this installation."""
    if {row["preprocessing_version"] for row in rows} != {PREPROCESSING_VERSION}:
        raise Refusal(
            "mixed_preprocessing",
            _("Some CTs were preprocessed by another version of the program. Preprocess them again, then train."),
            status=409,
        )
    return PREPROCESSING_VERSION


@transaction.atomic
def retry_experiment(*, actor: User, experiment: Experiment) -> None:
    """Queue the failed jobs of a run again; they go on from their last checkpoints."""
    require_everywhere(actor, Permission.RUN_EXPERIMENTS)
    # The lock lets one of two clicks at the same moment through.
    locked = Experiment.objects.select_for_update(of=("self",)).get(pk=experiment.pk)
    failed = [job for job in jobs_of(locked) if job.state == Job.State.FAILED]
    if not failed:
        raise Refusal("not_failed", _("Only a failed run can be tried again."), status=409)
    record(actor=actor, action="retry_experiment", target=experiment)
    for job in failed:
        jobs.retry(job)


@transaction.atomic
def stop_experiment(*, actor: User, experiment: Experiment) -> None:
    """End the jobs of a run that wait or work; what they have trained stays, and a retry goes on from there."""
    require_everywhere(actor, Permission.RUN_EXPERIMENTS)
    numbers = [job.pk for job in jobs_of(experiment)]
    stopped = jobs.stop(
        Job.objects.filter(pk__in=numbers),
        failure=_("Stopped by a person. Try again to go on from the last finished epoch."),
    )
    if not stopped:
        raise Refusal("not_running", _("This run has ended; there is nothing to stop."), status=409)
    record(actor=actor, action="stop_experiment", target=experiment)


def config_of_run(experiment: Experiment) -> TrainingConfig:
    """Return the configuration that a run was started with."""
    return TrainingConfig.model_validate(experiment.config)


def queue_cells(experiment: Experiment, keys: "Iterable[CellKey]") -> None:
    """Queue a job for each cell that has none; the order is that in which one worker would train them."""
    from apps.experiments.tasks import train_cell

    with transaction.atomic():
        locked = Experiment.objects.select_for_update(of=("self",)).get(pk=experiment.pk)
        known = {(cell.arm, cell.fold, cell.inner) for cell in locked.cells.all()}
        for arm, fold, inner in keys:
            if (arm, fold, inner) not in known:
                job = train_cell.enqueue(experiment_id=locked.pk, arm=arm, fold=fold, inner=inner)
                Cell.objects.create(experiment=locked, arm=arm, fold=fold, inner=inner, job=job)


def finish_cell(cell: Cell) -> None:
    """Write down that a cell is trained; with the last one of its run, queue the finishing."""
    from apps.experiments.tasks import finish

    with transaction.atomic():
        # Of two cells that end at the same moment, the second to get the lock sees the first.
        experiment = Experiment.objects.select_for_update(of=("self",)).get(pk=cell.experiment_id)
        if not Cell.objects.filter(pk=cell.pk, finished_at=None).update(finished_at=timezone.now()):
            return
        if not experiment.cells.filter(finished_at=None).exists():
            experiment.finishing = finish.enqueue(experiment_id=experiment.pk)
            experiment.save(update_fields=["finishing"])


def queue_again(experiment: Experiment, keys: "Iterable[CellKey]") -> None:
    """Have cells trained again whose files were lost or damaged after they had ended."""
    with transaction.atomic():
        for arm, fold, inner in keys:
            cell = experiment.cells.select_related("job").get(arm=arm, fold=fold, inner=inner)
            Cell.objects.filter(pk=cell.pk).update(finished_at=None)
            jobs.retry(cell.job, though_done=True)


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
    rows = load_included_rows(experiment.snapshot)
    features = [Feature.model_validate(feature) for feature in model_features(experiment.snapshot.dictionary_version)]
    manifest = Manifest(
        snapshot_digest=experiment.snapshot.digest,
        preprocessing_version=_preprocessing_of(rows),
        features=tuple(features),
        cases=tuple(_case(row, features) for row in rows),
    )
    for row, case in zip(rows, manifest.cases, strict=True):
        _bring(row["tensor"], folder / case.image)
    write_manifest(manifest, folder / "manifest.json")
    return folder / "manifest.json"


def _case(row: Row, features: Iterable[Feature]) -> Case:
    # A snapshot from before hematomas were measured has no such columns.
    hematoma = {name: row.get(f"hematoma_{name}") for name in FEATURES}
    return Case(
        id=row["study_id"],
        patient=row["study_id"],
        center=row["center"],
        label=1 if row["poor_outcome"] else 0,
        image=f"images/{row['tensor_sha256']}.npy",
        image_sha256=row["tensor_sha256"],
        clinical={feature.name: row[f"crf_{feature.name}"] for feature in features},
        hematoma=None if None in hematoma.values() else hematoma,
        scores={key: row.get(f"score_{key}") for key in SCORES},
    )


def _bring(name: str, path: Path) -> None:
    """Put a stored file at a path: where the store is a folder on the same disk as a second name, else as a copy."""
    if path.exists():
        return
    try:
        path.hardlink_to(default_storage.path(name))
    except (NotImplementedError, OSError):
        # A name of its own: several workers may bring it at the same time.
        partial = path.with_suffix(f".{secrets.token_hex(4)}.part")
        partial.write_bytes(store.get(name))
        partial.rename(path)


def finish_experiment(*, experiment: Experiment, metrics: dict[str, Any], card: "ModelCard") -> None:
    """Import a finished run folder; what has been imported is not imported again.

    The first model that a study trains begins to serve by itself; each later one waits for a person to promote it.
    """
    rows = _read_results(experiment)
    with transaction.atomic():
        locked = Experiment.objects.select_for_update().get(pk=experiment.pk)
        if locked.is_finished:
            return
        PatientResult.objects.bulk_create(rows)
        locked.metrics = metrics
        locked.card = card.model_dump(mode="json")
        locked.model_digest = card.digest
        locked.finished_at = timezone.now()
        locked.save(update_fields=["metrics", "card", "model_digest", "finished_at"])
        record(actor=None, action="finish_experiment", target=locked, changes={"model": [None, card.digest]})
        begin_first_term(locked)


def _read_results(experiment: Experiment) -> list[PatientResult]:
    patients = dict(Patient.objects.values_list("study_id", "pk"))
    return [
        PatientResult(
            experiment=experiment,
            patient_id=patients[line["patient"]],
            arm=line["arm"],
            split=split,
            fold=int(line["fold"]) if line.get("fold") else None,
            probability=float(line["probability"]),
        )
        for name, split in (("oof.csv", PatientResult.Split.CROSS_VALIDATION), ("test.csv", PatientResult.Split.TEST))
        for line in _read_csv(model_folder(experiment) / name)
    ]


def _read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
