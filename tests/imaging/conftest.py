"""A store of its own for each test, and scans that several tests share."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.patients.models import Patient
from tests.imaging.doors import Doors
from tests.imaging.factory import ct_api_url, ct_url
from tests.imaging.store import empty_store as empty_store


@pytest.fixture
def coordinator(users: dict[Role, User]) -> User:
    return users[Role.COORDINATOR]


@pytest.fixture
def browser(client_as: Callable[[User], Client], coordinator: User) -> Client:
    """The coordinator of C1 at the browser."""
    return client_as(coordinator)


@pytest.fixture
def api(api_as: Callable[[User], APIClient], coordinator: User) -> APIClient:
    """The coordinator of C1 as a program."""
    return api_as(coordinator)


@pytest.fixture
def real_scan(shared_data: Path) -> list[bytes]:
    """A real head CT: 28 slices, gantry tilt 18.5 degrees, gaps of 4 and 7 mm."""
    return [path.read_bytes() for path in sorted((shared_data / "head-ct-tilted" / "dicom").glob("*.dcm"))]


@pytest.fixture
def empty_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which temporary files would come to lie."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def doors(browser: Client, api: APIClient, patient: Patient) -> Doors:
    """The ways by which a CT comes in."""
    return Doors(browser, api, ct_url(patient), ct_api_url(patient))
