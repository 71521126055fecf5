"""DICOM as it is kept here: studies, series and instances without identity, under replacement UIDs."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class PersonKey(models.Model):
    """Which patient stands for a person of a center's hospital.

    The key is a keyed digest of the hospital's patient ID: it recognizes the person when more of his scans come, and
    cannot be turned back without this installation's secret.
    """

    center = models.ForeignKey("accounts.Center", on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=64)
    patient = models.ForeignKey("patients.Patient", on_delete=models.PROTECT, related_name="person_keys")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["center", "key"], name="person_key_once")]

    def __str__(self) -> str:
        return f"person {self.pk}"


class ImagingStudy(models.Model):
    """A DICOM study (one examination). UIDs are replacements, dates are moved by the patient's own offset."""

    patient = models.ForeignKey("patients.Patient", on_delete=models.PROTECT, related_name="imaging_studies")
    # The patient's: so that the studies of a center, newest first, are one walk along an index.
    center = models.ForeignKey("accounts.Center", on_delete=models.PROTECT, related_name="+", db_index=False)
    study_instance_uid = models.CharField(max_length=64, unique=True)
    study_date = models.DateField(null=True)
    # DICOM TM: HHMMSS.FFFFFF, or a part of it.
    study_time = models.CharField(max_length=16, blank=True)
    description = models.CharField(max_length=64, blank=True)
    # Kept with the study so that a search reads one table: modalities joined by a backslash, as DICOM writes them.
    modalities = models.CharField(max_length=64, blank=True)
    series_count = models.PositiveIntegerField(default=0)
    instance_count = models.PositiveIntegerField(default=0)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["-study_date", "-id"], name="imaging_study_newest"),
            models.Index(fields=["center", "-study_date", "-id"], name="imaging_study_of_center"),
            models.Index(fields=["patient", "-study_date"], name="imaging_study_of_patient"),
        ]

    def __str__(self) -> str:
        return f"imaging study {self.pk}"

    def save(self, *arguments: Any, **keywords: Any) -> None:
        if self.center_id is None:
            self.center_id = self.patient.center_id
        super().save(*arguments, **keywords)


class Series(models.Model):
    """One series. Of a CT: where it lies in space, and what preprocessing made of it."""

    class State(models.TextChoices):
        RECEIVED = "received", _("received")
        READY = "ready", _("ready")
        FAILED = "failed", _("not usable")

    study = models.ForeignKey(ImagingStudy, on_delete=models.PROTECT, related_name="series")
    # Denormalized for scoping: study.patient.
    patient = models.ForeignKey("patients.Patient", on_delete=models.PROTECT, related_name="series")
    series_instance_uid = models.CharField(max_length=64, unique=True)
    modality = models.CharField(max_length=16, default="CT")
    number = models.IntegerField(null=True)
    description = models.CharField(max_length=64, blank=True)
    series_date = models.DateField(null=True)
    series_time = models.CharField(max_length=16, blank=True)
    instance_count = models.PositiveIntegerField(default=0)
    # Counts every change of the set of instances; whatever was computed from an older revision is stale.
    revision = models.PositiveIntegerField(default=0)
    # Once something rests on the slices (a mask), later ones are kept apart.
    locked_at = models.DateTimeField(null=True)
    # SHA-256 over the pixels and positions of all slices: the same scan has the same digest whatever its UIDs.
    digest = models.CharField(max_length=64, blank=True, db_index=True)
    # How it was acquired, as the de-identified headers say: {keyword: value}.
    acquisition = models.JSONField(default=dict)
    # Empty where the slices make no volume; `geometry_report` says why.
    geometry = models.JSONField(default=dict)
    # {"level": "pass"|"warn"|"fail", "findings": [{"code", "level", "sentence"}]}
    geometry_report = models.JSONField(default=dict)
    # {"(0010,0010) PatientName": {"action": "replaced", "instances": 28}}: which tags changed, never their values.
    deidentification = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State, default=State.RECEIVED)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField(default=timezone.now)
    job = models.OneToOneField("core.Job", on_delete=models.PROTECT, null=True, related_name="series")

    # The series that stands for the patient's initial CT: at most one of a patient.
    is_chosen = models.BooleanField(default=False)

    preprocessing_version = models.CharField(max_length=20, blank=True)
    preprocessing_report = models.JSONField(default=dict)
    # Storage name and SHA-256 of the preprocessed image (npy, float16, 80 x 192 x 192).
    tensor = models.CharField(max_length=200, blank=True)
    tensor_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering: ClassVar = ["-uploaded_at"]
        verbose_name_plural = "series"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["patient"], condition=models.Q(is_chosen=True), name="series_chosen_once_a_patient"
            )
        ]

    def __str__(self) -> str:
        return f"series {self.pk}"

    @property
    def slice_count(self) -> int:
        return int(self.geometry.get("slices", 0))

    @property
    def findings(self) -> list[dict[str, Any]]:
        """What the geometry report and preprocessing found, the gravest first."""
        found = [*self.geometry_report.get("findings", []), *self.preprocessing_report.get("findings", [])]
        gravity = ("fail", "warn", "pass", "info")
        return sorted(found, key=lambda finding: gravity.index(finding.get("level", "info")))


