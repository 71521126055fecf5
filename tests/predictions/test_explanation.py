"""Explanations: of which number, by which models, from which input, and when again."""

from __future__ import annotations

import math
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent
from apps.core import store
from apps.core.errors import Refusal
from apps.core.models import Job
from apps.crf.selectors import values_at
from apps.experiments.models import Experiment, PatientResult
from apps.experiments.registry import promote
from apps.experiments.services import model_folder
from apps.imaging import geometry
from apps.imaging.models import Series
from apps.patients.models import Patient
from apps.predictions import heatmap
from apps.predictions.explanation import request_explanation
from apps.predictions.models import Explanation, Prediction
from apps.predictions.selectors import explanation_of, prognosis_of
from ml import explanation as science
from ml.inference import load_model
from tests.cohorts import factory
from tests.experiments.fixtures import finish, queued
from tests.ml.training.factory import tiny_config
from tests.predictions.scans import give_affine, scanned_patient

Capture = Callable[..., Any]


@pytest.fixture
def capture(django_capture_on_commit_callbacks: Capture) -> Capture:
    return django_capture_on_commit_callbacks


@pytest.fixture
def newcomer(trained: Experiment, two_centers: tuple[Center, Center], capture: Capture, tmp_path: Path) -> Patient:
    """A patient enrolled after the training, with a simulated head's CT."""
    return scanned_patient(two_centers[0], tmp_path / "ct", capture)


def explained(patient: Patient, actor: User, capture: Capture) -> Explanation:
    """Ask for the explanation and let the workers finish."""
    with capture(execute=True):
        row = request_explanation(actor=actor, patient=patient)
    factory.run_waiting(capture)
    row.refresh_from_db()
    return row


def asked_again(row: Explanation, **options: Any) -> science.Explanation:
    """Ask ml.explanation with nothing but what the row names."""
    model = load_model(model_folder(row.experiment))
    record = values_at(row.patient.form, row.form_version)
    image = np.load(BytesIO(store.get(row.tensor)))
    return science.explain(model, image, record, arm=row.arm, may_impute=model.missing(record), **options)


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_a_prediction_is_explained_by_all_models_from_its_own_input(
    newcomer: Patient, users: dict[Role, User], capture: Capture
) -> None:
    prediction = Prediction.objects.get()
    row = explained(newcomer, users[Role.COORDINATOR], capture)
    named = (row.patient, row.experiment, row.series, row.tensor, row.form_version, row.arm, row.fold, row.probability)
    assert named == (newcomer, prediction.experiment, prediction.series, prediction.tensor, prediction.form_version,
                     "fusion", None, prediction.probability)  # fmt: skip
    assert row.job is not None and (row.job.state, row.job.queue) == ("succeeded", "imaging")
    assert row.gate_mean == pytest.approx(prediction.gate_mean, abs=1e-3)
    features = [feature["name"] for feature in row.experiment.card["features"]]
    assert sorted(entry["feature"] for entry in row.contributions) == sorted(features)
    values = values_at(newcomer.form, row.form_version)
    assert all(entry["value"] == values[entry["feature"]] for entry in row.contributions)
    sizes = [abs(entry["logit"]) for entry in row.contributions]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > 0
    assert row.baseline_logit is not None
    whole = row.baseline_logit + sum(entry["logit"] for entry in row.contributions)
    assert whole == pytest.approx(logit(row.probability), abs=1e-2)
    assert explanation_of(newcomer, prognosis_of(newcomer)) == row
    event = AuditEvent.objects.get(action="explain_prediction")
    assert (event.actor, event.center, event.object_id) == (users[Role.COORDINATOR], newcomer.center, str(row.pk))


def test_the_stored_map_is_that_of_the_models_on_the_slices_of_the_ct(
    newcomer: Patient, users: dict[Role, User], capture: Capture
) -> None:
    row = explained(newcomer, users[Role.COORDINATOR], capture)
    grid = geometry.from_json(row.series.geometry)
    again = asked_again(row)
    assert again.map is not None
    on_ct = science.map_on_ct(again.map, row.series.preprocessing_report["affine"], grid)
    stored = heatmap.load_map(row.file)
    assert stored.shape == (row.series.slice_count, 128, 128)
    np.testing.assert_allclose(stored / 255, on_ct, atol=0.5 / 255 + 1e-6)
    assert stored.max() > 0
    mass = (on_ct.sum(axis=(1, 2)) * grid.slice_extents).astype(float)
    np.testing.assert_allclose(row.slice_shares, mass / mass.sum(), atol=1e-3)
    assert newcomer.study_id not in row.file


@pytest.mark.parametrize("split", ["cv", "test"])
def test_a_patient_of_the_run_is_explained_by_models_that_never_saw_him(
    trained: Experiment, users: dict[Role, User], capture: Capture, split: str
) -> None:
    result = PatientResult.objects.filter(experiment=trained, arm="fusion", split=split).select_related("patient")[0]
    patient = result.patient
    give_affine(patient)
    # What has changed since the run has no say.
    with capture(execute=True):
        factory.fill_form(patient, {"age": 99})
    row = explained(patient, users[Role.PI], capture)
    assert row.job is not None and row.job.state == "succeeded", row.job.failure
    assert (row.arm, row.fold, row.probability, row.form_version) == ("fusion", result.fold, result.probability, 1)
    assert (row.fold is None) == (split == "test")
    own = asked_again(row, folds=None if row.fold is None else (row.fold,))
    # The line that recalibrates a fold's own patients is another one than the model's; it scales the log-odds.
    factor = scale_between(own, row)
    assert shares_of(row) == pytest.approx({name: factor * share for name, share in shares_of(own).items()}, abs=1e-4)
    assert row.baseline_logit is not None
    assert row.baseline_logit + sum(shares_of(row).values()) == pytest.approx(logit(result.probability), abs=1e-2)
    if row.fold is None:
        assert factor == pytest.approx(1, abs=1e-3)
    else:
        everyone = asked_again(row)
        factor = scale_between(everyone, row)
        scaled = {name: factor * share for name, share in shares_of(everyone).items()}
        assert max(abs(scaled[name] - share) for name, share in shares_of(row).items()) > 1e-2


