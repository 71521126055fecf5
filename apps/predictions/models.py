"""Predictions for patients who were not in the training data, each with what it was computed from."""

from pathlib import PurePosixPath
from typing import ClassVar

from django.db import models
from django.utils import timezone


class Prediction(models.Model):
    """The probability of a poor outcome (GOS 1-3) at discharge, from the mean of the fold models."""

    patient = models.ForeignKey("patients.Patient", on_delete=models.PROTECT, related_name="predictions")
    experiment = models.ForeignKey("experiments.Experiment", on_delete=models.PROTECT, related_name="predictions")
    series = models.ForeignKey("imaging.Series", on_delete=models.PROTECT, related_name="predictions")
    form_version = models.PositiveIntegerField()
    job = models.OneToOneField("core.Job", on_delete=models.PROTECT, null=True, related_name="prediction")
    created_at = models.DateTimeField(default=timezone.now)

    # Empty until the worker has computed it.
    arm = models.CharField(max_length=20, blank=True)
    probability = models.FloatField(null=True)
    per_fold = models.JSONField(default=list)
    gate_mean = models.FloatField(null=True)
    # Names of the form's variables for want of which the fusion model could not be used.
    missing = models.JSONField(default=list)
    # The stored image that was used; the series may be preprocessed anew by a later version of the program.
    tensor = models.CharField(max_length=80, blank=True)
    # What computed it, such as "OpenVINO 2026.4.1, bf16": another engine's digits differ in the fourth place.
    engine = models.CharField(max_length=80, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["patient", "experiment", "series", "form_version"], name="prediction_once_an_input"
            )
        ]

    def __str__(self) -> str:
        return f"prediction {self.pk}"

    @property
    def tensor_sha256(self) -> str:
        """Digest of the image, by which it is stored."""
        return PurePosixPath(self.tensor).stem
