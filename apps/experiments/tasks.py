"""Training on a worker of the `training` queue."""

import time

from apps.core.jobs import JobHandle, durable_task
from apps.experiments import services
from apps.experiments.curves import record_epoch
from apps.experiments.models import Experiment
from apps.experiments.registry import announce_unseen
from apps.experiments.selectors import serving_experiment
from ml import comparators, inference, training

STAGES = {"verify": "Reading images", "split": "Splitting patients", "evaluate": "Evaluating", "done": "Done"}
# Events of the same stage, such as those of single images, are passed on no faster than this.
SECONDS_BETWEEN_REPORTS = 1.0


@durable_task(queue="training")
def train(job: JobHandle, *, experiment_id: int) -> None:
    """Run or continue a cross-validation, import its results, and have the other patients predicted if it serves."""
    experiment = Experiment.objects.select_related("snapshot").get(pk=experiment_id)
    if not experiment.is_finished:
        _run(job, experiment)
    _have_predicted(experiment)


@durable_task(queue="imaging")
def predict_unseen(job: JobHandle, *, experiment_id: int) -> None:
    """Have every patient predicted whom a model that was put into service has not seen."""
    _have_predicted(Experiment.objects.get(pk=experiment_id))


def _have_predicted(experiment: Experiment) -> None:
    if serving_experiment() == experiment:
        announce_unseen(experiment)


def _run(job: JobHandle, experiment: Experiment) -> None:
    job.report("Collecting images", 0.0)
    manifest = services.write_inputs(experiment)
    folder = services.model_folder(experiment)
    config = training.TrainingConfig.model_validate(experiment.config)
    metrics = training.run_cross_validation(manifest, folder, config, _Reporter(job, experiment))
    job.report("Comparing with plain models", 1.0)
    metrics |= {"comparators": comparators.run_comparators(manifest, folder, config)}
    card = inference.load_model(folder).card
    services.finish_experiment(experiment=experiment, metrics=metrics, card=card)


class _Reporter:
    """Passes the events of the training loop on to the job, and writes the epochs down."""

    def __init__(self, job: JobHandle, experiment: Experiment) -> None:
        self._job, self._experiment = job, experiment
        self._shown = ""
        self._at = 0.0

    def __call__(self, event: training.Event) -> None:
        record_epoch(self._experiment, event)
        text, now = describe(event), time.monotonic()
        if text != self._shown or now - self._at >= SECONDS_BETWEEN_REPORTS:
            self._job.report(text, event.progress)
            self._shown, self._at = text, now


def describe(event: training.Event) -> str:
    """Say an event of the training loop in a few words."""
    if event.arm is None:
        return STAGES.get(event.stage, event.stage)
    where = f"{event.arm} model, fold {event.fold}"
    if event.stage == "memory":
        return f"{where}: {event.sentence}"
    # The end of a fold names its best epoch, which would look like a step back.
    return f"{where}, epoch {event.epoch}" if event.stage == "train" else where
