"""What the audit trail calls frozen cohorts."""

from django.utils.translation import gettext_lazy as _

from apps.audit.words import Action, Kind, Shown, register


def register_words() -> None:
    """Register the words of this app."""
    register(
        Kind("cohorts.snapshot", _("Frozen cohort")),
        Action("freeze_snapshot", _("Froze the cohort"), {"digest": Shown(_("Digest"))}),
    )
