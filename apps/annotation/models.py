"""Hematoma masks: versions that are added and never changed, each with what was measured of it."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class Mask(models.Model):
    """One version of the hematoma mask of a series, kept as labels on the series' own slices."""

    series = models.ForeignKey("imaging.Series", on_delete=models.PROTECT, related_name="masks")
    # Denormalized for scoping: series.patient.
    patient = models.ForeignKey("patients.Patient", on_delete=models.PROTECT, related_name="masks")
    version = models.PositiveIntegerField()
    # Storage name of the labels: npz with one uint8 array (y, x) a slice, so that one slice is read cheaply.
    file = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    volume_ml = models.DecimalField(max_digits=8, decimal_places=2)
    abc2_ml = models.DecimalField(max_digits=8, decimal_places=2)
    # Area of the mask on each slice in mm2.
    slice_areas_mm2 = models.JSONField(default=list)
    # See ml.hematoma.lateral_extent_mm; empty until it is measured, as in masks of earlier times.
    lateral_mm = models.JSONField(default=list)
    # Shape and density by the names of ml.hematoma.FEATURES, and the version of the program that measured them: empty
    # and 0 until the CT's densities could be read.
    features = models.JSONField(default=dict)
    features_version = models.PositiveSmallIntegerField(default=0)
    # What measures them where they lack, or anew where the version is not today's.
    job = models.OneToOneField("core.Job", on_delete=models.PROTECT, null=True, related_name="mask")
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["series", "-version"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["series", "version"], name="mask_version_once"),
            models.CheckConstraint(condition=models.Q(volume_ml__gt=0), name="mask_not_empty"),
        ]

    def __str__(self) -> str:
        return f"mask version {self.version}"
