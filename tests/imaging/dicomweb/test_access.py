"""Who gets in: by token or session, into his own centers, and what everybody else is told."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.test import Client
from rest_framework.authtoken.models import Token

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.imaging.models import ImagingStudy
from tests.factories import UserFactory

pytestmark = pytest.mark.slow

READERS = {Role.COORDINATOR, Role.ANNOTATOR, Role.REVIEWER, Role.ASSESSOR, Role.DATA_MANAGER, Role.PI, Role.MONITOR}
STUDY_ROUTES = ["", "/series", "/instances", "/metadata", "/rendered", "/thumbnail"]
SERIES_ROUTES = ["", "/instances", "/metadata", "/rendered", "/thumbnail"]
INSTANCE_ROUTES = ["", "/metadata", "/frames/1", "/bulkdata", "/bulkdata/7FE00010", "/rendered", "/thumbnail",
                   "/frames/1/rendered", "/frames/1/thumbnail"]  # fmt: skip


def addresses(study: str, series: str, instance: str) -> list[str]:
    """Return the address of everything that can be got of a study."""
    top = f"/dicomweb/studies/{study}"
    middle = f"{top}/series/{series}"
    bottom = f"{middle}/instances/{instance}"
    return [
        *(top + route for route in STUDY_ROUTES),
        *(middle + route for route in SERIES_ROUTES),
        *(bottom + route for route in INSTANCE_ROUTES),
    ]


def addresses_of(study: ImagingStudy) -> list[str]:
    series = study.series.get()
    first = series.instances.first()
    assert first is not None
    return addresses(study.study_instance_uid, series.series_instance_uid, first.sop_instance_uid)


def test_every_address_of_ones_own_study_answers(study: ImagingStudy, web: Client) -> None:
    assert {web.get(address).status_code for address in addresses_of(study)} == {200}


def test_a_foreign_study_is_answered_as_an_absent_one(
    study: ImagingStudy, foreign_study: ImagingStudy, web: Client, client_as: Any, coordinator: User
) -> None:
    for client in (web, client_as(coordinator)):
        foreign = [client.get(address) for address in addresses_of(foreign_study)]
        absent = [client.get(address) for address in addresses("1.2.3", "1.2.4", "1.2.5")]
        assert {answer.status_code for answer in foreign + absent} == {404}
        assert len({answer.content for answer in foreign + absent}) == 1


def test_parts_of_different_studies_do_not_mix(
    study: ImagingStudy, foreign_study: ImagingStudy, everywhere: Client
) -> None:
    """Who may see both is still not given one study's series under the other's address."""
    series, other = study.series.get(), foreign_study.series.get()
    instance = series.instances.first()
    assert instance is not None
    mixed = addresses(study.study_instance_uid, other.series_instance_uid, instance.sop_instance_uid)
    found = {address: everywhere.get(address).status_code for address in mixed}
    below_series = {address: status for address, status in found.items() if "/series/" in address}
    searched = f"/dicomweb/studies/{study.study_instance_uid}/series/{other.series_instance_uid}/instances"
    assert below_series.pop(searched) == 200
    assert everywhere.get(searched).json() == []
    assert set(below_series.values()) == {404}


@pytest.mark.parametrize("role", list(Role))
def test_roles(role: Role, study: ImagingStudy, users: dict[Role, User], as_token: Any) -> None:
    client = as_token(users[role])
    found = client.get("/dicomweb/studies").json()
    statuses = {client.get(address).status_code for address in addresses_of(study)}
    assert (len(found), statuses) == ((1, {200}) if role in READERS else (0, {404}))


def test_strangers_are_told_how_to_sign_in(study: ImagingStudy) -> None:
    for path in [*addresses_of(study), "/dicomweb/studies", "/dicomweb/series", "/dicomweb/instances", "/dicomweb/x"]:
        answer = Client().get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 401, path
        assert answer["WWW-Authenticate"] == 'Token realm="dicomweb", Bearer realm="dicomweb"'
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["detail"].endswith(".")
    assert Client().post("/dicomweb/studies").status_code == 401


@pytest.mark.parametrize("header", ["Token nonsense", "Bearer ", "Token \x00", "token", "Bearer a b"])
def test_a_wrong_token_opens_nothing(header: str, study: ImagingStudy, client_as: Any, coordinator: User) -> None:
    """Not even to somebody who is signed in besides."""
    answer = client_as(coordinator).get("/dicomweb/studies", headers={"Authorization": header})
    assert answer.status_code == 401


@pytest.mark.parametrize("kind", ["Token", "Bearer", "bearer"])
def test_a_token_opens(kind: str, study: ImagingStudy, coordinator: User) -> None:
    token = Token.objects.create(user=coordinator)
    answer = Client().get("/dicomweb/studies", headers={"Authorization": f"{kind} {token.key}"})
    assert len(answer.json()) == 1


def test_a_closed_account_is_out_at_once(study: ImagingStudy, web: Client, coordinator: User, client_as: Any) -> None:
    browser = client_as(coordinator)
    assert (web.get("/dicomweb/studies").status_code, browser.get("/dicomweb/studies").status_code) == (200, 200)
    User.objects.update(is_active=False)
    assert (web.get("/dicomweb/studies").status_code, browser.get("/dicomweb/studies").status_code) == (401, 401)


@pytest.mark.parametrize("method", ["put", "patch", "delete", "post"])
def test_other_methods_are_named_as_not_allowed(method: str, base: str, web: Client) -> None:
    answer = getattr(web, method)(f"{base}/metadata")
    assert answer.status_code == 405
    assert answer["Allow"] == "GET, HEAD"


def test_head_is_get_without_the_body(base: str, web: Client) -> None:
    answer = web.head(f"{base}/metadata")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    "path",
    ["studies/", "studies/x/series", "studies/1.2.3/series/abc", "studies/1.2.3/nonsense", "anything",
     "studies/%00", "studies/" + "1" * 5000, "studies/1.2.3/series/1/instances/1/frames/1/2"],
)  # fmt: skip
def test_an_address_that_there_is_not(path: str, study: ImagingStudy, web: Client) -> None:
    answer = web.get(f"/dicomweb/{path}")
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


def test_a_session_may_not_post_from_another_site(study: ImagingStudy, coordinator: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(coordinator, backend="allauth.account.auth_backends.AuthenticationBackend")

    def post(**headers: str) -> int:
        answer = client.post("/dicomweb/studies", b"", content_type="text/plain", headers=headers)
        return int(answer.status_code)

    assert post() == 403
    assert post(Origin="https://elsewhere.example") == 403
    assert post(Origin="null") == 403
    # Past the gate, where the type of the message is looked at.
    assert post(Origin="http://testserver") == 415


def test_a_token_may_post_from_anywhere(study: ImagingStudy, coordinator: User) -> None:
    token = Token.objects.create(user=coordinator)
    client = Client(enforce_csrf_checks=True, headers={"Authorization": f"Token {token.key}"})
    answer = client.post("/dicomweb/studies", b"", content_type="text/plain")
    assert answer.status_code == 415


def test_a_refused_address_is_not_logged(web: Client, study: ImagingStudy, caplog: pytest.LogCaptureFixture) -> None:
    """The sender's own UID may stand in it."""
    caplog.set_level(logging.DEBUG)
    assert web.get("/dicomweb/studies/1.2.840.99999.7/series").status_code == 404
    assert "99999" not in caplog.text


def test_two_roles_in_two_centers(
    study: ImagingStudy, foreign_study: ImagingStudy, two_centers: Any, as_token: Any
) -> None:
    """A role that opens no image in one center does not borrow the right from another."""
    user = UserFactory()
    user.memberships.create(role=Role.REVIEWER, center=two_centers[0])
    user.memberships.create(role=Role.SCIENTIST, center=two_centers[1])
    found = as_token(user).get("/dicomweb/studies").json()
    assert [item["0020000D"]["Value"][0] for item in found] == [study.study_instance_uid]
