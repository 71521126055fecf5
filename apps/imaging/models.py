"""DICOM as it is kept here: studies, series and instances without identity, under replacement UIDs."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class ImagingStudy(models.Model):
    """A DICOM study (one examination). The UID is a replacement made from the original with this site's key."""

    patient = models.ForeignKey("patients.Patient", on_delete=models.PROTECT, related_name="imaging_studies")
    study_instance_uid = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["patient", "study_instance_uid"], name="imaging_study_once")
        ]

    def __str__(self) -> str:
        return f"imaging study {self.pk}"


class Series(models.Model):
    """One CT series: where it lies in space, and what preprocessing made of it."""

    class State(models.TextChoices):
        RECEIVED = "received", _("received")
        READY = "ready", _("ready")
        FAILED = "failed", _("not usable")

    study = models.ForeignKey(ImagingStudy, on_delete=models.PROTECT, related_name="series")
    # Denormalized for scoping: study.patient.
    patient = models.ForeignKey("patients.Patient", on_delete=models.PROTECT, related_name="series")
    series_instance_uid = models.CharField(max_length=64, unique=True)
    # SHA-256 over the pixels and positions of all slices: the same scan has the same digest whatever its UIDs.
    digest = models.CharField(max_length=64)
    geometry = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State, default=State.RECEIVED)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField(default=timezone.now)
    job = models.OneToOneField("core.Job", on_delete=models.PROTECT, null=True, related_name="series")

    preprocessing_version = models.CharField(max_length=20, blank=True)
    preprocessing_report = models.JSONField(default=dict)
    # Storage name and SHA-256 of the preprocessed image (npy, float16, 80 x 192 x 192).
    tensor = models.CharField(max_length=200, blank=True)
    tensor_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering: ClassVar = ["-uploaded_at"]
        verbose_name_plural = "series"
        constraints: ClassVar = [models.UniqueConstraint(fields=["patient", "digest"], name="series_once_a_patient")]

    def __str__(self) -> str:
        return f"series {self.pk}"

    @property
    def slice_count(self) -> int:
        return int(self.geometry.get("slices", 0))

    @property
    def findings(self) -> list[dict[str, Any]]:
        return list(self.preprocessing_report.get("findings", []))


class Instance(models.Model):
    """One slice: its file in the store and its place in the series, counted from the foot."""

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="instances")
    sop_instance_uid = models.CharField(max_length=64, unique=True)
    index = models.PositiveIntegerField()
    file = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)

    class Meta:
        ordering: ClassVar = ["index"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["series", "index"], name="instance_place_once")]

    def __str__(self) -> str:
        return f"slice {self.index}"
