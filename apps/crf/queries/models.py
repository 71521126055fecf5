"""A query, its thread, and the runs of the rules."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Query(models.Model):
    """A question about a value. One that a rule opened exists once for each form, rule and variable."""

    class State(models.TextChoices):
        OPEN = "open", _("open")
        ANSWERED = "answered", _("answered")
        CLOSED = "closed", _("closed")

    patient = models.ForeignKey("patients.Patient", on_delete=models.PROTECT, related_name="queries")
    form = models.ForeignKey("crf.CrfForm", on_delete=models.PROTECT, related_name="queries")
    # Blank for a question about the form as a whole.
    variable = models.CharField(max_length=60, blank=True)
    # "range", or "inconsistent.coma_fits_gcs" where a rule has several checks; blank for a person's question.
    rule = models.CharField(max_length=80, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    # The values that it was opened about, by variable.
    about = models.JSONField(default=dict)
    # What else the rule saw then, such as the median of the cohort.
    facts = models.JSONField(default=dict)
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    assigned_to = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    # The last opening: a query that is reopened ages from then.
    opened_at = models.DateTimeField(default=timezone.now)
    answered_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    # Who found the value right; null where a correction closed it.
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering: ClassVar = ["opened_at", "pk"]
        verbose_name_plural = "queries"
        indexes: ClassVar = [
            models.Index(fields=["state", "opened_at"], name="query_worklist"),
            models.Index(fields=["patient", "state"], name="query_of_patient"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["form", "rule", "variable"], condition=~models.Q(rule=""), name="query_of_rule_once_a_form"
            ),
        ]

    def __str__(self) -> str:
        return f"query {self.pk}"

    @property
    def age_days(self) -> int:
        """Whole days that it has been open, or was."""
        return ((self.closed_at or timezone.now()) - self.opened_at).days


class QueryMessage(models.Model):
    """One step of a query. Rows are added and never changed."""

    class Action(models.TextChoices):
        OPENED = "opened", _("Opened")
        UPDATED = "updated", _("Value changed")
        ANSWERED = "answered", _("Answered")
        CORRECTED = "corrected", _("Answered by a correction")
        RESOLVED = "resolved", _("Closed by a correction")
        CLOSED = "closed", _("Closed")
        REOPENED = "reopened", _("Reopened")
        ASSIGNED = "assigned", _("Assigned")

    query = models.ForeignKey(Query, on_delete=models.PROTECT, related_name="messages")
    action = models.CharField(max_length=10, choices=Action)
    # What a person wrote; the words of a rule are made from `about` and `facts` in the reader's language.
    text = models.TextField(blank=True)
    about = models.JSONField(default=dict)
    facts = models.JSONField(default=dict)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    written_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"{self.action} (query {self.query_id})"


class RuleRun(models.Model):
    """One run of all rules, and what came of it."""

    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(default=timezone.now)
    job = models.OneToOneField("core.Job", on_delete=models.PROTECT, null=True, related_name="rule_run")
    forms = models.PositiveIntegerField(default=0)
    opened = models.PositiveIntegerField(default=0)
    reopened = models.PositiveIntegerField(default=0)
    resolved = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"run {self.pk}"
