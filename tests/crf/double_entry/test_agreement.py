"""The agreement of both entries as page, file and API tell it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.core.bland_altman import HEIGHT, WIDTH, plot_of
from apps.crf.double_entry.agreement import Agreement, PersonRow, agreement_of, people_rows, submitted_for
from apps.patients.models import Patient
from tests.crf.double_entry.steps import Users, colleague, decide, enter, start, submit
from tests.factories import PatientFactory

pytestmark = pytest.mark.django_db
# Pressures that agree once in twelve pairs; the formulas have their papers in tests/ml/statistics.
LARGE = [149, 139, 151, 143, 147, 155, 141, 144, 165, 143, 141, 165]
MINI = [151, 143, 152, 142, 150, 160, 136, 138, 165, 144, 143, 162]
# Both say yes 5 times, both no 4, one of them 3 times: 9 of 12 equal, by chance half.
YES = [True] * 5 + [False] * 4 + [True, True, False]
AGAIN = [True] * 5 + [False] * 4 + [False, False, True]


@pytest.fixture
def people(two_centers: tuple[Center, Center]) -> tuple[User, User]:
    return colleague(two_centers[0], name="one"), colleague(two_centers[0], name="other")


@pytest.fixture
def entered(people: tuple[User, User], two_centers: tuple[Center, Center]) -> None:
    for large, mini, yes, again in zip(LARGE, MINI, YES, AGAIN, strict=True):
        patient = PatientFactory(center=two_centers[0])
        form = enter(people[0], patient, systolic_bp=large, headache=yes, sex="male")
        submit(people[1], start(people[1], form), systolic_bp=mini, headache=again, sex="male", nihss="!unknown")


def by_name(rows: Iterable[Agreement]) -> dict[str, Agreement]:
    return {row.variable.name: row for row in rows}


def test_each_variable_has_the_figures_of_its_kind(users: Users, entered: None) -> None:
    rows = by_name(agreement_of(submitted_for(users[Role.DATA_MANAGER])))
    assert list(rows) == ["sex", "nihss", "systolic_bp", "headache"]
    pressure, headache = rows["systolic_bp"], rows["headache"]
    assert (pressure.n, pressure.equal, pressure.both) == (12, 1, 12)
    assert pressure.limits is not None and pressure.icc is not None and pressure.kappa is None
    difference = [large - mini for large, mini in zip(LARGE, MINI, strict=True)]
    assert pressure.limits.mean.value == pytest.approx(sum(difference) / 12)
    assert (headache.n, headache.equal) == (12, 9) and headache.share is not None
    # Fractions of yes 7/12 and 6/12: by chance 1/2 agree, so kappa = (9/12 - 1/2) / (1 - 1/2).
    assert headache.kappa is not None and headache.kappa.value == pytest.approx(0.5)
    assert (rows["nihss"].n, rows["nihss"].equal, rows["nihss"].both, rows["nihss"].icc) == (12, 0, 0, None)
    same = rows["sex"]
    assert same.kappa is not None and same.kappa.value != same.kappa.value, "one answer throughout has no kappa"


def test_grades_are_weighted(users: Users, people: tuple[User, User], two_centers: tuple[Center, Center]) -> None:
    for grade in range(10):
        form = enter(people[0], PatientFactory(center=two_centers[0]), mrs_discharge=1 + grade % 4)
        submit(people[1], start(people[1], form), mrs_discharge=1 + grade % 4 + (grade == 0))
    (row,) = agreement_of(submitted_for(users[Role.PI]))
    assert row.is_weighted and row.kappa is not None
    # One of ten is off by one of the six steps from 0 to 6; what chance gives follows from the two margins.
    first = [1 + grade % 4 for grade in range(10)]
    second = [2, *first[1:]]
    chance = sum((a - b) ** 2 for a in first for b in second) / 36 / 100
    assert row.kappa.value == pytest.approx(1 - (1 / 36 / 10) / chance)


def test_below_ten_nothing_is_estimated(users: Users, people: tuple[User, User], patient: Patient) -> None:
    submit(people[1], start(people[1], enter(people[0], patient, age=60, sex="male")), age=61, sex="male")
    for row in agreement_of(submitted_for(users[Role.MONITOR])):
        assert row.too_few and (row.share, row.kappa, row.icc, row.limits) == (None, None, None, None)


def test_a_person_is_charged_with_what_was_overruled(users: Users, people: tuple[User, User], patient: Patient) -> None:
    form = enter(people[0], patient, age=60, sex="male", systolic_bp=150, nihss=4)
    entry = submit(people[1], start(people[1], form), age=61, sex="male", systolic_bp=160, nihss=5)
    decide(users[Role.DATA_MANAGER], entry, age="first", systolic_bp="second", nihss="6")
    found = people_rows(submitted_for(users[Role.PI]))
    assert found == [PersonRow("One Person", 4, 2), PersonRow("Other Person", 4, 2)]
    assert found[0].too_few


def test_filters_by_center_and_person(
    users: Users, entered: None, people: tuple[User, User], two_centers: tuple[Center, Center], client_as: Any
) -> None:
    manager = users[Role.DATA_MANAGER]
    assert not submitted_for(manager, center=two_centers[1]) and not submitted_for(manager, person=people[0])
    assert submitted_for(manager, center=two_centers[0], person=people[1]).count() == 12
    page = client_as(manager).get(f"/double-entry/agreement/?center=C1&person={people[1].pk}")
    assert "Agreement of both entries in 12 forms" in page.content.decode()
    assert "in 0 forms" in client_as(manager).get("/double-entry/agreement/?center=nonsense").content.decode()


def test_the_file_and_the_api_tell_the_same(
    users: Users, entered: None, client_as: Callable[[User], Client], api_as: Callable[[User], APIClient]
) -> None:
    text = client_as(users[Role.PI]).get("/double-entry/agreement.csv").content.decode()
    lines = list(csv.DictReader(io.StringIO(text)))
    rows = api_as(users[Role.MONITOR]).get("/api/v1/double-entry/agreement/").json()
    assert rows["forms"] == 12 and [{k: str(v) for k, v in row.items()} for row in rows["rows"]] == lines
    headache = next(line for line in lines if line["variable"] == "headache")
    assert (headache["statistic"], headache["value"], headache["agreement"]) == ("kappa", "0.5", "0.75")


def test_a_plot_holds_every_point_and_line(users: Users, entered: None) -> None:
    row = by_name(agreement_of(submitted_for(users[Role.PI])))["systolic_bp"]
    plot = plot_of(row.points, row.limits)
    assert plot is not None and len(plot.points) == 12 and [line.is_mean for line in plot.lines] == [False, True, False]
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in plot.points)
    assert plot.lines[0].y > plot.lines[1].y > plot.lines[2].y
