"""Patients: a pseudonymous study id in a center, and nothing that names a person."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class Patient(models.Model):
    """One enrolled patient. Everything else (CRF, CT, mask, prediction) points here."""

    study_id = models.CharField(max_length=20, unique=True)
    center = models.ForeignKey("accounts.Center", on_delete=models.PROTECT, related_name="patients")
    enrolled_at = models.DateTimeField(default=timezone.now)
    enrolled_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar = ["study_id"]
        indexes: ClassVar = [models.Index(fields=["center", "study_id"])]

    def __str__(self) -> str:
        return self.study_id
