"""Double entry through the API, from the worklist to the reconciled form."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.crf.double_entry.models import SecondEntry
from apps.crf.places import Place
from apps.patients.models import Patient
from tests.crf.double_entry.steps import Users, colleague, enter

pytestmark = pytest.mark.django_db
V1 = "/api/v1"


def test_from_the_worklist_to_the_reconciled_form(
    users: Users, patient: Patient, two_centers: tuple[Center, Center], api_as: Callable[[User], APIClient]
) -> None:
    form = enter(users[Role.COORDINATOR], patient, age=60, sex="male")
    second = api_as(colleague(two_centers[0]))
    (waiting,) = second.get(f"{V1}/double-entry/").json()["results"]
    assert (waiting["study_id"], waiting["form"], waiting["center"]) == (str(patient), "main", "C1")
    begun = second.post(f"{V1}/patients/{patient}/crf/second-entry/")
    assert begun.status_code == 201 and begun.json()["values"] == {} and "age" in begun.json()["variables"]
    address = f"{V1}/double-entry/{begun.json()['id']}/"
    blinded = second.get(f"{V1}/patients/{patient}/crf/")
    assert (blinded.status_code, blinded.json()["code"]) == (409, "second_entry_open")
    assert "60" not in str(blinded.json())
    wrong = second.patch(address, {"version": 0, "values": {"age": 600}}, format="json")
    assert wrong.status_code == 422 and set(wrong.json()["errors"]) == {"age"}
    saved = second.patch(address, {"version": 0, "values": {"age": 61}, "missing": {"sex": "unknown"}}, format="json")
    assert (saved.json()["version"], saved.json()["missing"]) == (1, {"sex": "unknown"})
    assert second.patch(address, {"version": 0, "values": {"age": 62}}, format="json").status_code == 409
    done = second.post(f"{address}submit/", {"version": 1}, format="json").json()
    assert (done["state"], done["differences"]) == ("submitted", 2)
    manager = api_as(users[Role.DATA_MANAGER])
    assert [row["differences"] for row in manager.get(f"{V1}/double-entry/reconcile/").json()["results"]] == [2]
    both = manager.get(f"{address}reconcile/").json()
    assert both["rows"] == [
        {"variable": "age", "first": 60, "second": 61, "verdict": "different"},
        {"variable": "sex", "first": "male", "second": {"missing": "unknown"}, "verdict": "different"},
    ]
    choices = {"age": {"kept": "other", "value": "62"}}
    partial = manager.post(f"{address}reconcile/", {"version": 1, "choices": choices}, format="json")
    assert partial.status_code == 422 and set(partial.json()["errors"]) == {"sex"}
    choices["sex"] = {"kept": "first"}
    whole = manager.post(f"{address}reconcile/", {"version": 1, "choices": choices}, format="json")
    assert whole.status_code == 200 and whole.json()["state"] == "reconciled"
    form.refresh_from_db()
    assert form.values == {"age": 62, "sex": "male"}


def test_a_second_entry_of_a_further_form_is_given_up(
    users: Users, patient: Patient, two_centers: tuple[Center, Center], api_as: Callable[[User], APIClient]
) -> None:
    place = Place("follow_up", "month_3")
    enter(users[Role.COORDINATOR], patient, place, fu_status="alive")
    second = api_as(colleague(two_centers[0]))
    begun = second.post(f"{V1}/patients/{patient}/crf/follow_up/month_3/1/second-entry/")
    assert begun.json()["form"]["visit"] == "month_3"
    ended = second.post(f"{V1}/double-entry/{begun.json()['id']}/give-up/")
    assert ended.status_code == 204 and SecondEntry.objects.get().state == "given_up"
    assert second.get(f"{V1}/double-entry/?center=nonsense").status_code == 422
