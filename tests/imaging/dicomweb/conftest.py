"""A stored study, and clients that speak DICOMweb to the service."""

from collections.abc import Callable
from typing import Any

import pytest
from dicomweb_client.api import DICOMwebClient
from django.test import Client
from pydicom.dataset import Dataset
from rest_framework.authtoken.models import Token

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.imaging.models import ImagingStudy
from apps.patients.models import Patient
from tests.imaging.dicomweb.factory import store_study
from tests.imaging.factory import make_scan


@pytest.fixture
def scan() -> list[Dataset]:
    """Four slices, as a device made them."""
    return make_scan(PatientName="C1-0001", PatientID="C1-0001", SeriesDescription="AXIAL 5 MM")


@pytest.fixture
def study(patient: Patient, coordinator: User, scan: list[Dataset]) -> ImagingStudy:
    return store_study(patient, coordinator, scan)


@pytest.fixture
def foreign_study(foreign_patient: Patient, foreign_coordinator: User) -> ImagingStudy:
    return store_study(foreign_patient, foreign_coordinator, make_scan(seed=9), description="FOREIGN")


@pytest.fixture
def as_token() -> Callable[[User], Client]:
    """Return a client that signs in by token alone."""

    def sign_in(user: User) -> Client:
        token, _made = Token.objects.get_or_create(user=user)
        return Client(headers={"Authorization": f"Token {token.key}"})

    return sign_in


@pytest.fixture
def web(as_token: Callable[[User], Client], coordinator: User) -> Client:
    """The coordinator of C1 as a program."""
    return as_token(coordinator)


@pytest.fixture
def everywhere(as_token: Callable[[User], Client], users: dict[Role, User]) -> Client:
    """The data manager of all centers as a program."""
    return as_token(users[Role.DATA_MANAGER])


@pytest.fixture
def dicomweb_client(live_server: Any, coordinator: User) -> DICOMwebClient:
    """dicomweb-client as it is, speaking over a socket as the coordinator of C1."""
    token = Token.objects.create(user=coordinator)
    return DICOMwebClient(f"{live_server.url}/dicomweb", headers={"Authorization": f"Bearer {token.key}"})


@pytest.fixture
def base(study: ImagingStudy, scan: list[Dataset]) -> str:
    """The address of the stored series."""
    return f"/dicomweb/studies/{study.study_instance_uid}/series/{scan[0].SeriesInstanceUID}"
