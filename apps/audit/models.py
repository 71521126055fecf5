"""The trail: who did what to which object, when, and why. Rows are only ever added, and each is tied to all before."""

from typing import Any, ClassVar, TypeVar

from django.conf import settings
from django.db import models
from django.utils import timezone

M = TypeVar("M", bound=models.Model)


class AppendOnly(models.QuerySet[M]):
    """Rows that can be added and read; what would change many at once is refused as well."""

    def update(self, **kwargs: Any) -> int:
        raise TypeError("A row of the audit trail is never changed.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("A row of the audit trail is never deleted.")


class Appended(models.Model):
    """A row that is written once. The database refuses changes as well (protection.py); this says so earlier."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("A row of the audit trail is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("A row of the audit trail is never deleted.")


class AuditEvent(Appended):
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
    # Rows of other tables that this event wrote, each with its digest (chain.py): what was entered can't be altered
    # there without a trace either.
    rows = models.JSONField(default=dict)
    # SHA-256 of all of the above.
    digest = models.CharField(max_length=64, default="")

    objects = AppendOnly["AuditEvent"].as_manager()

    class Meta:
        ordering: ClassVar = ["-at", "-pk"]
        # One for each filter of the page, in the order in which it is read: a page costs the same in any trail.
        indexes: ClassVar = [
            models.Index(fields=["object_type", "object_id"]),
            models.Index(fields=["-at", "-id"], name="audit_newest"),
            models.Index(fields=["actor", "-at", "-id"], name="audit_by_actor"),
            models.Index(fields=["action", "-at", "-id"], name="audit_by_action"),
            models.Index(fields=["center", "-at", "-id"], name="audit_by_center"),
            models.Index(fields=["object_type", "-at", "-id"], name="audit_by_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_id}"


class AuditLink(Appended):
    """The place of one event in the chain: `chain` is made of the event and of the `chain` before it."""

    # 1, 2, 3 and so on without a gap, in the order of the commits.
    sequence = models.BigIntegerField(primary_key=True)
    event = models.OneToOneField(AuditEvent, on_delete=models.PROTECT, related_name="link")
    chain = models.CharField(max_length=64)

    objects = AppendOnly["AuditLink"].as_manager()

    class Meta:
        ordering: ClassVar = ["sequence"]

    def __str__(self) -> str:
        return f"link {self.sequence}"
