"""A version of the data dictionary that the study made for itself."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class DictionaryVersion(models.Model):
    """One version: a draft, or what the forms ask from its publication on. Version 1 is the file that is shipped."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        PUBLISHING = "publishing", _("Being published")
        PUBLISHED = "published", _("Published")
        DISCARDED = "discarded", _("Discarded")

    name = models.CharField(max_length=60)
    number = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    # The dictionary as JSON.
    content = models.JSONField()
    # Sentences on what a REDCap file says that has no place here.
    notes = models.JSONField(default=list)
    # Variable -> what becomes of its values (apps/crf/versions/moves.py).
    moves = models.JSONField(default=dict)
    # What the publication did: counts (apps/crf/versions/impact.py).
    impact = models.JSONField(default=dict)
    # Why it is published; people read it beside every value that it moved.
    reason = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    published_at = models.DateTimeField(null=True)
    job = models.OneToOneField("core.Job", on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering: ClassVar = ["-number", "-pk"]
        constraints: ClassVar = [
            # One draft at a time: the next one's number is that after the last published.
            models.UniqueConstraint(
                fields=["number"], condition=~Q(state="discarded"), name="dictionary_version_once_a_number"
            )
        ]

    def __str__(self) -> str:
        return self.dictionary_id

    @property
    def dictionary_id(self) -> str:
        return f"{self.name}-{self.number}"
