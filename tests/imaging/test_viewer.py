"""The page of the viewer: who gets it, for which studies, under which policy, and the files behind it."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.imaging.models import ImagingStudy
from apps.patients.models import Patient

SEES = {
    Role.COORDINATOR, Role.ANNOTATOR, Role.REVIEWER, Role.ASSESSOR, Role.DATA_MANAGER, Role.PI, Role.MONITOR,
}  # fmt: skip
UID, OTHER = "2.25.1", "2.25.2"
OHIF = Path(settings.WHITENOISE_ROOT)


@pytest.fixture
def study(patient: Patient) -> ImagingStudy:
    return ImagingStudy.objects.create(patient=patient, study_instance_uid=UID)


@pytest.fixture
def foreign_study(foreign_patient: Patient) -> ImagingStudy:
    return ImagingStudy.objects.create(patient=foreign_patient, study_instance_uid=OTHER)


def open_viewer(client: Client, uids: str, route: str = "") -> int:
    return client.get(f"/viewer/{route}", {"StudyInstanceUIDs": uids}).status_code


@pytest.mark.parametrize("role", list(Role))
def test_who_sees_images_gets_the_page(
    role: Role, users: dict[Role, User], client_as: Callable[[User], Client], study: ImagingStudy
) -> None:
    assert open_viewer(client_as(users[role]), UID) == (200 if role in SEES else 404)


@pytest.mark.parametrize("uids", [OTHER, f"{UID},{OTHER}", "2.25.3", "", "%", "2.25.1\x00", "1" * 65, "' OR 1=1 --"])
def test_a_study_that_is_not_ones_own_is_not_found(
    uids: str, users: dict[Role, User], client_as: Callable[[User], Client], study: ImagingStudy, foreign_study: object
) -> None:
    client = client_as(users[Role.COORDINATOR])
    assert open_viewer(client, uids) == 404
    assert open_viewer(client, uids, "ichor") == 404
    assert client.get(f"/viewer/?StudyInstanceUIDs={UID}&StudyInstanceUIDs={OTHER}").status_code == 404


def test_who_works_in_all_centers_opens_studies_of_several(
    users: dict[Role, User], client_as: Callable[[User], Client], study: ImagingStudy, foreign_study: object
) -> None:
    assert open_viewer(client_as(users[Role.PI]), f"{UID},{OTHER}") == 200
    assert open_viewer(client_as(users[Role.PI]), UID, "ichor") == 200


def test_nobody_is_sent_to_the_sign_in_page_and_back(client: Client, db: None) -> None:
    answer = client.get(f"/viewer/?StudyInstanceUIDs={UID}")
    assert answer.status_code == 302
    assert answer["location"] == f"{reverse('account_login')}?next=/viewer/%3FStudyInstanceUIDs%3D{UID}"


def test_the_page_holds_no_script_and_no_style_of_its_own(
    users: dict[Role, User], client_as: Callable[[User], Client], study: ImagingStudy
) -> None:
    answer = client_as(users[Role.COORDINATOR]).get("/viewer/", {"StudyInstanceUIDs": UID})
    page = answer.content.decode()
    assert page.count("<script") == page.count("<script src=") == 2
    assert "<style" not in page
    assert " style=" not in page
    assert "Research use only" in page


def test_the_policy_is_wider_on_this_page_alone(
    users: dict[Role, User], client_as: Callable[[User], Client], study: ImagingStudy, patient: Patient
) -> None:
    client = client_as(users[Role.COORDINATOR])
    wide = policy(client, f"/viewer/?StudyInstanceUIDs={UID}")
    strict = policy(client, f"/patients/{patient.study_id}/")
    assert {name for name in wide if wide[name] != strict[name]} == {"script-src", "style-src"}
    assert wide["script-src"] - strict["script-src"] == {"'unsafe-eval'"}
    assert wide["style-src"] - strict["style-src"] == {"'unsafe-inline'"}
    # Nothing is fetched from, sent to or shown in another host's page.
    assert wide["connect-src"] == wide["form-action"] == {"'self'"}
    assert wide["frame-ancestors"] == {"'none'"}


def policy(client: Client, url: str) -> dict[str, set[str]]:
    answer = client.get(url)
    assert answer.status_code == 200
    parts = (part.split() for part in answer["content-security-policy"].split(";"))
    return {name: set(values) for name, *values in parts}


def test_a_missing_viewer_is_said(
    users: dict[Role, User], client_as: Callable[[User], Client], study: ImagingStudy, settings: Any, tmp_path: Path
) -> None:
    settings.WHITENOISE_ROOT = tmp_path
    answer = client_as(users[Role.COORDINATOR]).get("/viewer/", {"StudyInstanceUIDs": UID})
    assert answer.status_code == 503
    assert "The viewer is not installed." in answer.content.decode()


def names() -> dict[str, str]:
    found: dict[str, str] = json.loads((OHIF / "ohif.json").read_text())
    return found


def fetch(served: dict[str, StaticFile], url: str, **request: str) -> tuple[dict[str, str], bytes]:
    answer = served[url].get_response("GET", request)
    with answer.file as file:
        return dict(answer.headers), file.read()


@pytest.mark.parametrize("finders", [True, False], ids=["embedded", "production"])
def test_the_viewers_files_are_served_from_the_root(settings: Any, finders: bool) -> None:
    """Embedded serves files where they were built, production where they were collected; this root is in both."""
    settings.WHITENOISE_USE_FINDERS, settings.WHITENOISE_AUTOREFRESH = finders, False
    served = WhiteNoiseMiddleware(lambda request: None, settings=settings).files
    headers, packed = fetch(served, f"/{names()['script']}", HTTP_ACCEPT_ENCODING="gzip")
    assert headers["Content-Type"].startswith("text/javascript")
    assert headers["Content-Encoding"] == "gzip"
    assert "immutable" in headers["Cache-Control"]
    assert gzip.decompress(packed) == (OHIF / names()["script"]).read_bytes()
    headers, _plain = fetch(served, f"/{names()['style']}")
    assert headers["Content-Type"].startswith("text/css")
    assert "immutable" not in headers["Cache-Control"]
    modules = [url for url in served if url.endswith(".wasm")]
    assert len(modules) >= 5
    assert {fetch(served, url)[0]["Content-Type"] for url in modules} == {"application/wasm"}


def test_nothing_of_the_package_runs_beside_the_viewer() -> None:
    """Its own page, settings, offline worker and sign-in to other hosts stay out."""
    found = {path.name for path in OHIF.rglob("*")}
    unwanted = {"index.html", "app-config.js", "sw.js", "init-service-worker.js", "google.js", "oidc-client.min.js"}
    assert found & unwanted == set()
    assert not [name for name in found if name.endswith(".map")]
    assert "MIT License" in (OHIF / "ohif-license.txt").read_text()
