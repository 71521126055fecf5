"""What the audit trail calls frozen cohorts and exports."""

from django.utils.translation import gettext_lazy as _

from apps.audit.words import Action, Kind, Shown, register


def register_words() -> None:
    """Register the words of this app."""
    register(
        Kind("cohorts.snapshot", _("Frozen cohort")),
        Action("freeze_snapshot", _("Froze the cohort"), {"digest": Shown(_("Digest"))}),
        Kind("cohorts.export", _("Export")),
        Action("request_export", _("Asked for an export"), {"centers": Shown(_("Centers"), show=", ".join)}),
        Action("download_export", _("Downloaded an export"), {"centers": Shown(_("Centers"), show=", ".join)}),
    )
