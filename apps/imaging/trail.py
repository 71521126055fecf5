"""What the audit trail calls CTs, held images and the exchange with an archive."""

from django.utils.translation import gettext_lazy as _

from apps.audit.words import Action, Kind, Shown, Text, register
from apps.imaging.models import HeldInstance


def register_words() -> None:
    """Register the words of this app."""
    series = Shown(_("Series"), show=lambda key: f"#{key}")
    register(
        Kind("imaging.series", _("CT series"), "patient__study_id"),
        Kind("imaging.serieschoice", _("Choice of the CT"), "patient__study_id"),
        Kind("imaging.heldinstance", _("Image kept apart"), "patient__study_id"),
        Kind("imaging.archivetransfer", _("Exchange with an archive"), "patient__study_id"),
        Action(
            "upload_ct",
            _("Added slices to a CT series"),
            {"instances": Shown(_("Slices")), "digest": Shown(_("Digest"))},
        ),
        Action("retry_preparation", _("Started the preparation of a CT again")),
        Action("choose_series", _("Chose the CT that counts"), {"series": series}),
        Action("fetch_from_archive", _("Asked for a study of the hospital's archive")),
        Action("send_to_archive", _("Asked to send a series to the hospital's archive"), {"series": series}),
        Action(
            "hold_image", _("An uploaded image was kept apart"), {"reason": Shown(_("Reason"), show=_label_of_reason)}
        ),
        Action(
            "decide_on_image",
            _("Decided on an image that was kept apart"),
            {"decision": Shown(_("Decision"), show=_label_of_decision)},
        ),
    )


def _label_of_reason(value: str) -> Text:
    return dict(HeldInstance.Reason.choices).get(value, value)


def _label_of_decision(value: str) -> Text:
    return dict(HeldInstance.Decision.choices).get(value, value)
