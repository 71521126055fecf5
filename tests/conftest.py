"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import Client
from django.utils import translation
from rest_framework.test import APIClient

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.crf.dictionary import shipped_dictionary
from apps.crf.versions.current import ask_by, forget_published
from apps.patients.models import Patient
from tests.factories import CenterFactory, PatientFactory, user_with
from tests.protection import let_tests_empty_the_database

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop and the ORM share a thread in tests

ROOT = Path(__file__).resolve().parents[1]
let_tests_empty_the_database()


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    """Undo the language of a request: Django leaves it set in the thread until the next request."""
    yield
    translation.deactivate()


def pytest_collection() -> None:
    """Modules read the dictionary as they are imported, where no database may be asked which one is in force."""
    ask_by(shipped_dictionary())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that have slow tests; with short ones last, all workers end at about the same time."""
    slow = {item.path for item in items if any(item.iter_markers("slow"))}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def shipped_dictionary_again() -> Iterator[None]:
    """Begin with the dictionary that is shipped, also where a test may not ask the database which one it is."""
    forget_published()
    ask_by(shipped_dictionary())
    yield
    forget_published()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real files for tests; they are not part of the project."""
    folder = Path(os.environ.get("ICHOR_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the folder of real test files is absent; set ICHOR_TEST_DATA")
    return folder


@pytest.fixture
def two_centers(db: None) -> tuple[Center, Center]:
    return CenterFactory(code="C1"), CenterFactory(code="C2")


@pytest.fixture
def users(two_centers: tuple[Center, Center]) -> dict[Role, User]:
    """One user per role; those of center roles belong to C1, the others see all centers."""
    return {role: user_with(role, two_centers[0]) for role in Role}


@pytest.fixture
def foreign_coordinator(two_centers: tuple[Center, Center]) -> User:
    return user_with(Role.COORDINATOR, two_centers[1])


@pytest.fixture
def patient(two_centers: tuple[Center, Center], users: dict[Role, User]) -> Patient:
    return PatientFactory(study_id="C1-0001", center=two_centers[0], enrolled_by=users[Role.COORDINATOR])


@pytest.fixture
def foreign_patient(two_centers: tuple[Center, Center], foreign_coordinator: User) -> Patient:
    return PatientFactory(study_id="C2-0001", center=two_centers[1], enrolled_by=foreign_coordinator)


@pytest.fixture
def client_as() -> Callable[[User], Client]:
    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return sign_in


@pytest.fixture
def api_as() -> Callable[[User], APIClient]:
    def sign_in(user: User) -> APIClient:
        client = APIClient()
        client.force_authenticate(user)
        return client

    return sign_in
