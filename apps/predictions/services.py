"""Asking for a prediction when a patient's data allow one, and writing it down."""

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.core import jobs
from apps.core.errors import Refusal
from apps.core.models import Job
from apps.crf.models import CrfForm
from apps.experiments.models import PatientResult
from apps.experiments.selectors import asks_as_now, serving_experiment
from apps.imaging.models import Series
from apps.imaging.selectors import current_series
from apps.patients.blinding import require_on
from apps.patients.models import Patient
from apps.predictions.models import Prediction
from ml import inference


def schedule_prediction(patient: Patient) -> Prediction | None:
    """Queue a prediction if there are a model and a preprocessed CT, and this input has none yet.

    None comes of a model whose clinical inputs mean something else by now (another version of the data dictionary).
    A patient of the model's own training data gets none: he has a cross-validated result by models that never saw
    him, and the mean of all fold models would flatter it.
    """
    from apps.predictions.tasks import predict

    experiment = serving_experiment()
    if experiment is None:
        return None
    series = current_series(patient)
    if series is None or series.state != Series.State.READY:
        return None
    if not asks_as_now(experiment):
        return None
    if PatientResult.objects.filter(experiment=experiment, patient=patient).exists():
        return None
    form = CrfForm.objects.filter(main_of=patient).first()
    try:
        with transaction.atomic():
            prediction, created = Prediction.objects.get_or_create(
                patient=patient, experiment=experiment, series=series, form_version=form.version if form else 0
            )
            if created:
                prediction.job = predict.enqueue(prediction_id=prediction.pk)
                prediction.save(update_fields=["job"])
    except IntegrityError:  # another process was quicker
        return None
    return prediction if created else None


def engine_of(result: "inference.Prediction") -> str:
    """Say in a few words what computed a prediction."""
    return f"{result.engine}, {'/'.join(sorted(set(result.precision)))}"


@transaction.atomic
def save_prediction(*, prediction: Prediction, result: "inference.Prediction", tensor: str) -> None:
    """Write what the model said of an image; what has been written is not written again."""
    locked = Prediction.objects.select_for_update().get(pk=prediction.pk)
    if locked.probability is not None:
        return
    locked.arm = result.arm
    locked.probability = result.probability
    locked.per_fold = list(result.per_fold)
    locked.gate_mean = result.gate_mean
    locked.missing = list(result.missing)
    locked.tensor = tensor
    locked.engine = engine_of(result)
    locked.save(update_fields=["arm", "probability", "per_fold", "gate_mean", "missing", "tensor", "engine"])
    record(
        actor=None,
        action="predict",
        target=locked,
        center=prediction.patient.center,
        changes={"experiment": [None, locked.experiment_id]},
    )


@transaction.atomic
def retry_prediction(*, actor: User, prediction: Prediction) -> None:
    """Queue a failed prediction again."""
    require_on(actor, Permission.VIEW_PREDICTIONS, prediction.patient)
    # The lock lets one of two clicks at the same moment through.
    job = Job.objects.select_for_update().filter(prediction=prediction).first()
    if job is None or job.state != Job.State.FAILED:
        raise Refusal("not_failed", _("Only a failed job can be tried again."), status=409)
    record(actor=actor, action="retry_prediction", target=prediction, center=prediction.patient.center)
    jobs.retry(job)
