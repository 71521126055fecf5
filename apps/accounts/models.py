"""People, centers, and who works where as what."""

from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import CENTER_ROLES, Role


class User(AbstractUser):
    """A person with an account of his own. `full_name` is what signatures and the audit trail show."""

    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    full_name = models.CharField(_("full name"), max_length=150)
    REQUIRED_FIELDS: ClassVar = ["email", "full_name"]

    def __str__(self) -> str:
        return self.full_name or self.username

    def get_full_name(self) -> str:
        return self.full_name

    def get_short_name(self) -> str:
        return self.username


class Center(models.Model):
    """A hospital. Its code stands in every study id and on every page instead of its name in data."""

    code = models.CharField(
        _("code"),
        max_length=8,
        unique=True,
        validators=[RegexValidator(r"^[A-Z][A-Z0-9]{0,7}\Z", _("Use capital letters and digits, a letter first."))],
    )
    name = models.CharField(_("name"), max_length=200)
    # The last number given to a patient; enrollment counts it up under a row lock.
    last_patient_number = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["code"]

    def __str__(self) -> str:
        return self.code


class Membership(models.Model):
    """One role of one person, in one center or (center empty) in all of them."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role)
    center = models.ForeignKey(Center, on_delete=models.PROTECT, null=True, blank=True, related_name="memberships")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["user", "role", "center"]
        constraints: ClassVar = [
            # Two constraints, because SQLite can't be told that two empty centers are the same.
            models.UniqueConstraint(fields=["user", "role", "center"], name="membership_once"),
            models.UniqueConstraint(
                fields=["user", "role"], condition=models.Q(center__isnull=True), name="membership_once_everywhere"
            ),
            models.CheckConstraint(
                condition=~models.Q(role__in=sorted(CENTER_ROLES)) | models.Q(center__isnull=False),
                name="membership_center_role_has_center",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.role} ({self.center or 'all centers'})"
