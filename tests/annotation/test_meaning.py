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
