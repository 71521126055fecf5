"""Who signs says again who he is: user name (or e-mail address) and password, each time (21 CFR 11.200)."""

from datetime import timedelta
from http import HTTPStatus

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from apps.accounts.models import User
from apps.audit.models import AuditEvent
from apps.audit.services import record
from apps.core.errors import Refusal
from apps.crf.models import CrfForm

MOST_FAILURES = 5
WINDOW = timedelta(minutes=15)
FAILED = "fail_signing"


@sensitive_variables("password")
def confirm_person(*, actor: User, username: str, password: str, form: CrfForm) -> None:
    """Raise Refusal unless both are the actor's own. Each failure stays in the audit trail, and is counted there."""
    with transaction.atomic():
        # The lock counts attempts of the same moment one after the other.
        person = User.objects.select_for_update().get(pk=actor.pk)
        refusal = _without_asking(person)
        if refusal is None and not _is_his(person, username, password):
            refusal = Refusal("wrong_password", _("User name or password is not yours. Enter both again."))
            record(actor=actor, action=FAILED, target=form, center=form.patient.center)
    # Raised out here, so that the failure is committed.
    if refusal is not None:
        raise refusal


def _without_asking(person: User) -> Refusal | None:
    if not person.has_usable_password():
        sentence = _("Your account has no password, and signing needs one. Ask the administrator to give you one.")
        return Refusal("no_password", sentence)
    since = timezone.now() - WINDOW
    if AuditEvent.objects.filter(actor=person, action=FAILED, at__gte=since).count() >= MOST_FAILURES:
        sentence = _("Signing failed too often. Wait %(n)d minutes, then sign again.") % {"n": WINDOW.seconds // 60}
        return Refusal("too_many_failures", sentence, status=HTTPStatus.TOO_MANY_REQUESTS)
    return None


@sensitive_variables("password")
def _is_his(person: User, username: str, password: str) -> bool:
    names = {person.username.casefold(), person.email.casefold()} - {""}
    return username.strip().casefold() in names and person.check_password(password)
