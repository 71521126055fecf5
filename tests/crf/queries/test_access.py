"""Who reads which query: each his centers', and the blinded assessor nothing that would unblind him."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts.models import Center, User
from apps.accounts.policy import Permission, Role
from apps.crf.places import MAIN_PLACE
from apps.crf.queries.models import Query
from apps.crf.queries.rules import Rule, register_rule, rules
from apps.crf.queries.selectors import open_by_variable, queries_visible_to
from apps.crf.rows import get_row
from apps.crf.selectors import form_of
from apps.patients.models import Patient
from tests.factories import user_with

pytestmark = pytest.mark.django_db
Users = dict[Role, User]


@pytest.fixture
def telling() -> Iterator[str]:
    """A rule whose words tell what only those know who may see scores."""
    register_rule(Rule("score", "Score", lambda *_: [], str, tells=Permission.VIEW_SCORES))
    yield "score"
    del rules["score"]


@pytest.fixture
def queries(telling: str, patient: Patient, foreign_patient: Patient) -> dict[str, Query]:
    def add(variable: str, rule: str = "", whose: Patient = patient) -> Query:
        return Query.objects.create(patient=whose, form=get_row(whose, MAIN_PLACE), variable=variable, rule=rule)

    return {
        "clinical": add("age", "range"),
        "outcome": add("gos_discharge", "blank"),
        "asked": add("mrs_discharge"),
        "form": add(""),
        "image": add("age", "image_age"),
        "score": add("gos_discharge", "score"),
        "foreign": add("gos_discharge", whose=foreign_patient),
    }


OWN = {"clinical", "outcome", "asked", "form", "image", "score"}
SEES = {
    Role.COORDINATOR: OWN,
    Role.ASSESSOR: {"outcome", "asked", "foreign"},
    Role.DATA_MANAGER: OWN | {"foreign"},
    Role.PI: OWN | {"foreign"},
    Role.MONITOR: OWN - {"score"} | {"foreign"},  # sees no score, but the image
}


@pytest.mark.parametrize("role", list(Role))
def test_each_role_sees(
    role: Role, users: Users, queries: dict[str, Query], client_as: Callable[[User], Client],
    api_as: Callable[[User], APIClient],
) -> None:  # fmt: skip
    names = {query.pk: name for name, query in queries.items()}
    expected = SEES.get(role, set())
    assert {names[query.pk] for query in queries_visible_to(users[role])} == expected
    client, api = client_as(users[role]), api_as(users[role])
    assert {name for name, query in queries.items() if client.get(f"/queries/{query.pk}/").status_code == 200} == (
        expected
    )
    for name, query in queries.items():
        assert api.get(f"/api/v1/queries/{query.pk}/").status_code == (200 if name in expected else 404)
    if expected:
        assert {names[each["id"]] for each in api.get("/api/v1/queries/").json()["results"]} == expected


def test_the_marks_of_the_form_are_those_of_the_reader(users: Users, queries: dict[str, Query]) -> None:
    patient = queries["clinical"].patient
    assert open_by_variable(users[Role.ASSESSOR], form_of(patient)) == {"gos_discharge": 1, "mrs_discharge": 1}
    assert open_by_variable(users[Role.PI], form_of(patient)) == {
        "age": 2,
        "gos_discharge": 2,
        "mrs_discharge": 1,
        "": 1,
    }


def test_a_role_of_one_center_sees_that_center(queries: dict[str, Query], two_centers: tuple[Center, Center]) -> None:
    assessor = user_with(Role.ASSESSOR, two_centers[1], everywhere=False)
    assert list(queries_visible_to(assessor)) == [queries["foreign"]]


def test_the_assessor_answers_what_he_sees_and_nothing_else(
    users: Users, queries: dict[str, Query], client_as: Callable[[User], Client]
) -> None:
    client = client_as(users[Role.ASSESSOR])
    answers = {
        name: client.post(f"/queries/{query.pk}/answer/", {"text": "seen"}).status_code
        for name, query in queries.items()
    }
    assert {name for name, status in answers.items() if status == 302} == {"outcome", "asked", "foreign"}
    assert set(answers.values()) == {302, 404}
