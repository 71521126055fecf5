"""The trail: who did what to which object, when, and why. Rows are only ever added."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class AppendOnly(models.QuerySet["AuditEvent"]):
    """Rows that can be added and read; what would change many at once is refused as well."""

    def update(self, **kwargs: Any) -> int:
        raise TypeError("An audit event is never changed.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("An audit event is never deleted.")


class AuditEvent(models.Model):
    """One action. Values of a change stand in `changes` as {name: [old, new]}; never an identifier of a patient."""

    at = models.DateTimeField(default=timezone.now)
    # Empty for the platform's own workers.
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True)
    action = models.CharField(max_length=60)
    object_type = models.CharField(max_length=60)
    object_id = models.CharField(max_length=60)
    center = models.ForeignKey("accounts.Center", on_delete=models.PROTECT, null=True, blank=True)
    changes = models.JSONField(default=dict)
    reason = models.TextField(blank=True)

    objects = AppendOnly.as_manager()

    class Meta:
        ordering: ClassVar = ["-at", "-pk"]
        indexes: ClassVar = [models.Index(fields=["object_type", "object_id"]), models.Index(fields=["-at"])]

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise TypeError("An audit event is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("An audit event is never deleted.")
