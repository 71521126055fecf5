"""Enrollment."""

from django.db import transaction

from apps.accounts.access import require
from apps.accounts.models import Center, User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.patients.models import Patient


@transaction.atomic
def enroll_patient(*, actor: User, center: Center) -> Patient:
    """Enroll one patient in a center and return him under a new study id such as C1-0007."""
    require(actor, Permission.ENROLL, center)
    # The lock keeps two enrollments at the same moment from taking one number.
    locked = Center.objects.select_for_update().get(pk=center.pk)
    locked.last_patient_number += 1
    locked.save(update_fields=["last_patient_number"])
    patient = Patient.objects.create(
        study_id=f"{locked.code}-{locked.last_patient_number:04d}", center=locked, enrolled_by=actor
    )
    record(actor=actor, action="enroll", target=patient, center=locked)
    return patient
