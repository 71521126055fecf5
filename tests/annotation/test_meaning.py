"""What a mask says of the hematoma, by hand."""

from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pytest
from django.test import Client

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.annotation import services
from apps.annotation.meaning import meaning_of
from apps.annotation.models import Mask
from apps.imaging.models import Series
from ml.hematoma import CENTER
from tests.annotation.conftest import square_labels

Users = dict[Role, User]


@pytest.fixture
def mask(ct: Series, users: Users) -> Mask:
    """6 x 4 pixels of 0.5 mm on three slices 16 mm apart, and one row more on the fourth slice from the foot."""
    labels = square_labels()
    labels[3, 10, 6:10] = 1
    return services.store_mask(actor=users[Role.ANNOTATOR], series=ct, mask=labels)


def test_size_and_largest_slice(mask: Mask) -> None:
    said = meaning_of(mask)
    assert (said.largest_slice, said.largest_mm2) == (4, 7.0)
    assert said.difference_ml == mask.abc2_ml - mask.volume_ml
    assert said.difference_percent == pytest.approx(100 * (mask.abc2_ml / mask.volume_ml - 1))
    assert said.side is None, "nobody knows where the head's middle is"
    assert said.location is None


@pytest.mark.parametrize(("ml", "near"), [("24.99", False), ("25", True), ("35", True), ("35.01", False)])
def test_near_the_cut(ml: str, near: bool, mask: Mask) -> None:
    mask.volume_ml = Decimal(ml)
    assert meaning_of(mask).near_cut is near


@pytest.mark.parametrize(
    ("extent", "side"), [([5.0, 25.0, 40.0], "left"), ([-40.0, -25.0, -5.0], "right"), ([-9.0, 1.0, 9.0], "")]
)
def test_side(extent: list[float], side: str, mask: Mask, users: Users, client_as: Callable[[User], Client]) -> None:
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[0, 3] = -191 / 2
    Series.objects.update(preprocessing_report={"affine": affine.tolist()})
    Mask.objects.update(lateral_mm=extent)
    said = meaning_of(Mask.objects.get()).side
    assert str(said) == (f"the patient’s {side}" if side else "not clearly on one")
    page = client_as(users[Role.REVIEWER]).get("/patients/C1-0001/mask/1/").content.decode()
    assert str(said) in page


# A head whose brain's middle is the origin.
HEAD = {
    "affine": [[1.0, 0.0, 0.0, -95.5], [0.0, 1.0, 0.0, -95.5], [0.0, 0.0, 2.0, -79.0], [0.0, 0.0, 0.0, 1.0]],
    "foramen_magnum_lps": [0.0, 28.5, -70.5], "base_covered": True, "vertex_covered": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("center", "told"),
    [
        ((25.0, 44.0, -42.0), "infratentorial"),
        ((-24.0, -15.0, -2.0), "supratentorial, deep (basal ganglia or thalamus)"),
        ((30.0, -52.0, 22.0), "supratentorial, lobar"),
        ((34.0, -10.0, 10.0), "supratentorial; deep or lobar is not clear"),
        ((24.0, 40.0, -19.0), "not clear"),
    ],
)
def test_location(
    center: tuple[float, ...], told: str, mask: Mask, users: Users, client_as: Callable[[User], Client]
) -> None:
    assert mask.features.keys() >= set(CENTER), "measured when it was saved"
    Series.objects.update(preprocessing_report=HEAD)
    Mask.objects.update(features=dict(zip(CENTER, center, strict=True)), state=Mask.State.APPROVED)
    assert str(meaning_of(Mask.objects.get()).location) == told
    for address in ("/patients/C1-0001/mask/1/", "/patients/C1-0001/"):
        assert told in client_as(users[Role.REVIEWER]).get(address).content.decode(), address


def test_no_location_without_center_or_landmarks(mask: Mask) -> None:
    Series.objects.update(preprocessing_report=HEAD | {"base_covered": False})
    assert meaning_of(Mask.objects.get()).location is None
    Series.objects.update(preprocessing_report=HEAD)
    Mask.objects.update(features={})
    assert meaning_of(Mask.objects.get()).location is None
