"""Predictions that come by themselves: for whom, by which model, from which input, and when again."""

from __future__ import annotations

import io
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent
from apps.core import store
from apps.core.errors import Refusal
from apps.core.jobs import run_job
from apps.core.models import Job
from apps.crf.models import CrfForm, DictionaryVersion
from apps.crf.selectors import values_at
from apps.crf.versions.services import draft_version, publish_version, set_moves
from apps.experiments.models import Experiment, PatientResult
from apps.experiments.registry import promote
from apps.experiments.services import model_folder
from apps.imaging.choice import override
from apps.imaging.models import Series
from apps.patients.changes import announce
from apps.patients.models import Patient
from apps.predictions import compute
from apps.predictions.models import Prediction
from apps.predictions.selectors import probabilities, prognosis_of
from apps.predictions.services import retry_prediction, schedule_prediction
from ml.inference import load_model
from tests.cohorts import factory
from tests.crf.versions.conftest import shipped, text, variable
from tests.experiments.fixtures import finish, queued
from tests.factories import PatientFactory
from tests.ml.training.factory import tiny_config

Capture = Callable[..., Any]
ROWS = factory.simulated_rows(3, 3)


@pytest.fixture
def capture(django_capture_on_commit_callbacks: Capture) -> Capture:
    return django_capture_on_commit_callbacks


@pytest.fixture
def newcomer(trained: Experiment, two_centers: tuple[Center, Center], capture: Capture) -> Patient:
    """A patient in hospital with CT and a form that lacks nothing but the outcome, enrolled after the training."""
    with capture(execute=True):
        patient = factory.ready_patient(two_centers[0], ROWS[0], 0, discharged=False)
        announce(patient)
    factory.run_waiting(capture)
    return patient


def changed(capture: Capture, patient: Patient, **values: Any) -> None:
    with capture(execute=True):
        factory.fill_form(patient, values)
    factory.run_waiting(capture)


def computed_again(prediction: Prediction) -> Any:
    """Ask ml.inference with nothing but what the prediction's row names."""
    model = load_model(model_folder(prediction.experiment))
    assert model.digest == prediction.experiment.model_digest
    image = np.load(BytesIO(store.get(prediction.series.tensor)))
    return model.predict(image, values_at(prediction.patient.form, prediction.form_version))


def test_a_patient_outside_the_training_data_gets_one_by_himself(newcomer: Patient, trained: Experiment) -> None:
    prediction = Prediction.objects.get()
    assert (prediction.patient, prediction.experiment) == (newcomer, trained)
    assert prediction.series == newcomer.series.get() and prediction.form_version == newcomer.form.version == 1
    assert (prediction.arm, len(prediction.per_fold), prediction.missing) == ("fusion", 2, [])
    assert prediction.gate_mean is not None and 0 < prediction.gate_mean < 1
    assert prediction.job is not None and (prediction.job.state, prediction.job.queue) == ("succeeded", "imaging")
    assert AuditEvent.objects.filter(action="predict", center=newcomer.center, actor=None).count() == 1


def test_it_can_be_computed_again_from_its_row(newcomer: Patient) -> None:
    prediction = Prediction.objects.get()
    again = computed_again(prediction)
    assert again.probability == pytest.approx(prediction.probability, abs=1e-6)
    assert list(again.per_fold) == pytest.approx(prediction.per_fold, abs=1e-6)
    assert again.gate_mean == pytest.approx(prediction.gate_mean, abs=1e-6)
    assert prediction.probability == pytest.approx(np.mean(prediction.per_fold), abs=1e-12)
    assert prediction.tensor_sha256 == prediction.series.tensor_sha256


def test_a_changed_form_gives_a_further_prediction_and_the_old_one_stays(newcomer: Patient, capture: Capture) -> None:
    first = Prediction.objects.get()
    age = newcomer.form.values["age"]
    changed(capture, newcomer, age=age + 10 if age < 90 else age - 10)
    old, new = Prediction.objects.order_by("form_version")
    assert (old.pk, old.probability, old.form_version) == (first.pk, first.probability, 1)
    assert (new.form_version, new.arm) == (2, "fusion") and new.per_fold != old.per_fold
    for prediction in (old, new):
        assert computed_again(prediction).probability == pytest.approx(prediction.probability, abs=1e-6)
    assert prognosis_of(newcomer).prediction == new