def shares_of(found: Explanation | science.Explanation) -> dict[str, float]:
    if isinstance(found, Explanation):
        return {entry["feature"]: entry["logit"] for entry in found.contributions}
    return {each.feature: each.logit for each in found.contributions}


def scale_between(found: science.Explanation, row: Explanation) -> float:
    """Return by what the shares of one are to be multiplied to come nearest to those of the other."""
    pairs = [(share, shares_of(row)[name]) for name, share in shares_of(found).items()]
    return sum(one * other for one, other in pairs) / sum(one * one for one, _ in pairs)


def test_asked_for_twice_it_is_one(newcomer: Patient, users: dict[Role, User], capture: Capture) -> None:
    with capture(execute=True):
        first = request_explanation(actor=users[Role.COORDINATOR], patient=newcomer)
        assert request_explanation(actor=users[Role.PI], patient=newcomer) == first
    factory.run_waiting(capture)
    assert request_explanation(actor=users[Role.PI], patient=newcomer) == first
    assert Explanation.objects.count() == AuditEvent.objects.filter(action="explain_prediction").count() == 1
    Job.objects.filter(pk=first.job_id).update(state=Job.State.QUEUED)
    before = Explanation.objects.values().get()
    assert [job.state for job in factory.run_waiting(capture)] == ["succeeded"]
    assert Explanation.objects.values().get() == before, "a job that runs again writes nothing"


def test_another_number_than_the_one_shown_is_not_explained(
    newcomer: Patient, users: dict[Role, User], capture: Capture
) -> None:
    prediction = Prediction.objects.get()
    assert prediction.probability is not None
    other = prediction.probability + (0.1 if prediction.probability < 0.5 else -0.1)
    Prediction.objects.update(probability=other)
    row = explained(newcomer, users[Role.COORDINATOR], capture)
    assert row.job is not None and (row.job.state, row.job.failure_code) == ("failed", "explains_another_number")
    assert not row.is_ready and not row.file

    Explanation.objects.update(probability=prediction.probability)
    Prediction.objects.update(probability=prediction.probability)
    again = explained(newcomer, users[Role.PI], capture)
    assert again == row and again.is_ready, "to ask again is to try again"
    assert AuditEvent.objects.filter(action="explain_prediction").count() == 2


def test_a_changed_form_and_a_new_model_have_explanations_of_their_own(
    newcomer: Patient, scientist: User, users: dict[Role, User], capture: Capture
) -> None:
    first = explained(newcomer, users[Role.COORDINATOR], capture)
    with capture(execute=True):
        factory.fill_form(newcomer, {"age": 30 if newcomer.form.values["age"] > 50 else 80})
    factory.run_waiting(capture)
    assert explanation_of(newcomer, prognosis_of(newcomer)) is None
    second = explained(newcomer, users[Role.COORDINATOR], capture)
    assert (first.form_version, second.form_version) == (1, 2)
    assert second.contributions != first.contributions

    run = queued(scientist, capture, tiny_config(epochs=1, patience=1, seed=9))
    finish(run, capture)
    run.refresh_from_db()
    with capture(execute=True):
        promote(actor=users[Role.PI], experiment=run, reason="newer")
    factory.run_waiting(capture)
    assert explanation_of(newcomer, prognosis_of(newcomer)) is None
    third = explained(newcomer, users[Role.COORDINATOR], capture)
    assert third.is_ready and third.experiment == run
    assert Explanation.objects.count() == 3


def test_an_imaging_prediction_has_a_map_and_no_shares(
    newcomer: Patient, users: dict[Role, User], capture: Capture
) -> None:
    with capture(execute=True):
        factory.fill_form(newcomer, {"smoking": None})
    factory.run_waiting(capture)
    row = explained(newcomer, users[Role.COORDINATOR], capture)
    assert (row.arm, row.gate_mean, row.baseline_logit, row.contributions) == ("imaging", None, None, [])
    assert row.has_map


def test_what_cannot_be_explained_is_refused_with_a_reason(
    newcomer: Patient, users: dict[Role, User], capture: Capture
) -> None:
    coordinator = users[Role.COORDINATOR]
    name, digest = store.put(b"of another version", ".npy")
    Series.objects.filter(patient=newcomer).update(tensor=name, tensor_sha256=digest)
    with pytest.raises(Refusal) as refused:
        request_explanation(actor=coordinator, patient=newcomer)
    assert (refused.value.code, refused.value.status) == ("image_changed", 409)
    Prediction.objects.all().update(probability=None)
    with pytest.raises(Refusal) as refused:
        request_explanation(actor=coordinator, patient=newcomer)
    assert (refused.value.code, refused.value.status) == ("no_prognosis", 409)
    assert not Explanation.objects.exists()
