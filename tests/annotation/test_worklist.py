"""The worklist: which CTs are to be outlined, corrected and reviewed, for whom."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.annotation import services
from apps.annotation.review import approve_mask, return_mask
from apps.annotation.worklist.rows import Stage, count_waiting, worklist
from apps.imaging.models import Series
from apps.patients.models import Patient
from tests.annotation.conftest import square_labels
from tests.annotation.drawing import save
from tests.factories import PatientFactory, user_with
from tests.imaging.factory import receive_series, scan_files

Users = dict[Role, User]


def scanned(center: Center, actor: User, number: int) -> Series:
    patient: Patient = PatientFactory(study_id=f"{center.code}-{number:04d}", center=center, enrolled_by=actor)
    return receive_series(actor=actor, patient=patient, files=scan_files(5, seed=number))


@pytest.fixture
def stages(
    ct: Series, users: Users, two_centers: tuple[Center, Center], client_as: Callable[[User], Client]
) -> dict[str, Stage]:
    """One CT of C1 in each stage, in the order of their numbers."""
    annotator, reviewer, coordinator = (users[role] for role in (Role.ANNOTATOR, Role.REVIEWER, Role.COORDINATOR))
    others = [scanned(two_centers[0], coordinator, number) for number in range(2, 6)]
    save(client_as(annotator), others[0], {1: square_labels()[1]}, 0)
    masks = [services.store_mask(actor=annotator, series=each, mask=square_labels()) for each in others[1:]]
    return_mask(actor=reviewer, mask=masks[1], text="Look again.")
    approve_mask(actor=reviewer, mask=masks[2])
    names = [f"C1-{number:04d}" for number in range(1, 6)]
    order = (Stage.TO_DRAW, Stage.DRAWING, Stage.TO_REVIEW, Stage.RETURNED, Stage.APPROVED)
    return dict(zip(names, order, strict=True))


def found(actor: User) -> dict[str, Stage]:
    return {series.patient.study_id: Stage(series.stage) for series in worklist(actor)}  # type: ignore[attr-defined]


def test_every_stage(stages: dict[str, Stage], users: Users) -> None:
    assert found(users[Role.ANNOTATOR]) == stages


def test_what_waits_for_whom(stages: dict[str, Stage], users: Users, two_centers: tuple[Center, Center]) -> None:
    assert count_waiting(users[Role.REVIEWER]) == 1
    assert count_waiting(user_with(Role.REVIEWER, two_centers[1], everywhere=False)) == 0


def test_another_center_sees_none(stages: dict[str, Stage], foreign_coordinator: User, users: Users) -> None:
    assert found(foreign_coordinator) == {}
    assert found(users[Role.COORDINATOR]) == stages


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", [1, 2, 3, 4]),
        ("stage=approved", [5]),
        ("stage=to_review", [3]),
        ("whose=mine", [2, 3, 4]),
        ("whose=others", [1]),
        ("whose=mine&stage=returned", [4]),
    ],
)
def test_filters(
    query: str, shown: list[int], stages: dict[str, Stage], users: Users, client_as: Callable[[User], Client]
) -> None:
    text = client_as(users[Role.ANNOTATOR]).get(f"{reverse('masks:list')}?{query}").content.decode()
    assert [number for number in range(1, 6) if f"C1-{number:04d}" in text] == shown


def test_only_a_reviewer_is_led_to_the_review(
    stages: dict[str, Stage], users: Users, client_as: Callable[[User], Client]
) -> None:
    link = reverse("annotation:version", args=["C1-0003", 1])
    pages = {role: client_as(users[role]).get(reverse("masks:list")).content.decode() for role in (
        Role.ANNOTATOR, Role.REVIEWER
    )}  # fmt: skip
    assert link in pages[Role.REVIEWER] and link not in pages[Role.ANNOTATOR]


def test_a_page_costs_the_same_for_many(
    stages: dict[str, Stage], users: Users, two_centers: tuple[Center, Center], client_as: Callable[[User], Client]
) -> None:
    client = client_as(users[Role.REVIEWER])
    client.get(reverse("masks:list"))

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("masks:list"))
        return len(queries)

    before = cost()
    for number in range(10, 14):
        scanned(two_centers[0], users[Role.COORDINATOR], number)
    assert cost() == before
