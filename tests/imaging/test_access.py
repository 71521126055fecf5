"""Who may see and send a CT: nine roles, a foreign center, nobody, and what is not there."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.imaging import api_urls, urls
from apps.imaging.models import Series
from apps.patients.models import Patient
from tests.factories import PatientFactory
from tests.imaging.factory import everything, receive_series, scan_files, uploads

SEES = {
    Role.COORDINATOR, Role.ANNOTATOR, Role.REVIEWER, Role.ASSESSOR, Role.DATA_MANAGER, Role.PI, Role.MONITOR,
}  # fmt: skip
SENDS = {Role.COORDINATOR}
# URL name: method, answer to those who may, and who may. A file that is no DICOM and a job that has not failed are
# refused after the gate, so nothing changes and the order of the requests does not matter.
PAGES = {
    "imaging:upload": ("post", 422, SENDS),
    "imaging:choose": ("post", 422, SENDS),
    "imaging:held": ("get", 200, SENDS),
    "imaging:decide": ("post", 404, SENDS),  # nothing is held
    "imaging:held-picture": ("get", 404, SENDS),
    "imaging:archive": ("get", 200, SENDS),
    "imaging:fetch": ("post", 404, SENDS),  # the center has no archive
    "imaging:send": ("post", 404, SENDS),
    "imaging:transfer-status": ("get", 404, SENDS),
    "imaging:transfer-retry": ("post", 404, SENDS),
    "imaging:slice": ("get", 200, SEES),
    "imaging:hu": ("get", 200, SEES),
    "imaging:status": ("get", 200, SEES),
    "imaging:retry": ("post", 409, SENDS),
}
PROGRAM = {
    ("api-series-list", "get"): (200, SEES),
    ("api-series-list", "post"): (422, SENDS),
    ("api-series", "get"): (200, SEES),
}
# Addresses that name no series.
OF_PATIENT = ("upload", "list", "choose", "held", "decide", "archive", "fetch", "send")


@pytest.fixture
def series(coordinator: User, patient: Patient) -> Series:
    return receive_series(actor=coordinator, patient=patient, files=scan_files())


def address(name: str, patient: Patient, series_id: int) -> str:
    more = {"imaging:slice": [series_id, 0]}.get(name, [series_id])
    return reverse(name, args=[patient.study_id, *([] if name.endswith(OF_PATIENT) else more)])


def ask(client: Client, method: str, url: str) -> int:
    form = {"files": uploads([b"no DICOM"])} if method == "post" else {}
    return int(getattr(client, method)(url, form).status_code)


def test_every_address_is_in_the_tables() -> None:
    assert {f"imaging:{pattern.name}" for pattern in urls.urlpatterns} == set(PAGES)
    assert {pattern.name for pattern in api_urls.urlpatterns} == {name for name, _ in PROGRAM}


@pytest.mark.parametrize("role", Role)
def test_roles(
    role: Role, users: dict[Role, User], series: Series, client_as: Callable[[User], Client],
    api_as: Callable[[User], APIClient],
) -> None:  # fmt: skip
    before = everything()
    client, program = client_as(users[role]), api_as(users[role])
    for name, (method, status, roles) in PAGES.items():
        expected = status if role in roles else 404
        assert ask(client, method, address(name, series.patient, series.pk)) == expected, name
    for (name, method), (status, roles) in PROGRAM.items():
        expected = status if role in roles else 404
        assert ask(program, method, address(name, series.patient, series.pk)) == expected, name
    assert everything() == before


def test_foreign_absent_and_mismatched_are_alike(
    series: Series, foreign_coordinator: User, foreign_patient: Patient, coordinator: User, patient: Patient,
    client_as: Callable[[User], Client], api_as: Callable[[User], APIClient],
) -> None:  # fmt: skip
    absent = PatientFactory.build(study_id="C9-0001", center=patient.center, enrolled_by=coordinator)
    other = PatientFactory(study_id="C1-0002", center=patient.center, enrolled_by=coordinator)
    cases = [
        (foreign_coordinator, series.patient, series.pk),  # of a foreign center
        (foreign_coordinator, foreign_patient, series.pk),  # under a patient of one's own
        (coordinator, other, series.pk),  # under another patient of the center
        (coordinator, patient, series.pk + 1),
        (coordinator, patient, 10**30),
        (coordinator, absent, series.pk),
    ]
    for actor, target, number in cases:
        client, program = client_as(actor), api_as(actor)
        own = actor == coordinator and target != absent
        asked = [(client, name, method) for name, (method, _, _) in PAGES.items()]
        asked += [(program, name, method) for name, method in PROGRAM]
        for who, name, method in asked:
            if (own or target == foreign_patient) and name.endswith(OF_PATIENT):
                continue  # the patient is the actor's own, and the address names no series
            assert ask(who, method, address(name, target, number)) == 404, (name, target, number)


def test_nobody(series: Series, client: Client) -> None:
    for name, (method, _, _) in PAGES.items():
        answer = getattr(client, method)(address(name, series.patient, series.pk))
        assert answer.status_code == 302
        assert answer["location"].startswith("/account/login/")
    for name, method in PROGRAM:
        assert ask(client, method, address(name, series.patient, series.pk)) in (401, 403)


def test_other_methods(series: Series, browser: Client, api: APIClient) -> None:
    for name, (method, _, _) in PAGES.items():
        other = {"post": "get", "get": "post"}[method]
        if name != "imaging:archive":  # it takes both
            assert ask(browser, other, address(name, series.patient, series.pk)) == 405
    for method in ("put", "patch", "delete"):
        assert getattr(api, method)(address("api-series", series.patient, series.pk)).status_code == 405


def test_lists_hold_own_patient_only(series: Series, api: APIClient, patient: Patient, coordinator: User) -> None:
    other = PatientFactory(study_id="C1-0002", center=patient.center, enrolled_by=coordinator)
    receive_series(actor=coordinator, patient=other, files=scan_files(seed=5))
    listed = api.get(address("api-series-list", patient, 0)).json()
    assert [entry["id"] for entry in listed] == [series.pk]
    assert [entry["patient"] for entry in listed] == ["C1-0001"]


def test_command_asks_for_the_same_permission(
    series: Series, users: dict[Role, User], foreign_coordinator: User, patient: Patient, tmp_path: Path
) -> None:
    before = everything()
    folder = tmp_path / "CD"
    folder.mkdir()
    (folder / "file").write_bytes(b"no DICOM")
    cases = {
        (users[Role.MONITOR].username, "C1-0001"): "no such patient",
        (foreign_coordinator.username, "C1-0001"): "no such patient",
        (users[Role.COORDINATOR].username, "C9-0001"): "no such patient",
        ("nobody", "C1-0001"): "no active user",
        (users[Role.COORDINATOR].username, "C1-0001"): "not a DICOM file",
    }
    for (user, study_id), sentence in cases.items():
        with pytest.raises(CommandError, match=sentence):
            call_command("import_dicom", folder, patient=study_id, user=user)
    with pytest.raises(CommandError, match="no such folder"):
        call_command("import_dicom", tmp_path / "absent", patient="C1-0001", user="nobody")
    assert everything() == before