class SeriesChoice(models.Model):
    """A person's word on which series stands for the patient's initial CT; the newest one counts."""

    patient = models.ForeignKey("patients.Patient", on_delete=models.PROTECT, related_name="series_choices")
    # Empty: the person goes back to what the platform proposes.
    series = models.ForeignKey(Series, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.TextField()
    chosen_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    chosen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"choice {self.pk}"


class Instance(models.Model):
    """One DICOM object in the store: a slice of a CT, or a segmentation."""

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="instances")
    sop_instance_uid = models.CharField(max_length=64, unique=True)
    sop_class_uid = models.CharField(max_length=64, default="")
    number = models.IntegerField(null=True)
    # Its place among the slices of the volume, counted from the foot; empty for what is no slice of it (a scout view).
    index = models.PositiveIntegerField(null=True)
    file = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField(default=0)
    transfer_syntax_uid = models.CharField(max_length=64, default="")
    rows = models.PositiveIntegerField(default=0)
    columns = models.PositiveIntegerField(default=0)
    frames = models.PositiveIntegerField(default=1)
    # SHA-256 over the decoded pixels (Hounsfield units of a CT) and their position: tells a repeat from a conflict.
    pixel_digest = models.CharField(max_length=64, default="", db_index=True)
    # The header in the DICOM JSON model, without the pixels, as WADO-RS sends it.
    metadata = models.TextField(default="")
    # Where each frame's bytes lie in the file: [[[offset, length], ...], ...], one list of parts a frame.
    frame_parts = models.JSONField(default=list)

    class Meta:
        ordering: ClassVar = ["index"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["series", "index"], name="instance_place_once")]

    def __str__(self) -> str:
        return f"instance {self.pk}"


class SeriesMetadata(models.Model):
    """A series' metadata as it is sent: the DICOM JSON of all its instances, gzipped, made when the series changed."""

    series = models.OneToOneField(Series, on_delete=models.CASCADE, related_name="metadata", primary_key=True)
    revision = models.PositiveIntegerField()
    content = models.BinaryField()
    etag = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"metadata {self.pk}"


class HeldInstance(models.Model):
    """An object kept apart until a person decides. Its headers name nobody; its pixels might, so its file is sealed."""

    class Reason(models.TextChoices):
        BURNED_IN = "burned_in", _("text may be burned into the picture")
        SECONDARY_CAPTURE = "secondary_capture", _("a screen shot or dose sheet, not a slice")
        OVERLAY = "overlay", _("a drawing lies in the pixels")
        CONFLICT = "conflict", _("another picture under an identifier that is stored already")
        LATE = "late", _("came after a mask was drawn on its series")

    class Decision(models.TextChoices):
        WAITING = "", _("waiting")
        ACCEPTED = "accepted", _("accepted")
        DISCARDED = "discarded", _("discarded")

    patient = models.ForeignKey("patients.Patient", on_delete=models.PROTECT, related_name="held_instances")
    reason = models.CharField(max_length=20, choices=Reason)
    study_instance_uid = models.CharField(max_length=64)
    series_instance_uid = models.CharField(max_length=64)
    sop_instance_uid = models.CharField(max_length=64)
    modality = models.CharField(max_length=16, blank=True)
    description = models.CharField(max_length=64, blank=True)
    rows = models.PositiveIntegerField(default=0)
    columns = models.PositiveIntegerField(default=0)
    # Encrypted (apps.core.seal); removed from the store when discarded.
    file = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    pixel_digest = models.CharField(max_length=64)
    received_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    received_at = models.DateTimeField(default=timezone.now)
    decision = models.CharField(max_length=10, choices=Decision, default=Decision.WAITING, blank=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["-received_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["sop_instance_uid", "pixel_digest"], name="held_instance_once")
        ]

    def __str__(self) -> str:
        return f"held instance {self.pk}"


class Archive(models.Model):
    """A center's PACS, spoken to over DICOMweb: scans are fetched from it, CT and masks are sent to it."""

    center = models.ForeignKey("accounts.Center", on_delete=models.PROTECT, related_name="archives")
    name = models.CharField(max_length=80)
    # Base address of its DICOMweb service; below it lie /studies and the rest.
    url = models.URLField(max_length=500)
    username = models.CharField(max_length=150, blank=True)
    # Encrypted (apps.core.seal): the password, or a bearer token where there is no user name.
    secret = models.TextField(blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar = ["center", "name"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["center", "name"], name="archive_name_once")]

    def __str__(self) -> str:
        return f"{self.center}: {self.name}"


class ArchiveTransfer(models.Model):
    """One study fetched from an archive, or one series sent to it: what was asked for and how it ended."""

    class Direction(models.TextChoices):
        FETCH = "fetch", _("fetched")
        SEND = "send", _("sent")

    archive = models.ForeignKey(Archive, on_delete=models.PROTECT, related_name="transfers")
    patient = models.ForeignKey("patients.Patient", on_delete=models.PROTECT, related_name="archive_transfers")
    direction = models.CharField(max_length=5, choices=Direction)
    # Sealed: the hospital's own study UID of a fetch.
    sealed_study_uid = models.TextField(blank=True)
    series = models.ForeignKey(Series, on_delete=models.PROTECT, null=True, related_name="+")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    job = models.OneToOneField("core.Job", on_delete=models.PROTECT, null=True, related_name="archive_transfer")
    # {"stored": 28, "known": 0, ...} and the sentences of what was not taken.
    outcome = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"transfer {self.pk}"
