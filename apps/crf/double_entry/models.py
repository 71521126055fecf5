"""A second entry of a form, and the values that were entered in it."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit.models import Appended, AppendOnly
from apps.crf.missing import Answer, Missing, answer_of, answers_of


class SecondEntry(models.Model):
    """One form entered again by a second person; a form has one at most, and those that were given up."""

    class State(models.TextChoices):
        OPEN = "open", _("under way")
        SUBMITTED = "submitted", _("to be reconciled")
        RECONCILED = "reconciled", _("reconciled")
        GIVEN_UP = "given_up", _("given up")

    form = models.ForeignKey("crf.CrfForm", on_delete=models.PROTECT, related_name="second_entries")
    entered_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    # Names of the variables that are asked: those marked in the dictionary, and those that their branches hang on.
    variables = models.JSONField(default=list)
    # What replaying its SecondValue events gives.
    values = models.JSONField(default=dict)
    missing = models.JSONField(default=dict)
    version = models.PositiveIntegerField(default=0)
    # What was typed and not saved yet: text by field, right or wrong. No record; gone with the next save.
    typed = models.JSONField(default=dict)
    typed_at = models.DateTimeField(null=True)
    # Variable -> [first answer, key of who entered it] as they were at the submission.
    first = models.JSONField(default=dict)
    # Variables that differ from the form as it is now.
    differences = models.PositiveSmallIntegerField(default=0)
    # Variable -> what the reconciliation kept: first, second or other.
    kept = models.JSONField(default=dict)
    started_at = models.DateTimeField(default=timezone.now)
    submitted_at = models.DateTimeField(null=True)
    # The version of the form that it was first compared with.
    submitted_version = models.PositiveIntegerField(default=0)
    reconciled_at = models.DateTimeField(null=True)
    # null: both agree by themselves.
    reconciled_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering: ClassVar = ["pk"]
        verbose_name_plural = "second entries"
        indexes: ClassVar = [
            models.Index(fields=["entered_by", "state"], name="second_entry_of_person"),
            models.Index(fields=["state", "submitted_at"], name="second_entry_worklist"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["form"], condition=~Q(state="given_up"), name="second_entry_once_a_form"),
        ]

    def __str__(self) -> str:
        return f"second entry {self.pk}"

    @property
    def answers(self) -> dict[str, Answer]:
        return answers_of(self.values, self.missing)

    @property
    def compared(self) -> int:
        """Variables that at least one of the two has answered."""
        answers = self.answers
        return sum(stored[0] is not None or name in answers for name, stored in self.first.items())

    @property
    def age_days(self) -> int:
        """Whole days that it has waited to be reconciled, or did."""
        return ((self.reconciled_at or timezone.now()) - (self.submitted_at or self.started_at)).days


class SecondValue(Appended):
    """One value of a second entry. Rows are added and never changed, also where the entry is given up."""

    entry = models.ForeignKey(SecondEntry, on_delete=models.PROTECT, related_name="events")
    variable = models.CharField(max_length=60)
    # null: the value was cleared, or is missing for a reason.
    value = models.JSONField(null=True)
    missing = models.CharField(max_length=20, choices=Missing, blank=True)
    as_typed = models.CharField(max_length=60, blank=True)
    entry_version = models.PositiveIntegerField()
    recorded_at = models.DateTimeField(default=timezone.now)

    objects = AppendOnly["SecondValue"].as_manager()

    class Meta:
        ordering: ClassVar = ["entry_version", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["entry", "variable", "entry_version"], name="second_value_once_a_save")
        ]

    def __str__(self) -> str:
        return f"{self.variable} (save {self.entry_version} of second entry {self.entry_id})"

    @property
    def answer(self) -> Answer:
        return answer_of(self.value, self.missing)
