"""What the audit trail calls enrollment."""

from django.utils.translation import gettext_lazy as _

from apps.audit.words import Action, Kind, register


def register_words() -> None:
    """Register the words of this app."""
    register(Kind("patients.patient", _("Patient"), "study_id"), Action("enroll", _("Enrolled the patient")))
