"""A file tells who enters a form for the second time nothing of it, not even that a value is the stored one."""

from __future__ import annotations

import pytest

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.patients.models import Patient
from tests.crf.double_entry.steps import colleague, enter, start
from tests.crf.imports.conftest import Check, found_in, sentence_of, table

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("age", [83, 84])
def test_a_file_is_no_way_round_the_blinding(
    age: int, users: dict[Role, User], patient: Patient, two_centers: tuple[Center, Center], check: Check
) -> None:
    blinded = colleague(two_centers[0])
    form = enter(users[Role.COORDINATOR], patient, age=83)
    start(blinded, form)
    found = check(blinded, table([{"study_id": str(patient), "age": age}]))
    assert found_in(found) == {(2, "age")} and "for the second time" in sentence_of(found)
    assert (found.report["unchanged"], found.report["changed"]) == (0, 0)
