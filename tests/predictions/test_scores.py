"""Clinical scores on the patient page, in the list and by the API: from the form and the mask, or not at all.

Expected points are those of Hemphill 2001 (ICH score) and Ruiz-Sandoval 2007 (ICH-GS).
"""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import Center, Membership, User
from apps.accounts.policy import Role
from apps.patients.models import Patient
from apps.predictions.page import load_scores
from tests.cohorts import factory
from tests.factories import PatientFactory

FORM = {
    "age": 79, "gcs": 13, "nihss": 10, "location": "supratentorial", "bleed_site": "basal_ganglia", "ivh": False,
    "bleed_side": "left", "anticoagulant_therapy": False, "cognitive_impairment": False, "coma": False,
}  # fmt: skip
SCORES = ("ich_score", "ich_gs", "modified_ich_cheung_zou_2003", "max_ich", "func_score")


@pytest.fixture
def scored(patient: Patient, files: Any) -> Patient:
    factory.fill_form(patient, FORM)
    factory.add_mask(factory.add_ct(patient), "29.99")
    return patient


def scores_by_api(api: Any, patient: Patient) -> dict[str, dict[str, Any]]:
    answer = api.get(f"/api/v1/patients/{patient.study_id}/scores/")
    assert answer.status_code == 200
    return {score["key"]: score for score in answer.json()}


def page_of(client: Any, patient: Patient) -> str:
    page: str = client.get(f"/patients/{patient.study_id}/").content.decode()
    return " ".join(page.split())


@pytest.mark.parametrize(
    ("volume", "ich", "gs", "func"),
    [("29.99", 0, 7, 9), ("30.00", 1, 7, 7), ("39.99", 1, 7, 7), ("40.00", 1, 8, 7), ("60.01", 1, 8, 5),
     ("70.00", 1, 8, 5), ("70.01", 1, 9, 5)],
)  # fmt: skip
def test_the_volume_of_the_mask_decides_at_its_second_decimal(
    scored: Patient, users: dict[Role, User], api_as: Any, client_as: Any, volume: str, ich: int, gs: int, func: int
) -> None:
    factory.add_mask(scored.series.get(), volume)
    scores = scores_by_api(api_as(users[Role.COORDINATOR]), scored)
    assert set(scores) == set(SCORES)
    assert (scores["ich_score"]["value"], scores["ich_gs"]["value"], scores["func_score"]["value"]) == (ich, gs, func)
    used = [point for point in scores["ich_score"]["points"] if point["input"] == "volume_ml"]
    assert [(point["value"], point["points"]) for point in used] == [(float(volume), ich)]
    page = page_of(client_as(users[Role.COORDINATOR]), scored)
    assert f"{volume} mL: <strong>{ich}</strong>" in page
    assert "volume: mask version 2, planimetry" in page and "case report form, save 1" in page


def test_the_points_of_each_item_are_shown_with_the_values_on_the_form(
    scored: Patient, users: dict[Role, User], api_as: Any, client_as: Any
) -> None:
    factory.fill_form(scored, {"age": 80, "gcs": 12, "ivh": True, "location": "infratentorial",
                               "bleed_site": "cerebellum"})  # fmt: skip
    factory.add_mask(scored.series.get(), "30.00")
    ich = scores_by_api(api_as(users[Role.PI]), scored)["ich_score"]
    assert {point["input"]: (point["value"], point["points"]) for point in ich["points"]} == {
        "age": (80, 1), "gcs": (12, 1), "volume_ml": (30.0, 1), "ivh": (True, 1), "infratentorial": (True, 1),
    }  # fmt: skip
    assert (ich["value"], ich["missing"], ich["problem"], ich["higher_is_worse"]) == (5, [], "", True)
    assert "Hemphill" in ich["citation"]
    page = page_of(client_as(users[Role.PI]), scored)
    assert "case report form, save 2" in page and "80: <strong>1</strong>" in page and "of 0–6" in page


@pytest.mark.parametrize(
    ("blank", "key", "label"), [("gcs", "gcs", "Glasgow Coma Scale"), ("age", "age", "age"),
                                ("ivh", "ivh", "intraventricular hemorrhage"),
                                ("location", "infratentorial", "infratentorial origin")],
)  # fmt: skip
def test_a_blank_makes_a_score_not_computable_and_is_named(
    scored: Patient, users: dict[Role, User], api_as: Any, client_as: Any, blank: str, key: str, label: str
) -> None:
    factory.fill_form(scored, {blank: None})
    ich = scores_by_api(api_as(users[Role.COORDINATOR]), scored)["ich_score"]
    assert (ich["value"], ich["missing"]) == (None, [key])
    assert key not in {point["input"] for point in ich["points"]}
    page = page_of(client_as(users[Role.COORDINATOR]), scored)
    assert "not computable" in page and f"missing: {label}".lower() in page.lower()


