"""The model registry: one model serves; promotion, retirement and roll-back are a person's, with his reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent
from apps.core.errors import Refusal
from apps.core.jobs import run_job
from apps.core.models import Job
from apps.experiments import registry
from apps.experiments.models import Experiment, ServingTerm
from apps.experiments.selectors import serving_experiment
from ml.preprocessing import PREPROCESSING_VERSION
from tests.experiments.factory import serve

WHY = "better in every center"
Capture = Callable[..., Any]


@pytest.fixture
def pi(users: dict[Role, User]) -> User:
    return users[Role.PI]


@pytest.fixture
def second(trained: Experiment) -> Experiment:
    """Another finished run on the same cohort, with no results of its own yet."""
    return Experiment.objects.create(
        name="Second",
        snapshot=trained.snapshot,
        config=trained.config,
        created_by=trained.created_by,
        finished_at=timezone.now(),
        card=trained.card,
        model_digest="2" * 64,
    )


def test_the_first_model_serves_by_itself_and_the_next_one_waits(trained: Experiment, second: Experiment) -> None:
    assert serving_experiment() == trained
    assert [(term.experiment, term.began_by) for term in ServingTerm.objects.all()] == [(trained, None)]
    registry.begin_first_term(second)
    assert serving_experiment() == trained


def test_promote_and_roll_back(trained: Experiment, second: Experiment, pi: User) -> None:
    registry.promote(actor=pi, experiment=second, reason=WHY)
    assert serving_experiment() == second
    registry.roll_back(actor=pi, reason="worse than before")
    assert serving_experiment() == trained
    registry.roll_back(actor=pi, reason="it was the scanner")
    assert serving_experiment() == second
    terms = list(ServingTerm.objects.order_by("pk"))
    assert [term.experiment for term in terms] == [trained, second, trained, second]
    assert [term.ended_at is None for term in terms] == [False, False, False, True]
    assert [term.ended_by for term in terms[:3]] == [pi] * 3
    actions = AuditEvent.objects.filter(actor=pi).order_by("pk").values_list("action", "reason", "changes")
    assert list(actions) == [
        ("promote_model", WHY, {"serving": [trained.pk, second.pk]}),
        ("roll_back_model", "worse than before", {"serving": [second.pk, trained.pk]}),
        ("roll_back_model", "it was the scanner", {"serving": [trained.pk, second.pk]}),
    ]


def test_retire_leaves_no_model_and_roll_back_brings_the_one_before(
    trained: Experiment, second: Experiment, pi: User
) -> None:
    registry.promote(actor=pi, experiment=second, reason=WHY)
    registry.retire(actor=pi, experiment=second, reason="a fault in its data")
    assert serving_experiment() is None
    assert ServingTerm.objects.latest("pk").end_reason == "a fault in its data"
    registry.roll_back(actor=pi, reason="the one before is sound")
    assert serving_experiment() == trained


def test_every_patient_whom_the_promoted_model_has_not_seen_is_predicted_by_it(
    trained: Experiment, second: Experiment, pi: User, django_capture_on_commit_callbacks: Capture
) -> None:
    from apps.predictions.models import Prediction

    with django_capture_on_commit_callbacks(execute=True):
        registry.promote(actor=pi, experiment=second, reason=WHY)
    job = Job.objects.latest("pk")
    assert (job.task, job.arguments) == ("apps.experiments.tasks.predict_unseen", {"experiment_id": second.pk})
    with django_capture_on_commit_callbacks(execute=True):
        run_job(job_id=job.pk)
    # This run holds no results, so all patients of the cohort are new to it.
    assert Prediction.objects.filter(experiment=second).count() == trained.results.values("patient").distinct().count()
    assert not Prediction.objects.filter(experiment=trained).exists()


@pytest.mark.parametrize(
    ("reason", "code"), [("", "no_reason"), (" ab  ", "no_reason"), ("x" * 301, "reason_too_long")]
)
def test_a_reason_is_asked_for(reason: str, code: str, trained: Experiment, second: Experiment, pi: User) -> None:
    for act in (
        lambda: registry.promote(actor=pi, experiment=second, reason=reason),
        lambda: registry.retire(actor=pi, experiment=trained, reason=reason),
    ):
        with pytest.raises(Refusal) as refused:
            act()
        assert refused.value.code == code
    assert serving_experiment() == trained and ServingTerm.objects.count() == 1


def test_what_may_not_be_promoted(trained: Experiment, second: Experiment, pi: User) -> None:
    def refusal(act: Callable[..., object], **arguments: Any) -> str:
        with pytest.raises(Refusal) as refused:
            act(actor=pi, reason=WHY, **arguments)
        return refused.value.code

    assert refusal(registry.roll_back) == "no_predecessor"
    assert refusal(registry.promote, experiment=trained) == "serves_already"
    assert refusal(registry.retire, experiment=second) == "not_serving"
    second.card = second.card | {"preprocessing_version": f"not {PREPROCESSING_VERSION}"}
    assert refusal(registry.promote, experiment=second) == "preprocessing_differs"
    second.finished_at = None
    assert refusal(registry.promote, experiment=second) == "not_finished"


def test_two_models_never_serve(trained: Experiment, second: Experiment) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ServingTerm.objects.create(experiment=second)
    serve(second)
    assert serving_experiment() == second


def test_in_the_browser(trained: Experiment, second: Experiment, users: dict[Role, User], client_as: Any) -> None:
    client, reader = client_as(users[Role.PI]), client_as(users[Role.DATA_MANAGER])
    page = client.get(f"/experiments/{second.pk}/").content.decode()
    assert "Promote this model" in page and trained.name in page
    assert "Promote this model" not in reader.get(f"/experiments/{second.pk}/").content.decode()
    refused = client.post(f"/experiments/{second.pk}/promote/", {"reason": ""})
    assert refused.status_code == 400 and "Say why" in refused.content.decode()
    done = client.post(f"/experiments/{second.pk}/promote/", {"reason": WHY}, follow=True).content.decode()
    assert "in service" in done and WHY in done and "Roll back to" in done and "Retire this model" in done
    assert "in service" in client.get("/experiments/").content.decode()
    back = client.post("/experiments/roll-back/", {"reason": "worse than before"}, follow=True)
    assert back.redirect_chain[-1][0] == f"/experiments/{trained.pk}/"
    gone = client.post(f"/experiments/{trained.pk}/retire/", {"reason": "a fault in its data"}, follow=True)
    assert "No model is in service" in gone.content.decode()


def test_by_the_api(trained: Experiment, second: Experiment, users: dict[Role, User], client_as: Any) -> None:
    client = client_as(users[Role.SCIENTIST])
    answer = client.post(f"/api/v1/experiments/{second.pk}/promote/", {"reason": WHY})
    assert answer.status_code == 200 and answer.json()["serves"] is True
    runs = client.get("/api/v1/experiments/").json()["results"]
    assert {run["id"]: run["serves"] for run in runs} == {trained.pk: False, second.pk: True}
    assert client.post(f"/api/v1/experiments/{trained.pk}/retire/", {"reason": WHY}).json()["code"] == "not_serving"
    assert client.post("/api/v1/experiments/roll-back/", {"reason": WHY}).json()["id"] == trained.pk


def test_the_card_says_what_the_model_is(trained: Experiment, users: dict[Role, User], client_as: Any) -> None:
    page = client_as(users[Role.DATA_MANAGER]).get(f"/experiments/{trained.pk}/model/")
    text = page.content.decode()
    assert page.status_code == 200
    assert trained.model_digest in text and trained.snapshot.digest in text and PREPROCESSING_VERSION in text
    assert all(f"<code>{feature['name']}</code>" in text for feature in trained.card["features"])
    assert "must not guide the treatment" in text and "first model of the study" in text
    assert {row.arm for row in page.context["calibrations"]} == {"fusion", "imaging"}
