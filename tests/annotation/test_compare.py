"""Two versions against one another: figures by hand, and only for who may see the CT."""

from collections.abc import Callable

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.annotation import services
from apps.imaging.models import Series
from tests.annotation.conftest import square_labels

Users = dict[Role, User]


@pytest.fixture
def versions(ct: Series, users: Users) -> None:
    """24 pixels on three slices of 16 mm, and the same moved by two columns, with edema on one slice."""
    first = square_labels()
    second = np.roll(first, 2, axis=2)
    second[0, :4, :4] = 3
    for labels in (first, second):
        services.store_mask(actor=users[Role.ANNOTATOR], series=ct, mask=labels)


def page(client: Client, version: int, other: int) -> tuple[int, str]:
    answer = client.get(reverse("annotation:against", args=["C1-0001", version, other]))
    return answer.status_code, answer.content.decode()


def test_dice_distance_and_volumes(versions: None, client_as: Callable[[User], Client], users: Users) -> None:
    """Half of the 24 pixels of a slice are common: Dice 0.5; the rims lie at most two columns of 0.5 mm apart."""
    status, text = page(client_as(users[Role.REVIEWER]), 1, 2)
    assert status == 200
    assert ">0.500<" in text
    assert ">1.0\N{NARROW NO-BREAK SPACE}<" in text
    assert ">0.00\N{NARROW NO-BREAK SPACE}<" in text, "the volumes are the same"
    assert "Edema" in text and "0.06" in text, "16 pixels of 0.25 mm2 on a slice of 16 mm"


def test_what_cannot_be_compared_is_not_there(
    versions: None, client_as: Callable[[User], Client], users: Users, foreign_coordinator: User
) -> None:
    reviewer = client_as(users[Role.REVIEWER])
    assert [page(reviewer, *pair)[0] for pair in ((1, 1), (1, 3), (3, 1), (2, 1))] == [404, 404, 404, 200]
    assert page(client_as(foreign_coordinator), 1, 2)[0] == 404
