"""The panel of a form: locked or open, what was signed, and what the reader may do about it."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import has_permission
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.crf.models import CrfForm, Part
from apps.crf.signatures.selectors import FormState, ShownSignature, state_of
from apps.crf.signatures.services import SIGNING

_SIGN: dict[Part, tuple[str | Promise, str]] = {
    Part.OUTCOME: (_("Sign the outcome"), "crf:sign-outcome"),
    Part.FORM: (_("Sign the form"), "crf:sign"),
}


@dataclass(frozen=True)
class Panel:
    """What the partial draws."""

    form: CrfForm
    state: FormState
    actor: User

    @property
    def can_lock(self) -> bool:
        return self.form.version > 0 and has_permission(self.actor, Permission.LOCK_FORMS, self.form.patient.center)

    @property
    def sign_links(self) -> list[tuple[str | Promise, str]]:
        """Return (label, address) of what the reader may sign."""
        if not self.form.version:
            return []
        center, study_id = self.form.patient.center, self.form.patient.study_id
        return [
            (label, reverse(name, args=[study_id]))
            for part, (label, name) in _SIGN.items()
            if has_permission(self.actor, SIGNING[part], center)
        ]

    @property
    def rows(self) -> list[tuple[ShownSignature, bool]]:
        """Return the signatures, newest first, each with whether the reader may withdraw it."""
        signed = reversed(self.state.signatures)
        return [(each, each.is_valid and each.signature.signer_id == self.actor.pk) for each in signed]


def panel_of(actor: User, form: CrfForm) -> Panel:
    """Return the panel of one form."""
    return Panel(form, state_of(form), actor)
