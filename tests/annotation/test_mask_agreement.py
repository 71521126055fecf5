"""The page of how well two annotators agree. Volumes are those of a published table, in place of mL."""

import csv
import io
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.annotation.double_reading.agreement import closed_readings, pair_rows
from apps.annotation.models import DoubleReading, Mask
from apps.imaging.models import Series
from apps.patients.models import Patient
from tests.factories import PatientFactory, user_with
from tests.imaging.factory import receive_series, scan_files
from tests.ml.statistics.test_agreement import LARGE, MINI

Users = dict[Role, User]
Open = Callable[[User], Client]


@pytest.fixture
def two(two_centers: tuple[Center, Center], users: Users) -> tuple[User, User]:
    return users[Role.ANNOTATOR], user_with(Role.ANNOTATOR, two_centers[1])


def read_twice(
    center: Center, coordinator: User, two: tuple[User, User], volumes: tuple[int, int], number: int, dice: float = 0.9
) -> DoubleReading:
    """A CT with two outlines of these volumes; every other one was given to the two in the other order."""
    patient: Patient = PatientFactory(study_id=f"{center.code}-{number:04d}", center=center, enrolled_by=coordinator)
    series: Series = receive_series(actor=coordinator, patient=patient, files=scan_files(2, seed=number))
    masks = {
        user.pk: Mask.objects.create(
            series=series, patient=patient, version=version, file="none", sha256="0", volume_ml=Decimal(ml), abc2_ml=1,
            uploaded_by=user, suggestion_version=int(number == 1 and version == 2),
        )
        for version, (user, ml) in enumerate(zip(two, volumes, strict=True), start=1)
    }  # fmt: skip
    first, second = two if number % 2 else two[::-1]
    return DoubleReading.objects.create(
        series=series, patient=patient, first=first, second=second, first_mask=masks[first.pk],
        second_mask=masks[second.pk], dice=dice, hd95_mm=2.5, asked_by=coordinator, closed_at=timezone.now(),
    )  # fmt: skip


@pytest.fixture
def seventeen(
    two_centers: tuple[Center, Center], two: tuple[User, User], users: Users, foreign_coordinator: User
) -> None:
    """Twelve CTs of C1 and five of C2."""
    coordinators = (users[Role.COORDINATOR], foreign_coordinator)
    pairs = zip(LARGE, MINI, strict=True)
    for number, pair in enumerate(pairs, start=1):
        center, coordinator = two_centers[number > 12], coordinators[number > 12]
        read_twice(center, coordinator, two, pair, number, dice=0.6 if number == 3 else 0.9)


def test_limits_are_those_of_the_paper_whoever_was_asked_first(
    seventeen: None, users: Users, two: tuple[User, User]
) -> None:
    rows = pair_rows(closed_readings(users[Role.PI]))
    assert [(row.center, row.n, row.too_few) for row in rows] == [(None, 17, False), ("C1", 12, False), ("C2", 5, True)]
    everywhere = rows[0]
    assert everywhere.names == (two[0].full_name, two[1].full_name)
    limits = everywhere.limits
    assert limits is not None and (round(limits.mean.value, 1), round(limits.sd, 1)) == (-2.1, 38.8)
    assert (everywhere.dice, everywhere.lowest_dice, everywhere.hd95_mm, everywhere.suggested) == (0.9, 0.6, 2.5, 1)
    # Of five CTs neither.
    assert rows[2].icc is None and rows[2].limits is None


def test_the_page_and_the_file(seventeen: None, users: Users, client_as: Open) -> None:
    client = client_as(users[Role.MONITOR])
    page = client.get(reverse("masks:agreement"))
    text = page.content.decode()
    assert "17 CTs that two people have outlined" in text and "<circle" in text and "1 with a suggestion" in text
    assert page.context["cases"][0].reading.patient.study_id == "C1-0003", "the least alike first"
    assert "5 CTs that two people" in client.get(reverse("masks:agreement") + "?center=C2").content.decode()
    assert "0 CTs that two people" in client.get(reverse("masks:agreement") + "?center=nonsense").content.decode()
    lines = list(csv.DictReader(io.StringIO(client.get(reverse("masks:agreement-csv")).content.decode())))
    assert len(lines) == 17
    assert (lines[0]["patient"], lines[0]["first_ml"], lines[0]["second_ml"]) == ("C1-0001", "494.00", "512.00")
    assert (lines[0]["difference_ml"], lines[0]["suggested"], lines[1]["suggested"]) == ("-18.00", "1", "0")


def test_each_sees_his_centers(
    seventeen: None, users: Users, two_centers: tuple[Center, Center], client_as: Open
) -> None:
    elsewhere = user_with(Role.REVIEWER, two_centers[1], everywhere=False)
    assert [row.center for row in pair_rows(closed_readings(elsewhere))] == ["C2"]
    text = client_as(elsewhere).get(reverse("masks:agreement")).content.decode()
    assert "C1-" not in text and "C2-0013" in text
    for role in (Role.ANNOTATOR, Role.COORDINATOR, Role.ASSESSOR, Role.SCIENTIST):
        assert client_as(users[role]).get(reverse("masks:agreement")).status_code == 404


def test_an_open_one_is_not_told(users: Users, two: tuple[User, User], ct: Series, client_as: Open) -> None:
    DoubleReading.objects.create(
        series=ct, patient=ct.patient, first=two[0], second=two[1], asked_by=users[Role.DATA_MANAGER]
    )
    text = client_as(users[Role.DATA_MANAGER]).get(reverse("masks:agreement")).content.decode()
    assert "No CT has been outlined by two people yet" in text


def test_the_page_costs_the_same_for_many(
    two_centers: tuple[Center, Center], two: tuple[User, User], users: Users, client_as: Open
) -> None:
    client = client_as(users[Role.PI])

    def cost() -> int:
        client.get(reverse("masks:agreement"))
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("masks:agreement"))
        return len(queries)

    read_twice(two_centers[0], users[Role.COORDINATOR], two, (20, 22), 1)
    before = cost()
    for number in range(2, 6):
        read_twice(two_centers[0], users[Role.COORDINATOR], two, (20, 22), number)
    assert cost() == before