def test_without_a_mask_every_score_lacks_the_volume(
    patient: Patient, files: Any, users: dict[Role, User], api_as: Any, client_as: Any
) -> None:
    factory.fill_form(patient, FORM)
    scores = scores_by_api(api_as(users[Role.COORDINATOR]), patient)
    assert {key: (score["value"], score["missing"]) for key, score in scores.items()} == dict.fromkeys(
        SCORES, (None, ["volume_ml"])
    )
    page = page_of(client_as(users[Role.COORDINATOR]), patient)
    assert page.count("not computable") == 5 and "missing: hematoma volume" in page and "volume: no mask" in page
    assert load_scores("ich_score")([patient]) == {patient.pk: None}


def test_a_newer_ct_without_a_mask_has_no_volume(scored: Patient, users: dict[Role, User], api_as: Any) -> None:
    api = api_as(users[Role.COORDINATOR])
    assert scores_by_api(api, scored)["ich_score"]["value"] == 0
    factory.add_ct(scored, 1)
    assert scores_by_api(api, scored)["ich_score"]["missing"] == ["volume_ml"]


def test_an_empty_form_lacks_everything(
    patient: Patient, files: Any, users: dict[Role, User], api_as: Any, client_as: Any
) -> None:
    ich = scores_by_api(api_as(users[Role.COORDINATOR]), patient)["ich_score"]
    assert ich["value"] is None
    assert set(ich["missing"]) == {"age", "gcs", "volume_ml", "ivh", "infratentorial"}
    assert page_of(client_as(users[Role.COORDINATOR]), patient).count("not computable") == 5


@pytest.mark.parametrize("role", [Role.ASSESSOR, Role.ANNOTATOR, Role.REVIEWER, Role.MONITOR])
def test_the_blinded_see_no_score_and_no_prediction(
    scored: Patient, users: dict[Role, User], client_as: Any, api_as: Any, role: Role
) -> None:
    client, api = client_as(users[role]), api_as(users[role])
    page = page_of(client, scored)
    assert scored.study_id in page
    listing = client.get("/patients/").content.decode()
    assert scored.study_id in listing
    for text in (page, listing, api.get("/api/v1/patients/").content.decode()):
        for word in ("ICH-GS", "Hemphill", "ICH score", "P(poor)", "poor outcome (GOS", 'id="prediction"', "fusion"):
            assert word not in text
    assert api.get(f"/api/v1/patients/{scored.study_id}/scores/").status_code == 404
    assert api.get(f"/api/v1/patients/{scored.study_id}/prediction/").status_code == 404


def test_who_is_blinded_in_one_center_stays_so_in_the_list_of_several(
    scored: Patient, two_centers: tuple[Center, Center], client_as: Any
) -> None:
    own = PatientFactory(study_id="C2-0001", center=two_centers[1])
    factory.fill_form(own, FORM)
    factory.add_mask(factory.add_ct(own), "30.00")
    actor = factory.coordinator_of(two_centers[1])
    Membership.objects.create(user=actor, role=Role.ASSESSOR, center=two_centers[0])
    client = client_as(actor)
    rows = {
        row.split("</a>")[0].split(">")[-1]: row for row in client.get("/patients/").content.decode().split("<tr")[2:]
    }
    assert "C2-0001" in "".join(rows) and "C1-0001" in "".join(rows)
    score = '<td class="numeric">'
    assert rows["C2-0001"].count(score) >= rows["C1-0001"].count(score)
    assert "Hemphill" in page_of(client, own) and "Hemphill" not in page_of(client, scored)
    assert load_scores("ich_gs")([own]) == {own.pk: 7}


def test_a_column_of_the_list_takes_the_same_queries_for_any_number_of_patients(
    two_centers: tuple[Center, Center], files: Any
) -> None:
    patients = [PatientFactory(center=two_centers[0]) for _ in range(6)]
    for number, patient in enumerate(patients):
        factory.fill_form(patient, FORM)
        factory.add_mask(factory.add_ct(patient, number), "30.00")
    with CaptureQueriesContext(connection) as one:
        load_scores("ich_score")(list(Patient.objects.filter(pk=patients[0].pk)))
    with CaptureQueriesContext(connection) as all_of_them:
        values = load_scores("ich_score")(list(Patient.objects.all()))
    assert set(values.values()) == {1} and len(values) == 6
    assert len(one) == len(all_of_them)
