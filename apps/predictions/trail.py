"""What the audit trail calls prognoses. It tells that one was computed, and never its number: a monitor is blinded."""

from django.utils.translation import gettext_lazy as _

from apps.audit.words import Action, Kind, Shown, register


def register_words() -> None:
    """Register the words of this app."""
    experiment = {"experiment": Shown(_("Experiment"), show=lambda key: f"#{key}")}
    register(
        Kind("predictions.prediction", _("Prognosis"), "patient__study_id"),
        Kind("predictions.explanation", _("Explanation of a prognosis"), "patient__study_id"),
        Action("predict", _("A prognosis was computed"), experiment),
        Action("retry_prediction", _("Started a prognosis again")),
        Action("explain_prediction", _("Asked for the explanation of a prognosis"), experiment),
    )