def test_a_form_with_a_blank_gets_the_imaging_model_and_names_the_blank(
    newcomer: Patient, capture: Capture, users: dict[Role, User], api_as: Any, client_as: Any
) -> None:
    changed(capture, newcomer, smoking=None, systolic_bp=None)
    prediction = Prediction.objects.get(form_version=2)
    assert (prediction.arm, prediction.gate_mean) == ("imaging", None)
    assert prediction.missing == ["smoking", "systolic_bp"]
    assert computed_again(prediction).probability == pytest.approx(prediction.probability, abs=1e-6)
    page = " ".join(client_as(users[Role.PI]).get(f"/patients/{newcomer.study_id}/").content.decode().split())
    assert "the form lacks values that the fusion model needs (Smoking, Systolic blood pressure)" in page
    found = api_as(users[Role.PI]).get(f"/api/v1/patients/{newcomer.study_id}/prediction/").json()["prediction"]
    assert (found["arm"], found["missing"]) == ("imaging", ["smoking", "systolic_bp"])


def test_a_newer_ct_is_predicted_once_it_is_ready(newcomer: Patient, capture: Capture) -> None:
    first = Prediction.objects.get()
    series = factory.add_ct(newcomer, 77, state=Series.State.RECEIVED)
    override(series.uploaded_by, newcomer, series, "the initial CT")
    with capture(execute=True):
        announce(newcomer)
    assert list(Prediction.objects.all()) == [first], "not while it is being preprocessed"

    ready = factory.add_ct(newcomer, 78, bright=True)
    override(ready.uploaded_by, newcomer, ready, "the initial CT")
    with capture(execute=True):
        announce(newcomer)
    factory.run_waiting(capture)
    new = Prediction.objects.exclude(pk=first.pk).get()
    assert (new.series, new.form_version) == (ready, 1) and series.pk != ready.pk
    assert new.per_fold != first.per_fold
    assert prognosis_of(newcomer).prediction == new


def test_the_same_news_twice_is_one_prediction(newcomer: Patient, capture: Capture) -> None:
    for _ in range(3):
        with capture(execute=True):
            announce(newcomer)
    assert schedule_prediction(newcomer) is None
    assert (Prediction.objects.count(), Job.objects.filter(queue="imaging").count()) == (1, 1)
    prediction = Prediction.objects.get()
    Job.objects.filter(pk=prediction.job_id).update(state=Job.State.QUEUED)
    before = Prediction.objects.values().get()
    assert [job.state for job in factory.run_waiting(capture)] == ["succeeded"]
    assert Prediction.objects.values().get() == before
    assert AuditEvent.objects.filter(action="predict").count() == 1


def test_a_patient_of_the_training_data_keeps_his_cross_validated_result(
    trained: Experiment, cohort: list[Patient], capture: Capture, users: dict[Role, User], api_as: Any, client_as: Any
) -> None:
    assert not Prediction.objects.exists()
    results = PatientResult.objects.filter(experiment=trained, arm="fusion")
    for split in ("cv", "test"):
        patient = results.filter(split=split).select_related("patient").first().patient  # type: ignore[union-attr]
        changed(capture, patient, age=50)
        with capture(execute=True):
            announce(patient)
        assert not Prediction.objects.exists()
        expected = {result.arm: result.probability for result in patient.results.all()}
        assert {result.arm: result.probability for result in prognosis_of(patient).results} == expected
        body = api_as(users[Role.PI]).get(f"/api/v1/patients/{patient.study_id}/prediction/").json()
        assert body["prediction"] is None and body["model_digest"] == trained.model_digest
        assert {row["arm"]: row["probability"] for row in body["results"]} == expected
        page = client_as(users[Role.PI]).get(f"/patients/{patient.study_id}/").content.decode()
        assert "by models that never saw this patient" in page
        assert ("test split, mean of the fold models" in page) == (split == "test")


