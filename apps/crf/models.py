"""The case report form: values as events, and the form's current state derived from them."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class CrfForm(models.Model):
    """The current values of one patient's form: what replaying his CrfValue events gives, kept for fast reading.

    `version` counts the saves; who saves names the version that he read, so that nobody overwrites another's entry.
    """

    patient = models.OneToOneField("patients.Patient", on_delete=models.PROTECT, related_name="form")
    dictionary_version = models.CharField(max_length=20)
    values = models.JSONField(default=dict)
    version = models.PositiveIntegerField(default=0)
    # Every required variable that applies has a value.
    is_complete = models.BooleanField(default=False)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["is_complete"])]

    def __str__(self) -> str:
        return f"form of {self.patient_id}, version {self.version}"


class CrfValue(models.Model):
    """One value entered once. Rows are added and never changed; a correction is a further row."""

    form = models.ForeignKey(CrfForm, on_delete=models.PROTECT, related_name="events")
    variable = models.CharField(max_length=60)
    # null: the value was cleared.
    value = models.JSONField(null=True)
    form_version = models.PositiveIntegerField()
    dictionary_version = models.CharField(max_length=20)
    recorded_at = models.DateTimeField(default=timezone.now)
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["form_version", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["form", "variable", "form_version"], name="crf_value_once_a_save")
        ]

    def __str__(self) -> str:
        return f"{self.variable} (save {self.form_version})"


# Django looks for models here alone.
from apps.crf.queries.models import Query, QueryMessage, RuleRun  # noqa: E402

__all__ = ["CrfForm", "CrfValue", "Query", "QueryMessage", "RuleRun"]
