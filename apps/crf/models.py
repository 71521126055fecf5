"""The case report form: values as events, the form's current state derived from them, and what people sign of it."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit.models import Appended, AppendOnly


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


class Part(models.TextChoices):
    """What a signature is about."""

    FORM = "form", _("Whole form")
    OUTCOME = "outcome", _("Outcome")


class Meaning(models.TextChoices):
    """What the signer states; the last two belong to the outcome alone."""

    CHECKED = "checked", _("Entered and checked")
    REVIEWED = "reviewed", _("Reviewed")
    APPROVED = "approved", _("Approved")
    ASSESSED_BLINDED = "assessed_blinded", _("Outcome assessed, blinded")
    ASSESSED_UNBLINDED = "assessed_unblinded", _("Outcome assessed, no longer blinded")


class Signature(Appended):
    """An electronic signature. Whether it is still valid is never stored: its digest says it."""

    form = models.ForeignKey(CrfForm, on_delete=models.PROTECT, related_name="signatures")
    form_version = models.PositiveIntegerField()
    part = models.CharField(max_length=10, choices=Part)
    # Names of the variables signed; empty: all of the form.
    variables = models.JSONField(default=list)
    digest = models.CharField(max_length=64)
    signer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="signatures")
    # As it was printed when he signed.
    printed_name = models.CharField(max_length=150)
    meaning = models.CharField(max_length=20, choices=Meaning)
    signed_at = models.DateTimeField(default=timezone.now)

    objects = AppendOnly["Signature"].as_manager()

    class Meta:
        ordering: ClassVar = ["pk"]
        indexes: ClassVar = [models.Index(fields=["signer", "part"])]

    def __str__(self) -> str:
        return f"signature {self.pk}"


class FormAct(Appended):
    """One locking, unlocking or withdrawal; the newest lock or unlock says whether the form is locked."""

    class Kind(models.TextChoices):
        LOCK = "lock", _("Locked")
        UNLOCK = "unlock", _("Unlocked")
        WITHDRAW = "withdraw", _("Withdrawn")

    form = models.ForeignKey(CrfForm, on_delete=models.PROTECT, related_name="acts")
    kind = models.CharField(max_length=10, choices=Kind)
    # Numbers of the signatures that it voids.
    voids = models.JSONField(default=list)
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField(blank=True)

    objects = AppendOnly["FormAct"].as_manager()

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