def test_patients_whom_the_run_left_out_are_predicted_when_it_ends(
    cohort: list[Patient],
    scientist: User,
    users: dict[Role, User],
    two_centers: tuple[Center, Center],
    capture: Capture,
) -> None:
    in_hospital = factory.ready_patient(two_centers[0], ROWS[1], 0, discharged=False)
    no_mask = PatientFactory(study_id="C1-0002", center=two_centers[0])
    factory.fill_form(no_mask, factory.values_of(ROWS[2]))
    factory.add_ct(no_mask, 9)
    no_ct = PatientFactory(study_id="C1-0003", center=two_centers[0])
    factory.fill_form(no_ct, factory.values_of(ROWS[2]))
    assert schedule_prediction(in_hospital) is None, "no model yet"

    first = queued(scientist, capture, tiny_config(epochs=1, patience=1))
    assert first.snapshot.included_count == 24
    factory.run_waiting(capture)
    predicted = Prediction.objects.filter(experiment=first, probability__isnull=False)
    assert {row.patient for row in predicted} == {in_hospital, no_mask}
    assert {row.arm for row in predicted} == {"fusion"}

    # A second model, trained without one of the first's patients, replaces the first once it is promoted.
    without = cohort[0]
    factory.fill_form(without, {"gos_discharge": None, "mrs_discharge": None})
    second = queued(scientist, capture, tiny_config(epochs=1, patience=1, seed=9))
    factory.run_waiting(capture)
    assert not Prediction.objects.filter(experiment=second).exists()
    second.refresh_from_db()
    with capture(execute=True):
        promote(actor=users[Role.PI], experiment=second, reason="it has seen more")
    factory.run_waiting(capture)
    predicted = Prediction.objects.filter(experiment=second, probability__isnull=False)
    assert {row.patient for row in predicted} == {in_hospital, no_mask, without}
    assert Prediction.objects.filter(experiment=first).count() == 2
    prognosis = prognosis_of(without)
    assert prognosis.experiment == second and prognosis.results == [] and prognosis.prediction is not None


def test_a_worker_killed_after_the_import_leaves_nobody_without_prediction(
    newcomer: Patient, trained: Experiment, capture: Capture
) -> None:
    Prediction.objects.all().delete()
    Job.objects.filter(pk=trained.finishing_id).update(state=Job.State.QUEUED)
    finish(trained, capture)
    factory.run_waiting(capture)
    assert Prediction.objects.get().patient == newcomer


def test_a_changed_model_file_is_a_sentence_and_no_number(
    newcomer: Patient, trained: Experiment, capture: Capture, users: dict[Role, User], client_as: Any
) -> None:
    compute._load.cache_clear()
    weights = model_folder(trained) / "checkpoints" / "fusion" / "fold-2-1.pt"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    changed(capture, newcomer, age=44)
    prediction = Prediction.objects.get(form_version=2)
    assert prediction.probability is None and prediction.job is not None
    assert (prediction.job.state, prediction.job.failure_code) == ("failed", "damaged_file")
    page = client_as(users[Role.COORDINATOR]).get(f"/patients/{newcomer.study_id}/").content.decode()
    assert "A weight file of the model is missing or damaged" in page and "Try again" in page

    weights.write_bytes(whole)
    retry = f"/patients/{newcomer.study_id}/prediction/{prediction.pk}/retry/"
    assert client_as(users[Role.MONITOR]).post(retry).status_code == 404
    with capture(execute=True):
        assert client_as(users[Role.COORDINATOR]).post(retry).status_code == 302
    factory.run_waiting(capture)
    prediction.refresh_from_db()
    assert prediction.probability is not None and prediction.arm == "fusion"
    with pytest.raises(Refusal, match="Only a failed job"):
        retry_prediction(actor=users[Role.COORDINATOR], prediction=prediction)


def test_every_prediction_is_computed_again_from_its_row(newcomer: Patient, capture: Capture) -> None:
    """What changed since (form, image) has no say; an altered number and a lost image are found."""
    changed(capture, newcomer, age=44)
    first, second = Prediction.objects.order_by("pk")
    assert second.engine.startswith("openvino ") and second.engine.endswith(", f32")
    Series.objects.filter(pk=second.series_id).update(tensor="", tensor_sha256="")
    answer = io.StringIO()
    call_command("check_predictions", stdout=answer)
    assert "2 of 2 predictions are as stored." in answer.getvalue()

    Prediction.objects.filter(pk=first.pk).update(per_fold=[value + 1e-4 for value in first.per_fold])
    Prediction.objects.filter(pk=second.pk).update(tensor="00/00/none.npy")
    answer = io.StringIO()
    with pytest.raises(CommandError, match="Not every prediction"):
        call_command("check_predictions", stdout=answer)
    assert f"prediction {first.pk}: differs by 1.0e-04" in answer.getvalue()
    assert f"prediction {second.pk}: its image is missing" in answer.getvalue()
    assert newcomer.study_id not in answer.getvalue()


