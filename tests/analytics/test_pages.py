"""The dashboard as people get it: who sees which centers, and that the page shows the numbers of the analysis."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator

import pandas as pd
import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient
from sklearn.metrics import roc_auc_score

from apps.accounts.models import Center, Membership, User
from apps.accounts.policy import Role
from apps.analytics.selectors import dashboard_visible_to
from apps.experiments.models import Experiment
from apps.experiments.selectors import results_table
from apps.patients.models import Patient
from tests.analytics.factory import finish, make_finished_experiment
from tests.experiments.factory import serve
from tests.factories import UserFactory, user_with

URL = "/dashboard/"
API = "/api/v1/analysis/"
SEEING = {Role.DATA_MANAGER, Role.PI, Role.SCIENTIST}

ClientAs = Callable[[User], Client]
ApiAs = Callable[[User], APIClient]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def experiment(two_centers: tuple[Center, Center]) -> Experiment:
    return make_finished_experiment(60, ("C1", "C2"), seed=4, left_out_per_center=3)


def member(role: Role, *centers: Center) -> User:
    """A user who holds a role in these centers only."""
    user = UserFactory(username=f"{role}-of-{len(centers)}")
    for center in centers:
        Membership.objects.create(user=user, role=role, center=center)
    return user


@pytest.mark.parametrize("role", list(Role))
def test_only_roles_with_a_dashboard_see_it(
    role: Role, users: dict[Role, User], client_as: ClientAs, api_as: ApiAs, experiment: Experiment
) -> None:
    expected = 200 if role in SEEING else 404
    assert client_as(users[role]).get(URL).status_code == expected
    assert client_as(users[role]).get(URL + "centers.csv").status_code == expected
    assert api_as(users[role]).get(API).status_code == expected


def test_the_whole_cohort_for_who_holds_it_everywhere(users: dict[Role, User], experiment: Experiment) -> None:
    shown = dashboard_visible_to(users[Role.PI])
    assert shown.analysis is not None and shown.analysis.centers == ("C1", "C2")
    assert shown.analysis.flow.enrolled == 120 and shown.analysis.flow.exclusions == {"no usable head CT": 6}


@pytest.mark.parametrize("role", sorted(SEEING))
def test_a_member_of_one_center_sees_that_center_alone(
    role: Role, two_centers: tuple[Center, Center], client_as: ClientAs, api_as: ApiAs, experiment: Experiment
) -> None:
    user = user_with(role, two_centers[0], everywhere=False)
    analysis = api_as(user).get(API).json()["analysis"]
    assert analysis["centers"] == ["C1"] and analysis["flow"]["enrolled"] == 60
    page = client_as(user).get(URL).content.decode()
    assert "center=C2" not in page and "C2</" not in page
    for foreign in ("C2", "C9"):
        assert client_as(user).get(URL, {"center": foreign}).status_code == 404
        assert client_as(user).get(URL + "centers.csv", {"center": foreign}).status_code == 404
        assert api_as(user).get(API, {"center": foreign}).status_code == 404


def test_a_member_of_two_of_three_centers_sees_their_union(client_as: ClientAs) -> None:
    make_finished_experiment(40, ("C1", "C2", "C3"), seed=5)
    user = member(Role.DATA_MANAGER, *Center.objects.filter(code__in=["C1", "C3"]))
    shown = dashboard_visible_to(user)
    assert shown.analysis is not None and shown.analysis.centers == ("C1", "C3")
    assert shown.analysis.flow.enrolled == 80
    page = client_as(user).get(URL).content.decode()
    assert "your centers: C1, C3" in page and "Whole cohort" not in page
    assert client_as(user).get(URL, {"center": "C2"}).status_code == 404


def test_a_person_who_is_not_signed_in_is_sent_to_sign_in(client: Client, experiment: Experiment) -> None:
    assert client.get(URL).status_code == 302
    assert APIClient().get(API).status_code == 401


def expected_table(experiment: Experiment, patients: str, center: str = "") -> pd.DataFrame:
    table = results_table(experiment)
    table = table if patients == "all" else table[table["split"] == patients]
    return table[table["center"] == center] if center else table


@pytest.mark.parametrize("patients", ["cv", "test", "all"])
@pytest.mark.parametrize("center", ["", "C1"])
def test_page_api_and_file_show_the_same_numbers(
    patients: str, center: str, users: dict[Role, User], client_as: ClientAs, api_as: ApiAs, experiment: Experiment
) -> None:
    query = {"patients": patients, "center": center}
    table = expected_table(experiment, patients, center)
    page = client_as(users[Role.PI]).get(URL, query).content.decode()
    answer = api_as(users[Role.PI]).get(API, query).json()
    content = client_as(users[Role.PI]).get(URL + "predictors.csv", query).content.decode()
    file = {row["predictor"]: row for row in csv.DictReader(io.StringIO(content))}
    assert answer["snapshot"] == experiment.snapshot.digest and experiment.snapshot.digest[:12] in page
    assert f"n = {len(table)}" in page
    columns = {"fusion": "fusion", "imaging": "imaging", "ich": "score_ich_score", "ich_gs": "score_ich_gs"}
    for result in answer["analysis"]["predictors"]:
        area = roc_auc_score(table["poor_outcome"].astype(bool), table[columns[result["key"]]])
        assert result["area"]["value"] == pytest.approx(area, abs=1e-12)
        assert float(file[result["key"]]["auc"]) == pytest.approx(area, abs=1e-12)
        assert f"{area:.3f}</span>" in page
        assert int(file[result["key"]]["n"]) == len(table)


def test_every_table_is_a_file_and_nothing_else_is(
    users: dict[Role, User], client_as: ClientAs, experiment: Experiment
) -> None:
    client = client_as(users[Role.PI])
    for name, lines in {"ich-score": 8, "ich-gs": 10, "predictors": 5, "comparisons": 6, "centers": 3}.items():
        response = client.get(f"{URL}{name}.csv", {"patients": "all"})
        assert response["Content-Disposition"] == f'attachment; filename="{name}-all.csv"'
        rows = list(csv.reader(io.StringIO(response.content.decode())))
        assert len(rows) == lines and {len(row) for row in rows} == {len(rows[0])}
    assert client.get(f"{URL}patients.csv").status_code == 404


def test_an_unknown_set_of_patients_is_refused_in_one_sentence(
    users: dict[Role, User], client_as: ClientAs, api_as: ApiAs, experiment: Experiment
) -> None:
    response = client_as(users[Role.PI]).get(URL, {"patients": "training"})
    assert response.status_code == 400 and "Choose cv, test or all." in response.content.decode()
    problem = api_as(users[Role.PI]).get(API, {"patients": "training"})
    assert (problem.status_code, problem.json()["code"]) == (400, "unknown_patients")


@pytest.mark.parametrize(
    ("role", "advice"), [(Role.SCIENTIST, "/experiments/new/"), (Role.PI, "Ask a scientist to start an experiment")]
)
def test_without_a_finished_experiment_the_page_says_what_to_do(
    role: Role, advice: str, users: dict[Role, User], client_as: ClientAs, api_as: ApiAs
) -> None:
    page = client_as(users[role]).get(URL)
    assert page.status_code == 200
    assert "No model is in service" in page.content.decode() and advice in page.content.decode()
    assert client_as(users[role]).get(URL + "centers.csv").status_code == 404
    assert api_as(users[role]).get(API).json()["code"] == "no_experiment"


def test_a_center_with_one_outcome_gets_a_sentence(
    two_centers: tuple[Center, Center], users: dict[Role, User], client_as: ClientAs
) -> None:
    actor = users[Role.SCIENTIST]
    saved = {
        study_id: Patient.objects.create(study_id=study_id, center=center, enrolled_by=actor)
        for center in two_centers
        for study_id in [f"{center.code}-{number:04d}" for number in range(40)]
    }
    table = pd.DataFrame({
        "study_id": list(saved),
        "center": [patient.center.code for patient in saved.values()],
        "exclusion": "",
        "poor_outcome": [number % 2 == 0 or number >= 40 for number in range(80)],
        "score_ich_score": [number % 5 for number in range(80)],
        "score_ich_gs": [5 + number % 7 for number in range(80)],
    })  # fmt: skip
    finish(table, saved, actor, seed=6)
    page = client_as(actor).get(URL, {"center": "C2", "patients": "all"}).content.decode()
    assert "All 40 patients here had a poor outcome; curves need both outcomes." in page
    assert "roc-figure" not in page and "ich-score-counts" in page
    whole = client_as(actor).get(URL, {"patients": "all"}).content.decode()
    assert "All 40 patients here had a poor outcome; curves need both outcomes." in whole and "roc-figure" in whole


def test_an_experiment_without_results_shows_no_number(
    users: dict[Role, User], client_as: ClientAs, experiment: Experiment
) -> None:
    experiment.results.all().delete()
    page = client_as(users[Role.PI]).get(URL)
    assert page.status_code == 200 and "No patient here has all four predictors." in page.content.decode()
    assert "114 analyzed patients were not predicted by this experiment." in page.content.decode()


def test_a_promoted_experiment_takes_over_at_once(users: dict[Role, User], experiment: Experiment) -> None:
    before = dashboard_visible_to(users[Role.PI])
    newer = Experiment.objects.create(
        name="newer",
        snapshot=experiment.snapshot,
        config={},
        created_by=users[Role.SCIENTIST],
        finished_at=timezone.now(),
    )
    assert dashboard_visible_to(users[Role.PI]).experiment == experiment
    serve(newer)
    after = dashboard_visible_to(users[Role.PI])
    assert before.experiment == experiment and after.experiment == newer
    assert after.analysis is not None and after.analysis.flow.without_result == 114


def test_number_of_queries_does_not_grow_with_patients(
    users: dict[Role, User], client_as: ClientAs, experiment: Experiment,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:  # fmt: skip
    client = client_as(users[Role.PI])
    with django_assert_max_num_queries(9):
        client.get(URL)
    # Kept: neither the snapshot nor the results are read again.
    with django_assert_max_num_queries(8) as captured:
        client.get(URL)
    assert not any("patientresult" in query["sql"] for query in captured.captured_queries)


def test_the_page_is_there_in_chinese(users: dict[Role, User], client_as: ClientAs, experiment: Experiment) -> None:
    response = client_as(users[Role.PI]).get(URL, headers={"accept-language": "zh-hans"})
    assert response.status_code == 200 and '<html lang="zh-hans"' in response.content.decode()


def test_the_link_to_the_experiment_is_for_who_may_open_it(
    users: dict[Role, User], two_centers: tuple[Center, Center], client_as: ClientAs, experiment: Experiment
) -> None:
    address = f"/experiments/{experiment.pk}/"
    assert address in client_as(users[Role.PI]).get(URL).content.decode()
    local = member(Role.PI, two_centers[0])
    page = client_as(local).get(URL).content.decode()
    assert experiment.name in page and address not in page
