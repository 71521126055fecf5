"""The one gate before a patient's scores and predictions: an outcome assessor passes it once he has signed the outcome.

Nobody passes it whose own work, a second entry, needs him not to know what they are made of.

Who has signed is known to the CRF, a later app, which tells it here as `facts.py` is told.
"""

from collections.abc import Callable, Iterable

from django.http import Http404

from apps.accounts.access import Actor, has_permission, is_assessor
from apps.accounts.models import User
from apps.accounts.policy import PROGNOSIS, Permission
from apps.patients.models import Patient

# Returns the keys of those patients whose outcome the person has signed.
Source = Callable[[User, list[Patient]], set[int]]
_sources: list[Source] = []
# Returns the keys of those patients of whose values a person must see none at the moment.
Hiding = Callable[[User], set[int]]
_hidings: list[Hiding] = []


def tell(source: Source) -> None:
    """Name who knows whose outcome a person has signed."""
    if source not in _sources:
        _sources.append(source)


def hide(hiding: Hiding) -> None:
    """Name who knows of whose values a person must see none at the moment."""
    if hiding not in _hidings:
        _hidings.append(hiding)


def hidden_from(actor: Actor) -> set[int]:
    """Return the keys of the patients of whose values the actor must see none; none of another person's work."""
    return set().union(*(hiding(actor) for hiding in _hidings)) if isinstance(actor, User) else set()


def allowed_patients(actor: Actor, permission: Permission, patients: Iterable[Patient]) -> list[Patient]:
    """Return those patients on whom the actor holds a permission; the same few queries, however many they are."""
    patients = list(patients)
    allowed = {patient.pk for patient in patients if has_permission(actor, permission, patient.center)}
    if permission in PROGNOSIS:
        allowed |= _unblinded(actor, [patient for patient in patients if is_assessor(actor, patient.center)])
        allowed -= hidden_from(actor)
    return [patient for patient in patients if patient.pk in allowed]


def may(actor: Actor, permission: Permission, patient: Patient) -> bool:
    """Say whether the actor holds a permission on one patient."""
    return bool(allowed_patients(actor, permission, [patient]))


def require_on(actor: Actor, permission: Permission, patient: Patient) -> None:
    """Raise Http404 unless the actor holds the permission on the patient."""
    if not may(actor, permission, patient):
        raise Http404


def _unblinded(actor: Actor, patients: list[Patient]) -> set[int]:
    if not patients or not isinstance(actor, User):
        return set()
    return set().union(*(source(actor, patients) for source in _sources))
