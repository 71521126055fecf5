"""Reading patients, always through the actor's centers."""

from django.db.models import QuerySet

from apps.accounts.access import Actor, centers_with, get_visible
from apps.accounts.policy import Permission
from apps.patients.blinding import require_on
from apps.patients.models import Patient


def patients_visible_to(actor: Actor, permission: Permission = Permission.VIEW_PATIENTS) -> QuerySet[Patient]:
    """Return the patients of the centers in which the actor holds the permission."""
    return Patient.objects.filter(center__in=centers_with(actor, permission)).select_related("center")


def access_patient(actor: Actor, study_id: str, *permissions: Permission) -> Patient:
    """Return one patient on whom the actor holds VIEW_PATIENTS and every permission named; Http404 otherwise."""
    patient = get_visible(patients_visible_to(actor), study_id=study_id)
    for permission in permissions:
        require_on(actor, permission, patient)
    return patient
