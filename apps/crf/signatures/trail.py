"""What the audit trail calls locks and signatures."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.audit.words import Action, Shown, register
from apps.crf.models import Meaning

_SIGNED = {
    "meaning": Shown(_("Meaning"), show=lambda key: _meaning(key)),
    "version": Shown(_("Version of the form")),
    "digest": Shown(_("Digest of what was signed")),
}
_VOIDED = {"voids": Shown(_("Voided signatures"), show=lambda keys: ", ".join(f"#{key}" for key in keys))}


def register_words() -> None:
    """Register the words of locks and signatures."""
    register(
        Action("sign_form", _("Signed the case report form"), _SIGNED),
        Action(
            "sign_outcome", _("Signed the outcome; a blinded assessor is no longer blinded to this patient"), _SIGNED
        ),
        Action("fail_signing", _("Failed to sign: user name or password was wrong")),
        Action("withdraw_signature", _("Withdrew a signature"), _VOIDED),
        Action("lock_form", _("Locked the case report form")),
        Action("unlock_form", _("Unlocked the case report form"), _VOIDED),
    )


def _meaning(key: Any) -> str | Promise:
    return Meaning(key).label if key in Meaning.values else str(key)
