"""Hematoma masks: versions that are added and never changed, what is drawn until then, and what reviewers say."""

from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from apps.accounts.models import User


class Mask(models.Model):
    """One version of the mask of a series, kept as labels on the series' own slices; see `ml.hematoma.Label`."""

    class State(models.TextChoices):
        SUBMITTED = "submitted", _("waits for review")
        RETURNED = "returned", _("returned")
        APPROVED = "approved", _("approved")

    series = models.ForeignKey("imaging.Series", on_delete=models.PROTECT, related_name="masks")
    # Denormalized for scoping: series.patient.
    patient = models.ForeignKey("patients.Patient", on_delete=models.PROTECT, related_name="masks")
    version = models.PositiveIntegerField()
    # Storage name of the labels: npz with one uint8 array (y, x) a slice, so that one slice is read cheaply.
    file = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    # Of the parenchymal hematoma, as all that follows: it is what scores and models know.
    volume_ml = models.DecimalField(max_digits=8, decimal_places=2)
    abc2_ml = models.DecimalField(max_digits=8, decimal_places=2)
    # Area on each slice in mm2.
    slice_areas_mm2 = models.JSONField(default=list)
    # See ml.hematoma.lateral_extent_mm; empty until it is measured, as in masks of earlier times.
    lateral_mm = models.JSONField(default=list)
    # Shape and density by the names of ml.hematoma.FEATURES, and the version of the program that measured them: empty
    # and 0 until the CT's densities could be read.
    features = models.JSONField(default=dict)
    features_version = models.PositiveSmallIntegerField(default=0)
    # What measures them where they lack, or anew where the version is not today's.
    job = models.OneToOneField("core.Job", on_delete=models.PROTECT, null=True, related_name="mask")
    # {label: mL}, each label that was drawn. Empty in masks from before there were labels: whatever is not 0 in them
    # is hematoma.
    label_ml = models.JSONField(default=dict)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField(default=timezone.now)
    # Stands for the SOP Instance UID of the DICOM Segmentation that it came as; a retry is known by it.
    received_as = models.CharField(max_length=64, blank=True, default="")
    # Of the program whose suggestion it began from; 0: all of it is drawn by hand, or elsewhere.
    suggestion_version = models.PositiveSmallIntegerField(default=0)
    # The version of which this one is a correction.
    corrects = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="corrections")
    state = models.CharField(max_length=10, choices=State, default=State.SUBMITTED)
    # Empty in masks from before there were reviews; they counted at once.
    reviewed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    reviewed_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["series", "-version"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["series", "version"], name="mask_version_once"),
            models.CheckConstraint(condition=models.Q(volume_ml__gt=0), name="mask_not_empty"),
        ]

    def __str__(self) -> str:
        return f"mask version {self.version}"


class Outline(models.Model):
    """What one person draws on a series, until it is submitted as a version of the mask and while it is corrected."""

    series = models.ForeignKey("imaging.Series", on_delete=models.PROTECT, related_name="outlines")
    # Denormalized for scoping: series.patient.
    patient = models.ForeignKey("patients.Patient", on_delete=models.PROTECT, related_name="outlines")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="outlines")
    # Who asked for it; empty where the annotator took it himself. Nothing is drawn until the first revision.
    assigned_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    # The version from which it was begun, if any.
    begun_from = models.ForeignKey(Mask, on_delete=models.PROTECT, null=True, related_name="+")
    # The version that was made of it last.
    submitted = models.ForeignKey(Mask, on_delete=models.PROTECT, null=True, related_name="+")
    # Counts every save, so that two windows do not draw over one another; and which window has saved last, so that one
    # which heard no answer may send again.
    revision = models.PositiveIntegerField(default=0)
    window = models.CharField(max_length=36, blank=True, default="")
    # As of a mask.
    suggestion_version = models.PositiveSmallIntegerField(default=0)
    taken_at = models.DateTimeField(default=timezone.now)
    saved_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["series", "annotator"], name="outline_once_an_annotator")
        ]

    def __str__(self) -> str:
        return f"outline {self.pk}"


class DoubleReading(models.Model):
    """A CT that two people outline blind to each other, which measures how they agree; a third settles what counts.

    It is open until both have submitted. What either submits until then takes the place of what he submitted before.
    """

    series = models.OneToOneField("imaging.Series", on_delete=models.PROTECT, related_name="double_reading")
    # Denormalized for scoping: series.patient.
    patient = models.ForeignKey("patients.Patient", on_delete=models.PROTECT, related_name="double_readings")
    first = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    second = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    first_mask = models.ForeignKey(Mask, on_delete=models.PROTECT, null=True, related_name="+")
    second_mask = models.ForeignKey(Mask, on_delete=models.PROTECT, null=True, related_name="+")
    # Of the parenchymal hematoma, see ml.hematoma.compare; empty while it is open.
    dice = models.FloatField(null=True)
    hd95_mm = models.FloatField(null=True)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=~models.Q(first=models.F("second")), name="double_reading_by_two"),
            models.CheckConstraint(
                condition=models.Q(closed_at=None) | models.Q(first_mask__isnull=False, second_mask__isnull=False),
                name="double_reading_closed_by_both",
            ),
        ]

    def __str__(self) -> str:
        return f"double reading {self.pk}"

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    def is_by(self, user: "User") -> bool:
        """Say whether a person is one of the two."""
        return user.pk in (self.first_id, self.second_id)


class OutlineSlice(models.Model):
    """The labels of one slice of an outline; a slice without a row is empty."""

    outline = models.ForeignKey(Outline, on_delete=models.CASCADE, related_name="slices")
    # Counted from the foot.
    index = models.PositiveIntegerField()
    # zlib of uint8 labels (y, x).
    labels = models.BinaryField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["outline", "index"], name="outline_slice_once")]

    def __str__(self) -> str:
        return f"slice {self.index}"


class Suggestion(models.Model):
    """A first outline of a series that the program proposes; see `ml.hematoma.suggest`."""

    series = models.ForeignKey("imaging.Series", on_delete=models.CASCADE, related_name="suggestions")
    # Of the series: more slices make another one.
    revision = models.PositiveIntegerField()
    # Which program made it.
    version = models.PositiveSmallIntegerField(default=0)
    # Storage name of the labels, as of a mask; empty until they are computed.
    file = models.CharField(max_length=200, blank=True)
    job = models.OneToOneField("core.Job", on_delete=models.PROTECT, null=True, related_name="suggestion")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["series", "revision"], name="suggestion_once_a_revision")
        ]

    def __str__(self) -> str:
        return f"suggestion {self.pk}"


class Remark(models.Model):
    """What a reviewer says of a version, pinned to a place on a slice where it means one."""

    mask = models.ForeignKey(Mask, on_delete=models.PROTECT, related_name="remarks")
    text = models.TextField()
    # Slice from the foot, row and column; empty: the whole mask is meant.
    slice_index = models.PositiveIntegerField(null=True)
    row = models.PositiveIntegerField(null=True)
    column = models.PositiveIntegerField(null=True)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    written_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"remark {self.pk}"
