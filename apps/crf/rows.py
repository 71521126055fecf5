"""The rows of forms."""

from collections.abc import Collection

from apps.crf.models import CrfForm
from apps.crf.places import MAIN_PLACE, Place
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


def main_rows(patients: Collection[Patient]) -> dict[int, CrfForm]:
    """Return the rows of the main forms by patient key, made empty where there were none; in two queries."""
    # Another may make the same row at the same moment.
    CrfForm.objects.bulk_create([new_form(patient, MAIN_PLACE) for patient in patients], ignore_conflicts=True)
    return {form.patient_id: form for form in CrfForm.objects.filter(main_of__in=patients)}
