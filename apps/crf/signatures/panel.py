"""The panel of a form: locked or open, what was signed, and what the reader may do about it."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import has_permission
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.crf.models import CrfForm, Part
from apps.crf.schedule import form_url
from apps.crf.signatures.selectors import FormState, ShownSignature, state_of
from apps.crf.signatures.services import SIGNING

# What is below the address of the form. The outcome that is signed is the one at discharge, on the main form.
_SIGN: dict[Part, tuple[str | Promise, str]] = {
    Part.OUTCOME: (_("Sign the outcome"), "sign-outcome/"),
    Part.FORM: (_("Sign the form"), "sign/"),
}


@dataclass(frozen=True)
class Panel:
    """What the partial draws."""

    form: CrfForm
    state: FormState
    actor: User

    @property
    def url(self) -> str:
        """Return the address of the form."""
        return form_url(self.form.patient, self.form.place)

    @property
    def can_lock(self) -> bool:
        return self.form.version > 0 and has_permission(self.actor, Permission.LOCK_FORMS, self.form.patient.center)

    @property
    def sign_links(self) -> list[tuple[str | Promise, str]]:
        """Return (label, address) of what the reader may sign."""
        if not self.form.version:
            return []
        parts = [part for part in _SIGN if part == Part.FORM or self.form.place.is_main]
        return [
            (_SIGN[part][0], f"{self.url}{_SIGN[part][1]}")
            for part in parts
            if has_permission(self.actor, SIGNING[part], self.form.patient.center)
        ]

    @property
    def rows(self) -> list[tuple[ShownSignature, str]]:
        """Return the signatures, newest first, each with the address at which the reader may withdraw it, or ""."""
        return [
            (each, f"{self.url}signatures/{each.signature.pk}/withdraw/" if self._is_mine(each) else "")
            for each in reversed(self.state.signatures)
        ]

    def _is_mine(self, signed: ShownSignature) -> bool:
        return signed.is_valid and signed.signature.signer_id == self.actor.pk


def panel_of(actor: User, form: CrfForm) -> Panel:
    """Return the panel of one form."""
    return Panel(form, state_of(form), actor)
