"""Predictions for patients who were not in the training data, and explanations, each with what it was computed from."""

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
    # What computed it, such as "openvino 2026.4.1, graph 3, bf16": another engine's digits differ in the fourth place.
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


class Explanation(models.Model):
    """What the models looked at for the number that is shown as a patient's prognosis; computed when a person asks."""

    patient = models.ForeignKey("patients.Patient", on_delete=models.PROTECT, related_name="explanations")
    experiment = models.ForeignKey("experiments.Experiment", on_delete=models.PROTECT, related_name="explanations")
    series = models.ForeignKey("imaging.Series", on_delete=models.PROTECT, related_name="explanations")
    # The stored image from which the prognosis was computed.
    tensor = models.CharField(max_length=80)
    form_version = models.PositiveIntegerField()
    arm = models.CharField(max_length=20)
    # Of a patient of the cross-validation: the fold whose models never saw him, and which alone are explained.
    fold = models.PositiveSmallIntegerField(null=True)
    # The prognosis, as it is shown; the explanation is refused where its own models say something else.
    probability = models.FloatField()
    job = models.OneToOneField("core.Job", on_delete=models.PROTECT, null=True, related_name="explanation")
    created_at = models.DateTimeField(default=timezone.now)

    # Empty until the worker has computed it.
    method = models.CharField(max_length=200, blank=True)
    gate_mean = models.FloatField(null=True)
    # The log-odds with the form of a typical training patient, to which the contributions add up.
    baseline_logit = models.FloatField(null=True)
    # [{"feature", "value", "logit"}], the largest share first.
    contributions = models.JSONField(default=list)
    # The map on the CT's own slices (apps/predictions/heatmap.py); none of a model that does not read the CT.
    file = models.CharField(max_length=80, blank=True)
    # Part of the map's mass on each slice, foot to head.
    slice_shares = models.JSONField(default=list)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["patient", "experiment", "tensor", "form_version"], name="explanation_once_an_input"
            )
        ]

    def __str__(self) -> str:
        return f"explanation {self.pk}"

    @property
    def is_ready(self) -> bool:
        """The worker has computed it."""
        return bool(self.method)

    @property
    def tensor_sha256(self) -> str:
        """Digest of the image, by which it is stored."""
        return PurePosixPath(self.tensor).stem

    @property
    def has_map(self) -> bool:
        """There is a map, and the CT still has the slices on which it lies."""
        return bool(self.file) and self.series.tensor == self.tensor

    @property
    def map_sha256(self) -> str:
        """Digest of the map's file, by which it is stored."""
        return PurePosixPath(self.file).stem
