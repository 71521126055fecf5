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
    job = models.OneToOneField("core.Job", on_delete=models.PROTECT, null=True, related_name="experiment")
    # Empty until the run has ended; metrics.json of the run folder.
    metrics = models.JSONField(default=dict)
    model_digest = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"experiment {self.pk}"

    @property
    def is_finished(self) -> bool:
        return self.finished_at is not None

    @property
    def run_folder(self) -> str:
        return f"experiment-{self.pk}"


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
