"""The page of an explanation: its states, its pictures, and who may see them."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 (its usual name)
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from PIL import Image

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.annotation.models import Mask
from apps.annotation.selectors import load_labels
from apps.core.models import Job
from apps.experiments.models import Experiment, PatientResult, ServingTerm
from apps.experiments.services import model_folder
from apps.imaging.models import Series
from apps.patients.models import Patient
from apps.predictions import compute, heatmap
from apps.predictions.contributions import bars_of, probability_of
from apps.predictions.models import Explanation, Prediction
from tests.cohorts import factory
from tests.conftest import ROOT
from tests.factories import PatientFactory
from tests.predictions.scans import scanned_patient

Capture = Callable[..., Any]


@pytest.fixture
def capture(django_capture_on_commit_callbacks: Capture) -> Capture:
    return django_capture_on_commit_callbacks


@pytest.fixture
def newcomer(trained: Experiment, two_centers: tuple[Center, Center], capture: Capture, tmp_path: Path) -> Patient:
    return scanned_patient(two_centers[0], tmp_path / "ct", capture)


@pytest.fixture
def reader(client_as: Callable[[User], Client], users: dict[Role, User]) -> Client:
    return client_as(users[Role.COORDINATOR])


@pytest.fixture
def explanation(newcomer: Patient, reader: Client, capture: Capture) -> Explanation:
    with capture(execute=True):
        assert reader.post(address(newcomer)).status_code == 302
    factory.run_waiting(capture)
    return Explanation.objects.get()


def address(patient: Patient, rest: str = "") -> str:
    return reverse("predictions:explanation", args=[patient.study_id]) + rest


def text_of(client: Client, patient: Patient) -> str:
    answer = client.get(address(patient))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def picture(client: Client, patient: Patient, index: int, *, outline: bool = False) -> np.ndarray:
    answer = client.get(address(patient, f"slices/{index}.png?overlay={int(outline)}"))
    assert answer.status_code == 200
    return np.asarray(Image.open(BytesIO(answer.content)).convert("RGBA"))


def test_from_the_patient_to_the_explanation(newcomer: Patient, reader: Client, capture: Capture) -> None:
    assert address(newcomer) in reader.get(f"/patients/{newcomer.study_id}/").content.decode()
    assert "Explain this prognosis" in text_of(reader, newcomer)
    assert not Explanation.objects.exists(), "to look is not to ask"
    with capture(execute=True):
        assert reader.post(address(newcomer))["Location"] == address(newcomer)
    waiting = text_of(reader, newcomer)
    assert 'data-state="queued"' in waiting and f'hx-get="{address(newcomer, "status/")}"' in waiting
    assert "HX-Trigger" not in reader.get(address(newcomer, "status/"))
    factory.run_waiting(capture)
    assert reader.get(address(newcomer, "status/"))["HX-Trigger"] == "job-ended"

    row, prediction = Explanation.objects.get(), Prediction.objects.get()
    assert prediction.probability is not None and prediction.gate_mean is not None
    page = text_of(reader, newcomer)
    assert f'<strong class="figure-number">{100 * prediction.probability:.0f} %</strong>' in page
    assert "By the fusion model (CT and form)" in page and "Research use only." in page
    assert f'<span class="figure-number">{prediction.gate_mean:.2f}</span>' in page
    assert page.count('<th scope="row">') == len(row.contributions) > 8
    assert "Glasgow Coma Scale" in page and "mmHg" in page
    assert f'data-slices="{row.series.slice_count}"' in page and 'data-part="overlay"' in page
    assert row.method in page


def test_a_slice_shows_the_map_where_it_is_and_the_ct_elsewhere(
    newcomer: Patient, explanation: Explanation, reader: Client
) -> None:
    index = int(np.argmax(explanation.slice_shares))
    levels = heatmap.load_slice(explanation.file, index)
    drawn = picture(reader, newcomer, index)
    assert drawn.shape == (*levels.shape, 4)
    assert (drawn[..., 3] > 0).any() and not drawn[levels <= 20, 3].any()
    assert (drawn[levels >= 128, 3] == 255).all()
    order = np.argsort(levels, axis=None, kind="stable")
    alpha = drawn[..., 3].ravel()[order]
    assert (np.diff(alpha.astype(int)) >= 0).all(), "more of the map is never drawn thinner"


def test_the_outline_is_left_free(newcomer: Patient, explanation: Explanation, reader: Client) -> None:
    labels = load_labels(Mask.objects.get(patient=newcomer))
    index = int(labels.sum(axis=(1, 2)).argmax())
    region = labels[index] > 0
    inside = [(y, x) for y, x in np.argwhere(region)]
    outline = [
        (y, x) for y, x in inside if not all(region[y + dy, x + dx] for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)))
    ]
    assert 0 < len(outline) < len(inside)
    plain, free = picture(reader, newcomer, index), picture(reader, newcomer, index, outline=True)
    on_outline = np.zeros_like(region)
    on_outline[tuple(np.transpose(outline))] = True
    assert not free[on_outline, 3].any()
    np.testing.assert_array_equal(free[~on_outline], plain[~on_outline])


def test_a_picture_is_sent_once(newcomer: Patient, explanation: Explanation, reader: Client) -> None:
    url = address(newcomer, "slices/3.png?overlay=0")
    first = reader.get(url)
    assert first["Cache-Control"].startswith("private") and first["Content-Type"] == "image/png"
    again = reader.get(url, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert reader.get(address(newcomer, "slices/4.png?overlay=0"))["ETag"] != first["ETag"]
    assert reader.get(address(newcomer, f"slices/{explanation.series.slice_count}.png")).status_code == 404


def test_the_map_as_nifti_lies_on_the_ct(
    newcomer: Patient, explanation: Explanation, reader: Client, tmp_path: Path
) -> None:
    answer = reader.get(address(newcomer, "map.nii.gz"))
    assert newcomer.study_id not in answer["Content-Disposition"]
    path = tmp_path / "map.nii.gz"
    path.write_bytes(answer.content)
    image = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), heatmap.load_map(explanation.file))
    spacing = explanation.series.geometry["pixel_spacing"]
    assert image.GetSpacing()[:2] == pytest.approx((spacing[1], spacing[0]), abs=1e-5)
    assert image.GetOrigin() == pytest.approx(explanation.series.geometry["positions"][0], abs=1e-3)


def test_what_the_api_shows(newcomer: Patient, explanation: Explanation, users: dict[Role, User], api_as: Any) -> None:
    api = api_as(users[Role.COORDINATOR])
    found = api.get(f"/api/v1/patients/{newcomer.study_id}/explanation/").json()["explanation"]
    assert found["probability"] == Prediction.objects.get().probability
    assert found["contributions"] == explanation.contributions
    assert (found["state"], found["fold"], found["arm"]) == ("succeeded", None, "fusion")
    assert found["map"] == address(newcomer, "map.nii.gz")
    assert len(found["slice_shares"]) == explanation.series.slice_count
    Explanation.objects.all().delete()
    assert api.get(f"/api/v1/patients/{newcomer.study_id}/explanation/").json() == {"explanation": None}


def test_who_may_not_see_predictions_finds_nothing(
    newcomer: Patient, explanation: Explanation, users: dict[Role, User], two_centers: tuple[Center, Center],
    client_as: Callable[[User], Client], api_as: Any,
) -> None:  # fmt: skip
    blinded = [users[role] for role in (Role.ASSESSOR, Role.ANNOTATOR, Role.REVIEWER, Role.MONITOR, Role.SCIENTIST)]
    for user in [*blinded, factory.coordinator_of(two_centers[1])]:
        client = client_as(user)
        for rest in ("", "status/", "slices/3.png", "map.nii.gz"):
            assert client.get(address(newcomer, rest)).status_code == 404, (user, rest)
        assert client.post(address(newcomer)).status_code == 404
        assert api_as(user).get(f"/api/v1/patients/{newcomer.study_id}/explanation/").status_code == 404


def test_a_failure_says_why_and_can_be_tried_again(
    newcomer: Patient, trained: Experiment, reader: Client, capture: Capture
) -> None:
    compute._load.cache_clear()
    weights = model_folder(trained) / "model.json"
    whole = weights.read_bytes()
    weights.write_bytes(b"{}")
    with capture(execute=True):
        reader.post(address(newcomer))
    factory.run_waiting(capture)
    page = text_of(reader, newcomer)
    assert 'class="job-failure"' in page and f'action="{address(newcomer)}"' in page
    weights.write_bytes(whole)
    with capture(execute=True):
        reader.post(address(newcomer))
    factory.run_waiting(capture)
    assert Explanation.objects.get().is_ready


def test_one_of_an_earlier_form_is_named_and_not_shown(
    newcomer: Patient, explanation: Explanation, reader: Client, capture: Capture
) -> None:
    with capture(execute=True):
        factory.fill_form(newcomer, {"age": 30 if newcomer.form.values["age"] > 50 else 80})
    factory.run_waiting(capture)
    page = text_of(reader, newcomer)
    assert "belongs to an earlier model, CT or form" in page and "Explain this prognosis" in page
    assert explanation.method not in page


def test_a_ct_that_was_made_anew_gets_no_old_map(newcomer: Patient, explanation: Explanation, reader: Client) -> None:
    Series.objects.filter(patient=newcomer).update(tensor="00/00/other.npy")
    page = text_of(reader, newcomer)
    assert "the map belongs to the earlier slices and is not shown" in page and "data-slice-url" not in page
    assert reader.get(address(newcomer, "slices/3.png")).status_code == 404
    assert reader.get(address(newcomer, "map.nii.gz")).status_code == 404


def test_each_state_without_a_prognosis_has_its_sentence(
    newcomer: Patient, trained: Experiment, two_centers: tuple[Center, Center], reader: Client
) -> None:
    Prediction.objects.update(probability=None)
    assert "It is made by itself once the CT is ready" in text_of(reader, newcomer)
    bare = PatientFactory(study_id="C1-0950", center=two_centers[0])
    assert "This patient has no CT" in text_of(reader, bare)
    assert address(bare) not in reader.get(f"/patients/{bare.study_id}/").content.decode()
    assert reader.post(address(bare)).status_code == 409
    ServingTerm.objects.update(ended_at=trained.finished_at)
    assert "No model is in service" in text_of(reader, newcomer)


def test_the_page_asks_as_much_whatever_has_been_predicted(
    newcomer: Patient, explanation: Explanation, trained: Experiment, reader: Client
) -> None:
    reader.get(address(newcomer))
    with CaptureQueriesContext(connection) as few:
        reader.get(address(newcomer))
    for number in range(10):
        prediction = Prediction.objects.get(form_version=1)
        prediction.pk, prediction.job, prediction.form_version = None, None, 100 + number
        prediction.created_at = trained.created_at
        prediction.save()
        other = Explanation.objects.get(form_version=1)
        other.pk, other.job, other.form_version = None, Job.objects.create(task="none", queue="imaging"), 100 + number
        other.created_at = trained.created_at
        other.save()
    with CaptureQueriesContext(connection) as many:
        assert explanation.method in reader.get(address(newcomer)).content.decode()
    assert len(many) == len(few)


def test_the_sentence_about_another_arm(newcomer: Patient, explanation: Explanation, reader: Client) -> None:
    Explanation.objects.update(arm="clinical", gate_mean=None, file="", slice_shares=[])
    page = text_of(reader, newcomer)
    assert "reads the form alone, so there is no map" in page and "comes from the form alone" in page
    assert "data-slice-url" not in page
    row = Explanation.objects.get()
    row.arm, row.contributions, row.file, row.slice_shares = "imaging", [], explanation.file, [0.0] * 28
    row.save()
    page = text_of(reader, newcomer)
    assert "comes from the CT alone" in page and "The map is empty" in page and "<table" not in page


def test_bars_reach_as_far_as_the_largest_and_point_to_its_side() -> None:
    bars = bars_of(
        [
            {"feature": "gcs", "value": 5, "logit": 1.5},
            {"feature": "age", "value": None, "logit": -0.75},
            {"feature": "of_old", "value": 3, "logit": 0.0},
        ]
    )
    assert [(bar.left, bar.width) for bar in bars] == [(0, 1), (-0.5, 0.5), (0, 0)]
    assert [(bar.label, bar.text, bar.unit) for bar in bars[1:]] == [("Age", "", "years"), ("of_old", "3", "")]
    assert bars_of([]) == []


@pytest.mark.parametrize(
    ("logit", "probability"), [(0.0, 0.5), (np.log(3), 0.75), (-np.log(3), 0.25), (800, 1), (-800, 0)]
)
def test_log_odds_as_probability(logit: float, probability: float) -> None:
    assert probability_of(logit) == pytest.approx(probability, abs=1e-12)


def test_the_legend_has_the_colors_of_the_map() -> None:
    style = (ROOT / "frontend" / "styles" / "explanation.css").read_text()
    found = re.findall(r"rgb\((\d+), (\d+), (\d+)\)", style)
    assert [tuple(map(int, color)) for color in found] == list(heatmap.STOPS)


def test_results_of_the_run_are_explained_too(
    trained: Experiment, reader: Client, client_as: Callable[[User], Client], users: dict[Role, User]
) -> None:
    result = PatientResult.objects.filter(experiment=trained, split="cv").select_related("patient")[0]
    page = text_of(client_as(users[Role.PI]), result.patient)
    assert "Explain this prognosis" in page
