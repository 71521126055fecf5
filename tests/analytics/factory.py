"""A finished experiment without training: forms of the simulated cohort, and made-up probabilities of two models.

Also the benchmark's way to 2,000 patients within seconds: `make_finished_experiment(400)`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from apps.accounts.models import Center, User
from apps.cohorts.models import Snapshot
from apps.cohorts.table import COMPARED_SCORES, NO_CT, count_exclusions
from apps.core import store
from apps.crf.dictionary import load_dictionary
from apps.crf.models import CrfForm
from apps.crf.rules import completeness
from apps.crf.selectors import score_inputs_of
from apps.demonstration.cohort import form_values
from apps.experiments.models import Experiment, PatientResult
from apps.patients.models import Patient
from ml.scores import SCORES
from ml.simulation import simulate_cohort
from tests.experiments.factory import serve
from tests.factories import CenterFactory, UserFactory

FOLDS = 5
TEST_SHARE = 0.2
# How far apart the models' log-odds of the two outcomes lie, in SDs: an AUC of about 0.9 and 0.87.
SEPARATION = {"fusion": 1.8, "imaging": 1.6}


def make_finished_experiment(n_per_center: int, centers: Sequence[str] = ("C1", "C2", "C3", "C4", "C5"), seed: int = 1,
                             *, left_out_per_center: int = 0) -> Experiment:  # fmt: skip
    """Create centers, patients with forms, a snapshot in the store, and an experiment with both models' results.

    Of each center's patients the first `left_out_per_center` are left out of the analysis for want of a CT.
    """
    actor = UserFactory(username=f"maker-{seed}")
    simulated = simulate_cohort(n_per_center * len(centers), seed=seed, centers=("all",)).to_dict("records")
    patients, rows = [], []
    for number, row in enumerate(simulated):
        code, place = centers[number % len(centers)], number // len(centers)
        values = form_values({str(name): value for name, value in row.items()}, number, discharged=True)
        patients.append((code, f"{code}-{place + 1:04d}", values))
        rows.append(_table_row(patients[-1], row, NO_CT if place < left_out_per_center else ""))
    saved = _save_patients(patients, centers, actor)
    return finish(pd.DataFrame(rows), saved, actor, seed)


def finish(table: pd.DataFrame, patients: dict[str, Patient], actor: User, seed: int) -> Experiment:
    """Freeze a table as a snapshot, and give every patient who is not left out a result of each model."""
    included = table[table["exclusion"] == ""]
    rng = np.random.default_rng(seed)
    results = []
    for study_id, poor in zip(included["study_id"], included["poor_outcome"], strict=True):
        fold = None if rng.random() < TEST_SHARE else int(rng.integers(1, FOLDS + 1))
        split = PatientResult.Split.TEST if fold is None else PatientResult.Split.CROSS_VALIDATION
        shared = rng.normal()
        for arm, separation in SEPARATION.items():
            log_odds = separation * (1 if poor else -1) / 2 + 0.8 * shared + 0.6 * rng.normal()
            probability = float(1 / (1 + np.exp(-log_odds)))
            results.append((study_id, arm, split, fold, probability))
    experiment = Experiment.objects.create(
        name=f"Simulated {seed}", snapshot=make_snapshot(table, actor), config={}, created_by=actor,
        finished_at=datetime(2025, 3, 1, 12, seed % 60, tzinfo=UTC), model_digest="0" * 64,
    )  # fmt: skip
    PatientResult.objects.bulk_create([
        PatientResult(experiment=experiment, patient=patients[study_id], arm=arm, split=split, fold=fold,
                      probability=probability)
        for study_id, arm, split, fold, probability in results
    ])  # fmt: skip
    return serve(experiment)


def make_snapshot(table: pd.DataFrame, actor: User) -> Snapshot:
    """Freeze a table as it is."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    name, digest = store.put(buffer.getvalue(), ".parquet")
    counts = {
        "patient_count": len(table),
        "included_count": int((table["exclusion"] == "").sum()),
        "exclusions": count_exclusions(table),
    }
    return Snapshot.objects.create(
        digest=digest, file=name, created_by=actor, dictionary_version=load_dictionary().id, **counts
    )


def _table_row(patient: tuple[str, str, dict[str, Any]], row: dict[Any, Any], exclusion: str) -> dict[str, Any]:
    code, study_id, values = patient
    inputs = {**score_inputs_of(values), "volume_ml": float(row["hematoma_volume_ml"])}
    return {
        "study_id": study_id,
        "center": code,
        "exclusion": exclusion,
        "poor_outcome": bool(row["poor_outcome"]),
        "hematoma_volume_ml": float(row["hematoma_volume_ml"]),
        **{f"score_{key}": SCORES[key].compute(inputs).value for key in COMPARED_SCORES},
        **{f"crf_{name}": value for name, value in values.items()},
    }


def _save_patients(
    patients: list[tuple[str, str, dict[str, Any]]], codes: Sequence[str], actor: User
) -> dict[str, Patient]:
    existing = {center.code: center for center in Center.objects.all()}
    centers = {code: existing.get(code) or CenterFactory(code=code) for code in codes}
    saved = Patient.objects.bulk_create(
        Patient(study_id=study_id, center=centers[code], enrolled_by=actor) for code, study_id, _ in patients
    )
    for center in centers.values():
        # Enrollment goes on counting where this left off.
        center.last_patient_number = sum(code == center.code for code, _, _ in patients)
        center.save()
    dictionary = load_dictionary().id
    CrfForm.objects.bulk_create(
        CrfForm(patient=patient, main_of=patient, dictionary_version=dictionary, values=values, version=1,
                is_complete=completeness(load_dictionary(), values).is_complete)
        for patient, (_, _, values) in zip(saved, patients, strict=True)
    )  # fmt: skip
    return {patient.study_id: patient for patient in saved}
