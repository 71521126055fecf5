"""The summary's numbers, computed again from the rows by another library."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.metrics import roc_auc_score

from apps.accounts.models import Center
from apps.demonstration.summary import summary_lines
from apps.experiments.models import Experiment, PatientResult
from apps.experiments.selectors import results_table
from apps.patients.changes import announce
from apps.patients.models import Patient
from ml.scores import ich_gs, ich_score
from tests.cohorts import factory

pytestmark = pytest.mark.slow


def cells(lines: list[str]) -> dict[str, list[str]]:
    """Return the numbers of each line by its label, which fills the first 36 columns."""
    return {line[:36].strip(): line[36:].split() for line in lines if len(line) > 36}


def test_the_summary_of_a_finished_demonstration(
    trained: Experiment, two_centers: Any, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        announce(factory.ready_patient(two_centers[0], factory.simulated_rows(1, 1)[0], 0, discharged=False))
    factory.run_waiting(django_capture_on_commit_callbacks)

    # Any order of the patients will do: the summary shows the area under the curve of what it is given.
    table = results_table(trained)
    best = {study_id: (7 * number % 24) / 24 for number, study_id in enumerate(sorted(table["study_id"]))}
    lines = summary_lines(best)
    found = cells(lines)
    assert lines[1] == "Simulated data: no real patient, no real result."
    for label, n in (
        ("centers", Center.objects.count()), ("patients", 25), ("head CTs preprocessed", 25), ("hematoma masks", 25),
        ("predictions for patients in hospital", 1),
    ):  # fmt: skip
        assert found[label] == [str(n)]

    ceiling = roc_auc_score(table["poor_outcome"].astype(int), table["study_id"].map(best))
    assert found["best possible, from form and CT"][:2] == ["24", f"{ceiling:.3f}"]
    assert (
        found["fusion model"][-1]
        == f"{ceiling - roc_auc_score(table['poor_outcome'].astype(int), table['fusion']):.3f}"
    )

    patients = {patient.pk: patient.form.values for patient in Patient.objects.select_related("form")}
    rows = PatientResult.objects.filter(experiment=trained)
    for label, arm in (("fusion model", "fusion"), ("imaging model", "imaging")):
        own = rows.filter(arm=arm)
        poor = [patients[row.patient_id]["gos_discharge"] <= 3 for row in own]
        area = roc_auc_score(poor, [row.probability for row in own])
        assert found[label][:2] == ["24", f"{area:.3f}"]
    included = list(Patient.objects.filter(results__arm="fusion").select_related("form"))
    poor = [patient.form.values["gos_discharge"] <= 3 for patient in included]
    for label, score in (("ICH score", ich_score), ("ICH-GS", ich_gs)):
        values = [score(**inputs_of(patient)) for patient in included]
        assert found[label][:2] == ["24", f"{roc_auc_score(poor, values):.3f}"]


def test_the_summary_has_no_best_possible_where_a_patient_was_not_simulated(trained: Experiment) -> None:
    known = dict.fromkeys(results_table(trained)["study_id"], 0.5)
    assert "best possible" in "\n".join(summary_lines(known))
    known.popitem()
    found = cells(summary_lines(known))
    assert not any(label.startswith("best") for label in found)
    assert len(found["fusion model"]) == 5


def inputs_of(patient: Patient) -> dict[str, Any]:
    values = patient.form.values
    return {
        "age": values["age"], "gcs": values["gcs"], "ivh": values["ivh"],
        "infratentorial": values["location"] == "infratentorial", "volume_ml": float(patient.masks.get().volume_ml),
    }  # fmt: skip


def test_the_summary_without_a_model(two_centers: Any) -> None:
    assert summary_lines({})[-1] == "no model"
