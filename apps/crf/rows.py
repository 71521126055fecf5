"""The row of a form."""

from apps.crf.models import CrfForm
from apps.crf.places import Place
from apps.crf.selectors import new_form
from apps.patients.models import Patient


def get_row(patient: Patient, place: Place) -> CrfForm:
    """Return the row of a form, made empty where there was none."""
    unsaved = new_form(patient, place)
    row, _created = CrfForm.objects.get_or_create(
        patient=patient, name=place.form, visit=place.visit, instance=place.instance,
        defaults={"dictionary_version": unsaved.dictionary_version, "main_of_id": unsaved.main_of_id},
    )  # fmt: skip
    return row
