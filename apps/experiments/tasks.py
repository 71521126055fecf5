"""Training on workers of the `training` queue: a run is prepared, its cells are trained, the whole is finished."""

import time

from apps.core.jobs import JobHandle, durable_task
from apps.experiments import services
from apps.experiments.curves import record_epoch
from apps.experiments.models import Cell, Experiment
from apps.experiments.registry import announce_unseen
from apps.experiments.selectors import serving_experiment
from ml import comparators, inference, training

STAGES = {"verify": "Reading images", "split": "Splitting patients", "evaluate": "Evaluating", "done": "Done"}
# Events of the same stage, such as those of single images, are passed on no faster than this.
SECONDS_BETWEEN_REPORTS = 1.0


@durable_task(queue="training")
def train(job: JobHandle, *, experiment_id: int) -> None:
    """Bring the images, draw the splits, and queue a job for each cell."""
    experiment = Experiment.objects.select_related("snapshot").get(pk=experiment_id)
    if experiment.is_finished:
        return
    job.report("Collecting images", 0.0)
    manifest = services.write_inputs(experiment)
    folder, config = services.model_folder(experiment), services.config_of_run(experiment)
    cells = training.prepare_run(manifest, folder, config, _Reporter(job, experiment))
    services.queue_cells(experiment, cells)


@durable_task(queue="training")
def train_cell(job: JobHandle, *, experiment_id: int, arm: training.Arm, fold: int, inner: int) -> None:
    """Train one cell from its last checkpoint; the last one to end has the run finished."""
    cell = Cell.objects.select_related("experiment__snapshot").get(
        experiment_id=experiment_id, arm=arm, fold=fold, inner=inner
    )
    experiment = cell.experiment
    if cell.finished_at is not None:
        return
    job.report("Collecting images", 0.0)
    # Another machine than the one that prepared the run may have the folder without its images.
    manifest = services.write_inputs(experiment)
    folder, config = services.model_folder(experiment), services.config_of_run(experiment)
    key = training.CellKey(arm, fold, inner)
    training.train_cell(manifest, folder, config, key, _Reporter(job, experiment))
    services.finish_cell(cell)


@durable_task(queue="training")
def finish(job: JobHandle, *, experiment_id: int) -> None:
    """Evaluate a trained run, import its results, and have the other patients predicted if it serves."""
    experiment = Experiment.objects.select_related("snapshot").get(pk=experiment_id)
    if not experiment.is_finished and not _finish(job, experiment):
        return
    _have_predicted(experiment)


@durable_task(queue="imaging")
def predict_unseen(job: JobHandle, *, experiment_id: int) -> None:
    """Have every patient predicted whom a model that was put into service has not seen."""
    _have_predicted(Experiment.objects.get(pk=experiment_id))


def _have_predicted(experiment: Experiment) -> None:
    if serving_experiment() == experiment:
        announce_unseen(experiment)


def _finish(job: JobHandle, experiment: Experiment) -> bool:
    """Evaluate and import; cells whose files were lost or damaged are queued again instead."""
    job.report("Evaluating", 0.0)
    manifest = services.write_inputs(experiment)
    folder, config = services.model_folder(experiment), services.config_of_run(experiment)
    missing = training.unfinished_cells(manifest, folder, config)
    if missing:
        services.queue_again(experiment, missing)
        return False
    metrics = training.finish_run(manifest, folder, config)
    job.report("Comparing with plain models", 0.3)
    metrics |= {"comparators": comparators.run_comparators(manifest, folder, config)}
    card = inference.load_model(folder).card
    services.finish_experiment(experiment=experiment, metrics=metrics, card=card)
    return True


class _Reporter:
    """Passes the events of the training loop on to the job, and writes the epochs down."""

    def __init__(self, job: JobHandle, experiment: Experiment) -> None:
        self._job, self._experiment = job, experiment
        self._shown = ""
        self._at = 0.0

    def __call__(self, event: training.Event) -> None:
        record_epoch(self._experiment, event)
        text, now = describe(event, nested=self._experiment.is_nested), time.monotonic()
        if text != self._shown or now - self._at >= SECONDS_BETWEEN_REPORTS:
            self._job.report(text, event.progress)
            self._shown, self._at = text, now


def describe(event: training.Event, *, nested: bool = False) -> str:
    """Say an event of the training loop in a few words."""
    if event.arm is None:
        return STAGES.get(event.stage, event.stage)
    fold = f"{event.fold}-{event.inner}" if nested else event.fold
    where = f"{event.arm} model, fold {fold}"
    if event.stage == "memory":
        return f"{where}: {event.sentence}"
    # The end of a fold names its best epoch, which would look like a step back.
    return f"{where}, epoch {event.epoch}" if event.stage == "train" else where
