"""Experiments: one cross-validation on one snapshot, and what it predicted for each patient."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class Experiment(models.Model):
    """A training run. Its folder below RUNS_DIR holds configuration, splits, checkpoints and metrics."""

    name = models.CharField(max_length=120)
    snapshot = models.ForeignKey("cohorts.Snapshot", on_delete=models.PROTECT, related_name="experiments")
    config = models.JSONField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    # Prepares the run and queues its cells; the last cell that ends queues the finishing.
    job = models.OneToOneField("core.Job", on_delete=models.PROTECT, null=True, related_name="experiment")
    finishing = models.OneToOneField("core.Job", on_delete=models.PROTECT, null=True, related_name="+")
    # Empty until the run has ended; metrics.json of the run folder.
    metrics = models.JSONField(default=dict)
    # model.json of the run folder: features, configuration, versions, and the digest of each weight file.
    card = models.JSONField(default=dict)
    model_digest = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"experiment {self.pk}"

    @property
    def is_finished(self) -> bool:
        return self.finished_at is not None

    @property
    def is_nested(self) -> bool:
        return bool(self.config.get("inner_folds", 1) > 1)

    @property
    def run_folder(self) -> str:
        return f"experiment-{self.pk}"


class ServingTerm(models.Model):
    """A time in which the model of one run is in service: it predicts, and its results are shown.

    Terms are begun and ended, never changed or deleted: they say which model answered on which day, and why.
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.PROTECT, related_name="terms")
    began_at = models.DateTimeField(default=timezone.now)
    # Empty where the study's first model began to serve by itself.
    began_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=300, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    # Of a model that was retired; one that made way for another has the other's reason.
    end_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar = ["-began_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                models.lookups.IsNull(models.F("ended_at"), True),
                condition=models.Q(ended_at__isnull=True),
                name="serving_term_one_open",
            )
        ]

    def __str__(self) -> str:
        return f"service of experiment {self.experiment_id}"


class Cell(models.Model):
    """One network of a run (arm x outer fold x inner fold): a job of its own, for any worker that trains."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="cells")
    arm = models.CharField(max_length=20)
    fold = models.PositiveSmallIntegerField()
    inner = models.PositiveSmallIntegerField()
    job = models.OneToOneField("core.Job", on_delete=models.PROTECT, related_name="+")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["experiment", "arm", "fold", "inner"], name="cell_once")
        ]

    def __str__(self) -> str:
        return f"{self.arm} cell {self.fold}-{self.inner}"


class Epoch(models.Model):
    """One epoch of one cell of a run, as it was when it ended."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="epochs")
    arm = models.CharField(max_length=20)
    fold = models.PositiveSmallIntegerField()
    inner = models.PositiveSmallIntegerField(default=1)
    number = models.PositiveSmallIntegerField()
    train_loss = models.FloatField(null=True)
    # Of the inner validation patients, who decide when to stop.
    validation_loss = models.FloatField()
    validation_auc = models.FloatField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["experiment", "arm", "fold", "inner", "number"], name="epoch_once")
        ]

    def __str__(self) -> str:
        return f"epoch {self.number} of {self.arm}, fold {self.fold}-{self.inner}"


# The model that stands first where one is shown: the most that is known of a patient, then the CT, then the form.
ARM_ORDER = ("fusion", "imaging", "clinical")


class PatientResult(models.Model):
    """What a run says of one patient by models that never saw him: out of fold, or in the test split."""

    class Split(models.TextChoices):
        CROSS_VALIDATION = "cv", "cross-validation"
        TEST = "test", "test"

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="results")
    patient = models.ForeignKey("patients.Patient", on_delete=models.PROTECT, related_name="results")
    arm = models.CharField(max_length=20)
    split = models.CharField(max_length=4, choices=Split)
    fold = models.PositiveSmallIntegerField(null=True)
    probability = models.FloatField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["experiment", "patient", "arm"], name="patient_result_once"),
            models.CheckConstraint(
                condition=models.Q(probability__gte=0, probability__lte=1), name="patient_result_probability"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.arm} result of {self.patient_id}"
