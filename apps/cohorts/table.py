"""The cohort as one table: a row a patient, what is known of him, and why he is left out if he is."""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from io import BytesIO
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from django.utils.translation import gettext_noop

from apps.annotation.models import Mask
from apps.annotation.selectors import current_masks
from apps.cohorts.scores import score_patient
from apps.crf.dictionary import Variable, VariableType, load_dictionary
from apps.crf.missing import REASONS_COLUMN, reasons_as_text
from apps.crf.models import CrfForm
from apps.crf.selectors import outcome_of
from apps.imaging.models import Series
from apps.imaging.selectors import chosen_series
from apps.patients.dates import move_date
from apps.patients.models import Patient
from ml.hematoma import FEATURES, FEATURES_VERSION
from ml.scores import SCORES

Row = dict[str, Any]

# Why a patient is left out, in this order: he is counted under the first that applies.
NO_OUTCOME = gettext_noop("outcome not known")
FORM_INCOMPLETE = gettext_noop("case report form not complete")
NO_CT = gettext_noop("no usable head CT")
NO_MASK = gettext_noop("no hematoma mask")
NO_SCORE = gettext_noop("a score cannot be computed")
REASONS = (NO_OUTCOME, FORM_INCOMPLETE, NO_CT, NO_MASK, NO_SCORE)
# The scores that the models are held against; every analysed patient has all of them.
COMPARED_SCORES = ("ich_score", "ich_gs")

_TYPES = {
    VariableType.INTEGER: pa.int64(),
    VariableType.DECIMAL: pa.float64(),
    VariableType.YESNO: pa.bool_(),
    VariableType.DATE: pa.string(),
    VariableType.TEXT: pa.string(),
}


def build_rows(centers: Iterable[str] | None = None) -> list[Row]:
    """Return the patients of the centers with these codes, left out: of all, ordered by study id.

    Forms, CTs and masks are read one after the other and may change meanwhile; a row still holds together, for its
    scores are computed from the very form and mask that it names, and a mask of another CT than its own is left out.
    """
    found = Patient.objects.select_related("center").order_by("study_id")
    patients = list(found if centers is None else found.filter(center__code__in=list(centers)))
    forms = {form.patient_id: form for form in CrfForm.objects.filter(main_of__in=patients)}
    series = _current_series(patients)
    masks = current_masks(patients)
    return [_row(patient, forms.get(patient.pk), series.get(patient.pk), masks.get(patient.pk)) for patient in patients]


def _current_series(patients: list[Patient]) -> dict[int, Series]:
    chosen = chosen_series().filter(patient__in=patients).defer("geometry", "preprocessing_report")
    return {series.patient_id: series for series in chosen}


def _row(patient: Patient, form: CrfForm | None, series: Series | None, mask: Mask | None) -> Row:
    values = {} if form is None else form.values
    if series is None or (mask is not None and mask.series_id != series.pk):
        mask = None
    # A CT whose preprocessing has not ended is the patient's CT, but not one to learn from yet.
    ready = series if series is not None and series.state == Series.State.READY else None
    poor = outcome_of(values)
    scores = {score.definition.key: score.value for score in score_patient(values, mask)}
    return {
        "study_id": patient.study_id,
        "center": patient.center.code,
        "exclusion": _exclusion(form, poor, ready, mask, scores),
        "poor_outcome": poor,
        "form_version": 0 if form is None else form.version,
        **_hematoma(mask),
        "hematoma_volume_ml": None if mask is None else float(mask.volume_ml),
        "mask_version": None if mask is None else mask.version,
        "mask_sha256": "" if mask is None else mask.sha256,
        "series_digest": "" if ready is None else ready.digest,
        "tensor": "" if ready is None else ready.tensor,
        "tensor_sha256": "" if ready is None else ready.tensor_sha256,
        "preprocessing_version": "" if ready is None else ready.preprocessing_version,
        **{f"score_{key}": value for key, value in scores.items()},
        **{f"crf_{name}": exported_value(variable, values.get(name), patient) for name, variable in _variables()},
        REASONS_COLUMN: "" if form is None else reasons_as_text(form.missing, load_dictionary().variables),
    }


def _hematoma(mask: Mask | None) -> Row:
    """Return what was measured of the hematoma; numbers of another version would not go with those of the others."""
    known = mask.features if mask is not None and mask.features_version == FEATURES_VERSION else {}
    return {f"hematoma_{name}": known.get(name) for name in FEATURES}


def _variables() -> Iterable[tuple[str, Variable]]:
    return load_dictionary().variables.items()


def exported_value(variable: Variable, value: Any, patient: Patient) -> Any:
    """Return a value as it may leave the forms: a date is moved by the patient's own offset, as his images' are."""
    if variable.type is not VariableType.DATE or value is None:
        return value
    return move_date(date.fromisoformat(value), patient.study_id).isoformat()


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


def included(rows: Iterable[Row]) -> list[Row]:
    """Return the patients who are analysed."""
    return [row for row in rows if not row["exclusion"]]


def count_exclusions(table: pd.DataFrame) -> dict[str, int]:
    """Return {reason: number of patients} in the order of `REASONS`."""
    counts = Counter(table["exclusion"])
    return {reason: counts[reason] for reason in REASONS if counts[reason]}


def to_parquet(rows: list[Row]) -> bytes:
    """Return the rows as Parquet; the columns and their types are the same whatever the patients' values are."""
    buffer = BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema()), buffer)
    return buffer.getvalue()


def schema() -> pa.Schema:
    """Return the columns of the table, with those of the form from the data dictionary."""
    text = ("study_id", "center", "exclusion", "mask_sha256", "series_digest", "tensor", "tensor_sha256")
    fields = {
        **dict.fromkeys(text, pa.string()),
        "preprocessing_version": pa.string(),
        "poor_outcome": pa.bool_(),
        "form_version": pa.int64(),
        **{f"hematoma_{name}": pa.float64() for name in FEATURES},
        "mask_version": pa.int64(),
        **{f"score_{key}": pa.int64() for key in SCORES},
        **{f"crf_{name}": _type(variable) for name, variable in load_dictionary().variables.items()},
        REASONS_COLUMN: pa.string(),
    }
    return pa.schema(fields.items())


def _type(variable: Variable) -> pa.DataType:
    if variable.type is VariableType.CHOICE:
        return pa.int64() if all(isinstance(choice.value, int) for choice in variable.choices) else pa.string()
    return _TYPES[variable.type]