def test_another_model_in_the_folder_is_refused(newcomer: Patient, trained: Experiment, capture: Capture) -> None:
    Experiment.objects.filter(pk=trained.pk).update(model_digest="f" * 64)
    changed(capture, newcomer, age=44)
    job = Prediction.objects.get(form_version=2).job
    assert job is not None and (job.state, job.failure_code) == ("failed", "model_changed")


def test_what_the_page_and_the_api_show(
    newcomer: Patient, trained: Experiment, users: dict[Role, User], client_as: Any, api_as: Any
) -> None:
    prediction = Prediction.objects.get()
    assert prediction.probability is not None
    percent = f"{100 * prediction.probability:.0f}"
    page = " ".join(client_as(users[Role.COORDINATOR]).get(f"/patients/{newcomer.study_id}/").content.decode().split())
    assert f'<div class="figure-number">{percent} %</div>' in page and "fusion model (CT and form)" in page
    assert trained.model_digest[:12] in page and "form save 1" in page
    found = api_as(users[Role.COORDINATOR]).get(f"/api/v1/patients/{newcomer.study_id}/prediction/").json()
    assert found["experiment"] == trained.pk and found["results"] == []
    assert found["prediction"]["probability"] == prediction.probability
    assert found["prediction"]["tensor_sha256"] == prediction.tensor_sha256
    status = f"/patients/{newcomer.study_id}/prediction/{prediction.pk}/status/"
    assert client_as(users[Role.COORDINATOR]).get(status)["HX-Trigger"] == "job-ended"


@pytest.mark.parametrize("role", [Role.ASSESSOR, Role.ANNOTATOR, Role.REVIEWER, Role.MONITOR])
def test_the_blinded_see_neither_prediction_nor_its_state(
    newcomer: Patient, users: dict[Role, User], client_as: Any, api_as: Any, role: Role
) -> None:
    prediction = Prediction.objects.get()
    assert prediction.probability is not None
    client = client_as(users[role])
    for address in ("/patients/", f"/patients/{newcomer.study_id}/"):
        text = client.get(address).content.decode()
        assert newcomer.study_id in text
        for word in ("fusion", "P(poor)", f"{100 * prediction.probability:.0f}\N{NARROW NO-BREAK SPACE}%"):
            assert word not in text
    assert client.get(f"/patients/{newcomer.study_id}/prediction/{prediction.pk}/status/").status_code == 404
    assert api_as(users[role]).get(f"/api/v1/patients/{newcomer.study_id}/prediction/").status_code == 404


def test_the_column_of_the_list_takes_the_same_queries_for_any_number_of_patients(
    newcomer: Patient, trained: Experiment
) -> None:
    with CaptureQueriesContext(connection) as one:
        assert probabilities([newcomer]) == {newcomer.pk: Prediction.objects.get().probability}
    with CaptureQueriesContext(connection) as everyone:
        found = probabilities(list(Patient.objects.all()))
    assert len(everyone) - 1 <= len(one), "one more reads the patients"
    fusion = PatientResult.objects.filter(experiment=trained, arm="fusion").values_list("patient_id", "probability")
    assert found == dict(fusion) | {newcomer.pk: Prediction.objects.get().probability}


def test_a_model_says_nothing_once_its_inputs_mean_something_else(
    newcomer: Patient, capture: Capture, users: dict[Role, User], client_as: Any
) -> None:
    """Smoking is recoded: to the model that serves, every patient's would be unknown, or worse, another."""
    data = shipped()
    word = {"en": "x", "zh-Hans": "x"}
    variable(data, "smoking").update(
        type="choice", choices=[{"value": value, "label": word} for value in ("never", "ever")]
    )
    actor = users[Role.DATA_MANAGER]
    draft = draft_version(actor=actor, content=text(data))
    moves = {"smoking": {"recode": {"true": "ever", "false": "never"}}}
    set_moves(actor=actor, version=draft, moves=moves)
    publish_version(actor=actor, version=draft, reason="amendment")
    with capture(execute=True):
        run_job(job_id=DictionaryVersion.objects.get().job_id)
    assert newcomer.form.version == 1 and CrfForm.objects.get(main_of=newcomer).version == 2
    assert Prediction.objects.get().form_version == 1
    assert prognosis_of(newcomer).is_outdated
    page = client_as(users[Role.PI]).get(reverse("patients:detail", args=[newcomer.study_id])).content.decode()
    assert "it makes no new prognosis" in page
