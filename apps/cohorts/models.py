"""Snapshots: the frozen cohort that every analysis and every training run names. Exports: files for other programs."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class Snapshot(models.Model):
    """An immutable table of patients (Parquet in the store), known by its SHA-256."""

    digest = models.CharField(max_length=64, unique=True)
    file = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    dictionary_version = models.CharField(max_length=20)
    patient_count = models.PositiveIntegerField()
    included_count = models.PositiveIntegerField()
    # {reason: number of patients}; selectors.exclusions_of has them in order, which PostgreSQL's JSON does not keep.
    exclusions = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"snapshot {self.digest[:12]}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise TypeError("A snapshot is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("A snapshot is never deleted.")


class Export(models.Model):
    """The forms of some centers as files, made for the person who asked, and kept with who, when and why."""

    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="exports")
    created_at = models.DateTimeField(default=timezone.now)
    # Codes of the centers whose patients are in it.
    centers = models.JSONField()
    purpose = models.CharField(max_length=300)
    # Of the labels.
    language = models.CharField(max_length=10)
    job = models.OneToOneField("core.Job", on_delete=models.PROTECT, null=True, related_name="export")

    # Empty until the worker has written it.
    file = models.CharField(max_length=80, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.PositiveBigIntegerField(default=0)
    patient_count = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"export {self.pk}"

    @property
    def is_ready(self) -> bool:
        return bool(self.file)
