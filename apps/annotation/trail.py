"""What the audit trail calls hematoma masks."""

from django.utils.translation import gettext_lazy as _

from apps.audit.words import Action, Kind, Shown, register


def register_words() -> None:
    """Register the words of this app."""
    register(
        Kind("annotation.mask", _("Hematoma mask"), "patient__study_id"),
        Action(
            "upload_mask", _("Stored a new version of the hematoma mask"), {"volume_ml": Shown(_("Volume"), unit="mL")}
        ),
    )
