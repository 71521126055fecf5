"""An import: the file as long as it is needed, how far it is, and the report of the last check."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Encoding(models.TextChoices):
    UTF8 = "utf-8", _("UTF-8 or UTF-16 (the usual)")
    GB18030 = "gb18030", _("GB18030 (Chinese Excel, CSV)")


class Dates(models.TextChoices):
    ISO = "iso", _("Year first: 2024-03-31")
    DAY_FIRST = "day_first", _("Day first: 31/03/2024")
    MONTH_FIRST = "month_first", _("Month first: 03/31/2024")
    TRUE = "true", _("True, in a file of REDCap: 2024-03-31")
    MOVED = "moved", _("Moved, in an export of this platform: they are moved back")


class Import(models.Model):
    """One file of one person. Its own name is not kept: it may name a patient."""

    class State(models.TextChoices):
        CHECKING = "checking", _("Being checked")
        REFUSED = "refused", _("To be corrected")
        READY = "ready", _("Checked, not imported yet")
        RUNNING = "running", _("Being imported")
        DONE = "done", _("Imported")
        SAME = "same", _("Nothing to import")
        DROPPED = "dropped", _("Not imported")

    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="imports")
    created_at = models.DateTimeField(default=timezone.now)
    # Of the sentences in the report.
    language = models.CharField(max_length=10)
    encoding = models.CharField(max_length=10, choices=Encoding, default=Encoding.UTF8)
    dates = models.CharField(max_length=12, choices=Dates, default=Dates.ISO)
    state = models.CharField(max_length=10, choices=State, default=State.CHECKING)
    # Goes on to the import by itself if nothing is refused.
    at_once = models.BooleanField(default=False)
    # Why saved values change.
    reason = models.CharField(max_length=500, blank=True)
    sha256 = models.CharField(max_length=64)
    # In the database and not in the store, so that it is gone the moment that it is no longer needed.
    content = models.BinaryField(default=bytes)
    report = models.JSONField(default=dict)
    job = models.OneToOneField("core.Job", on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering: ClassVar = ["-pk"]
        indexes: ClassVar = [models.Index(fields=["requested_by", "state"])]

    def __str__(self) -> str:
        return f"import {self.pk}"
