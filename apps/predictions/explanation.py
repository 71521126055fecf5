"""Asking for the explanation of the number that is shown as a patient's prognosis, and writing it down."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.cohorts.selectors import load_included_rows
from apps.core import jobs, store
from apps.core.errors import Refusal
from apps.core.models import Job
from apps.experiments.models import Experiment, PatientResult
from apps.imaging.models import Series
from apps.patients.blinding import require_on
from apps.patients.models import Patient
from apps.predictions.heatmap import pack, shares_of
from apps.predictions.models import Explanation
from apps.predictions.selectors import Prognosis, prognosis_of
from ml import explanation as science

# Engines differ in the third place at most; a larger difference explains another number than the one shown.
MOST_DIFFERENCE = 0.01


@dataclass(frozen=True)
class _Subject:
    """What an explanation explains; the names are those of the fields of `Explanation`."""

    series: Series
    tensor: str
    form_version: int
    arm: str
    fold: int | None
    probability: float


def request_explanation(*, actor: User, patient: Patient) -> Explanation:
    """Queue the explanation of the patient's prognosis, or again if it failed; asked for twice it is one.

    Raises
    ------
    Refusal
        ``no_prognosis``; ``image_changed``: the CT is no longer the one from which the prognosis was computed.
    """
    from apps.predictions.tasks import explain

    require_on(actor, Permission.VIEW_PREDICTIONS, patient)
    prognosis = prognosis_of(patient)
    subject = _subject_of(patient, prognosis)
    inputs = {"tensor": subject.tensor, "form_version": subject.form_version}
    rest = {name: value for name, value in vars(subject).items() if name not in inputs}
    with transaction.atomic():
        row, created = Explanation.objects.get_or_create(
            patient=patient, experiment=prognosis.experiment, **inputs, defaults=rest
        )
        if created:
            row.job = explain.enqueue(explanation_id=row.pk)
            row.save(update_fields=["job"])
        elif not _try_again(row):
            return row
        record(
            actor=actor,
            action="explain_prediction",
            target=row,
            center=patient.center,
            changes={"experiment": [None, row.experiment_id]},
        )
    return row


def _try_again(row: Explanation) -> bool:
    """Queue a failed job again; the lock lets one of two clicks at the same moment through."""
    job = Job.objects.select_for_update().get(explanation=row)
    if job.state != Job.State.FAILED:
        return False
    jobs.retry(job)
    return True


def _subject_of(patient: Patient, prognosis: Prognosis) -> _Subject:
    made = prognosis.prediction
    if prognosis.experiment is not None and prognosis.results:
        subject = _subject_of_result(patient, prognosis.experiment, prognosis.results[0])
    elif made is not None and made.probability is not None:
        subject = _Subject(made.series, made.tensor, made.form_version, made.arm, None, made.probability)
    else:
        raise Refusal("no_prognosis", _("There is no prognosis to explain yet; wait for the prediction."), status=409)
    if subject.series.tensor != subject.tensor:
        raise Refusal(
            "image_changed",
            _("The CT is no longer the one from which this prognosis was computed; train or promote a newer model."),
            status=409,
        )
    return subject


def _subject_of_result(patient: Patient, experiment: Experiment, result: PatientResult) -> _Subject:
    """Take CT and save of the form from the frozen cohort on which the run was made."""
    rows = load_included_rows(experiment.snapshot)
    row = next((row for row in rows if row["study_id"] == patient.study_id), None)
    series = patient.series.filter(digest=row["series_digest"]).first() if row else None
    if row is None or series is None:
        raise Refusal("image_changed", _("The CT that the run used is not here any more."), status=409)
    return _Subject(series, row["tensor"], row["form_version"], result.arm, result.fold, result.probability)


def save_explanation(
    *, explanation: Explanation, result: science.Explanation, levels: npt.NDArray[np.float32] | None
) -> None:
    """Write what was computed; what has been written is not written again. `levels` is the map on the CT's slices."""
    if abs(result.probability - explanation.probability) > MOST_DIFFERENCE:
        raise Refusal(
            "explains_another_number",
            _("The models now give another probability than the one shown. Tell the administrator."),
        )
    written: dict[str, Any] = {
        "method": result.method,
        "gate_mean": result.gate_mean,
        "baseline_logit": result.baseline_logit,
        "contributions": [asdict(contribution) for contribution in result.contributions],
        "file": "",
        "slice_shares": [],
    }
    if levels is not None:
        extents = np.asarray(explanation.series.geometry["extents"])
        written |= {"file": store.put(pack(levels), ".npz")[0], "slice_shares": shares_of(levels, extents)}
    Explanation.objects.filter(pk=explanation.pk, method="").update(**written)
