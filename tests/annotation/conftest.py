"""A patient with a small CT, and the ways by which its mask comes in."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.imaging.models import Series
from apps.patients.models import Patient
from ml.volumes import Geometry, read_geometry, write_mask
from tests.imaging.conftest import api, browser, coordinator, empty_tmp, real_scan  # noqa: F401 (fixtures)
from tests.imaging.doors import Doors
from tests.imaging.factory import receive_series, scan_files
from tests.imaging.store import empty_store  # noqa: F401 (a fixture)

MaskFile = Callable[..., bytes]


@pytest.fixture
def ct(patient: Patient, users: dict[Role, User]) -> Series:
    """A CT of five slices of 16 x 16 pixels of 0.5 mm, 16 mm apart."""
    return receive_series(actor=users[Role.COORDINATOR], patient=patient, files=scan_files(5, seed=40))


@pytest.fixture
def grid() -> Geometry:
    """The geometry of `ct`."""
    return read_geometry(map(BytesIO, scan_files(5, seed=40)))


@pytest.fixture
def mask_file(tmp_path: Path) -> MaskFile:
    """Write a mask (z, y, x) as ITK-SNAP does and return the file's bytes."""

    def write(mask: np.ndarray, grid: Geometry, name: str = "mask.nii.gz") -> bytes:
        path = tmp_path / name
        write_mask(path, mask.astype(np.uint8), grid)
        return path.read_bytes()

    return write


@pytest.fixture
def square(grid: Geometry, mask_file: MaskFile) -> bytes:
    """A mask of 6 x 4 pixels on three slices: 24 x 0.25 mm2 x 48 mm, 0.288 mL."""
    return mask_file(square_labels(), grid)


def square_labels() -> np.ndarray:
    labels = np.zeros((5, 16, 16), dtype=np.uint8)
    labels[1:4, 4:10, 6:10] = 1
    return labels


@pytest.fixture
def doors(browser: Client, api: APIClient, patient: Patient) -> Doors:  # noqa: F811 (fixtures)
    """The ways by which a mask comes in."""
    page, program = (reverse(name, args=[patient.study_id]) for name in ("annotation:upload", "api-mask-list"))
    return Doors(browser, api, page, program)
