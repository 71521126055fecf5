"""The cohort as one table: a row a patient, what is known of him, and why he is left out if he is."""

from collections import Counter
from typing import Any

import pandas as pd
from django.utils.translation import gettext_noop

from apps.annotation.models import Mask
from apps.annotation.selectors import current_masks
from apps.cohorts.scores import score_patient
from apps.crf.models import CrfForm
from apps.crf.selectors import outcome_of
from apps.imaging.models import Series
from apps.patients.models import Patient

# Shown in this order: a patient is counted under the first that applies.
NO_OUTCOME = gettext_noop("outcome not known")
FORM_INCOMPLETE = gettext_noop("case report form not complete")
NO_CT = gettext_noop("no usable head CT")
NO_MASK = gettext_noop("no hematoma mask")
NO_SCORE = gettext_noop("a score cannot be computed")
# The scores that the models are held against; every analysed patient has all of them.
COMPARED_SCORES = ("ich_score", "ich_gs")


def build_table() -> pd.DataFrame:
    """Return all patients of all centers, ordered by study id."""
    patients = list(Patient.objects.select_related("center").order_by("study_id"))
    forms = {form.patient_id: form for form in CrfForm.objects.filter(patient__in=patients)}
    masks = current_masks(patients)
    series = _current_series(patients)
    rows = [_row(patient, forms.get(patient.pk), masks.get(patient.pk), series.get(patient.pk)) for patient in patients]
    return pd.DataFrame(rows)


def _current_series(patients: list[Patient]) -> dict[int, Series]:
    ready = Series.objects.filter(patient__in=patients, state=Series.State.READY).order_by("uploaded_at", "pk")
    # Later rows win: the newest CT counts.
    return {series.patient_id: series for series in ready.defer("geometry", "preprocessing_report")}


def _row(patient: Patient, form: CrfForm | None, mask: Mask | None, series: Series | None) -> dict[str, Any]:
    values = {} if form is None else form.values
    poor = outcome_of(values)
    scores = {score.definition.key: score.value for score in score_patient(values, mask)}
    return {
        "study_id": patient.study_id,
        "center": patient.center.code,
        "exclusion": _exclusion(form, poor, series, mask, scores),
        "poor_outcome": poor,
        "form_version": 0 if form is None else form.version,
        "hematoma_volume_ml": None if mask is None else float(mask.volume_ml),
        "mask_version": None if mask is None else mask.version,
        "mask_sha256": "" if mask is None else mask.sha256,
        "series_digest": "" if series is None else series.digest,
        "tensor": "" if series is None else series.tensor,
        "tensor_sha256": "" if series is None else series.tensor_sha256,
        "preprocessing_version": "" if series is None else series.preprocessing_version,
        **{f"score_{key}": value for key, value in scores.items()},
        **{f"crf_{name}": value for name, value in values.items()},
    }


def _exclusion(
    form: CrfForm | None, poor: bool | None, series: Series | None, mask: Mask | None, scores: dict[str, int | None]
) -> str:
    if poor is None:
        return NO_OUTCOME
    if form is None or not form.is_complete:
        return FORM_INCOMPLETE
    if series is None:
        return NO_CT
    if mask is None:
        return NO_MASK
    if any(scores[key] is None for key in COMPARED_SCORES):
        return NO_SCORE
    return ""


def count_exclusions(table: pd.DataFrame) -> dict[str, int]:
    """Return {reason: number of patients}."""
    return dict(Counter(reason for reason in table["exclusion"] if reason))
