"""Training on a worker of the `training` queue."""

from django.utils.translation import gettext as _

from apps.core.jobs import JobHandle, durable_task
from apps.experiments import services
from apps.experiments.models import Experiment
from ml.inference import load_model
from ml.training import Event, TrainingConfig, run_cross_validation

STAGES = {"verify": "Reading images", "split": "Splitting patients", "evaluate": "Evaluating", "done": "Done"}


@durable_task(queue="training")
def train(job: JobHandle, *, experiment_id: int) -> None:
    """Run or continue a cross-validation, then import its results."""
    experiment = Experiment.objects.select_related("snapshot").get(pk=experiment_id)
    if experiment.is_finished:
        return
    job.report("Collecting images", 0.0)
    manifest = services.write_inputs(experiment)
    folder = services.model_folder(experiment)
    config = TrainingConfig.model_validate(experiment.config)
    metrics = run_cross_validation(manifest, folder, config, lambda event: job.report(describe(event), event.progress))
    model = load_model(folder)
    services.finish_experiment(experiment=experiment, metrics=metrics, model_digest=model.digest)


def describe(event: Event) -> str:
    """Say an event of the training loop in a few words."""
    if event.arm is None:
        return STAGES.get(event.stage, event.stage)
    where = _("%(arm)s model, fold %(fold)s") % {"arm": event.arm, "fold": event.fold}
    return f"{where}, " + _("epoch %(epoch)s") % {"epoch": event.epoch} if event.epoch else where
