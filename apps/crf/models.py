"""The case report form: values as events, the form's current state derived from them, and what people sign of it."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit.models import Appended, AppendOnly
from apps.crf.missing import Answer, Missing, answer_of, answers_of
from apps.crf.places import MAIN, STAY, Place


class CrfForm(models.Model):
    """The current values of one form of a patient: what replaying its CrfValue events gives, kept for fast reading.

    Which form of the data dictionary it is, at which visit, and the how many-th of a form that repeats.
    `version` counts the saves; who saves names the version that he read, so that nobody overwrites another's entry.
    """

    patient = models.ForeignKey("patients.Patient", on_delete=models.PROTECT, related_name="forms")
    name = models.CharField(max_length=60, default=MAIN)
    visit = models.CharField(max_length=60, default=STAY)
    instance = models.PositiveSmallIntegerField(default=1)
    # The patient again where this is the main form, which lists and analyses join to him.
    main_of = models.OneToOneField("patients.Patient", on_delete=models.PROTECT, null=True, related_name="form")
    dictionary_version = models.CharField(max_length=20)
    values = models.JSONField(default=dict)
    # Variable -> why it has no value.
    missing = models.JSONField(default=dict)
    version = models.PositiveIntegerField(default=0)
    # Every required variable that applies has a value, or a reason why it is missing.
    is_complete = models.BooleanField(default=False)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["is_complete"]),
            models.Index(fields=["-updated_at", "-id"], name="crf_form_newest"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["patient", "name", "visit", "instance"], name="crf_form_once_a_place"),
            models.CheckConstraint(
                condition=Q(name=MAIN, main_of__isnull=False, main_of=F("patient"))
                | (~Q(name=MAIN) & Q(main_of__isnull=True)),
                name="crf_form_main_of_its_patient",
            ),
        ]

    def __str__(self) -> str:
        return f"form {self.name} of {self.patient_id}, version {self.version}"

    @property
    def place(self) -> Place:
        return Place(self.name, self.visit, self.instance)

    @property
    def answers(self) -> dict[str, Answer]:
        return answers_of(self.values, self.missing)


class CrfValue(models.Model):
    """One value entered once. Rows are added and never changed; a correction is a further row."""

    form = models.ForeignKey(CrfForm, on_delete=models.PROTECT, related_name="events")
    variable = models.CharField(max_length=60)
    # null: the value was cleared, or is missing for a reason.
    value = models.JSONField(null=True)
    missing = models.CharField(max_length=20, choices=Missing, blank=True)
    # What was typed where it was typed in another unit: 126 mg/dL.
    as_typed = models.CharField(max_length=60, blank=True)
    form_version = models.PositiveIntegerField()
    dictionary_version = models.CharField(max_length=20)
    recorded_at = models.DateTimeField(default=timezone.now)
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["form_version", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["form", "variable", "form_version"], name="crf_value_once_a_save"),
            models.CheckConstraint(condition=Q(missing="") | Q(value__isnull=True), name="crf_value_or_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.variable} (save {self.form_version})"

    @property
    def answer(self) -> Answer:
        return answer_of(self.value, self.missing)


class CrfDraft(models.Model):
    """What one person has typed into one form and not saved yet: as typed, right or wrong, seen by nobody else.

    A draft is no record: it has no history and no audit event, and is gone with the save.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    patient = models.ForeignKey("patients.Patient", on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=60)
    visit = models.CharField(max_length=60)
    instance = models.PositiveSmallIntegerField()
    # The version of the form that was on the page.
    read_version = models.PositiveIntegerField()
    # Text by field, only where it differs from what that version holds; the reason's two fields too.
    typed = models.JSONField()
    kept_at = models.DateTimeField()
    # The version of the dictionary that had asked for it.
    dictionary_version = models.CharField(max_length=20, default="ich-1")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["owner", "patient", "name", "visit", "instance"], name="crf_draft_once_a_person"
            )
        ]

    def __str__(self) -> str:
        return f"draft of {self.owner_id} for form {self.name} of {self.patient_id}"


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


# Django looks for models here alone.
from apps.crf.double_entry.models import SecondEntry, SecondValue  # noqa: E402
from apps.crf.imports.models import Import  # noqa: E402
from apps.crf.queries.models import Query, QueryMessage, RuleRun  # noqa: E402
from apps.crf.versions.models import DictionaryVersion  # noqa: E402

__all__ = [
    "CrfDraft", "CrfForm", "CrfValue", "DictionaryVersion", "FormAct", "Import", "Meaning", "Part", "Query",
    "QueryMessage", "RuleRun", "SecondEntry", "SecondValue", "Signature",
]  # fmt: skip
