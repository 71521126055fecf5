"""What the audit trail calls hematoma masks."""

from django.utils.translation import gettext_lazy as _

from apps.annotation.models import Mask
from apps.audit.words import Action, Kind, Shown, register


def register_words() -> None:
    """Register the words of this app."""
    state = {"state": Shown(_("State"), show=_state)}
    annotator = {"annotator": Shown(_("Annotator"))}
    register(
        Kind("annotation.mask", _("Hematoma mask"), "patient__study_id"),
        Kind("annotation.outline", _("Outline of a hematoma"), "patient__study_id"),
        Kind("annotation.doublereading", _("Double reading of a hematoma"), "patient__study_id"),
        Action("assign_outline", _("Asked somebody to outline a hematoma"), annotator),
        Action("take_back_outline", _("Took the assignment of an outline back"), annotator),
        Action(
            "ask_double_reading",
            _("Asked two people to outline a hematoma, blind to each other"),
            {"annotators": Shown(_("Annotators"))},
        ),
        Action("close_double_reading", _("Both had submitted their outlines of a hematoma"), {"dice": Shown("Dice")}),
        Action("take_outline", _("Began to outline a hematoma")),
        Action("begin_outline_again", _("Threw an outline away and began again")),
        Action("approve_mask", _("Approved a version of the hematoma mask"), state),
        Action("return_mask", _("Returned a version of the hematoma mask"), state),
        Action(
            "upload_mask", _("Stored a new version of the hematoma mask"), {"volume_ml": Shown(_("Volume"), unit="mL")}
        ),
    )


def _state(value: str) -> str:
    return str(Mask.State(value).label)
