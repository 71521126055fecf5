"""What the form tells other apps of a patient."""

from datetime import date

from apps.crf.models import CrfForm
from apps.patients.facts import Facts
from apps.patients.models import Patient

_SEXES = {"male": "M", "female": "F"}


def facts_from_form(patient: Patient) -> Facts:
    """Return age, sex and day of admission as the form holds them now."""
    # Read anew: the patient at hand may carry the form as it was before a save.
    values = CrfForm.objects.filter(main_of=patient).values_list("values", flat=True).first() or {}
    age, day = values.get("age"), values.get("admission_date")
    return Facts(
        age=None if age is None else float(age),
        sex=_SEXES.get(str(values.get("sex")), ""),
        admission=None if day is None else date.fromisoformat(day),
    )
