"""Two people outline one CT blind to each other; a third settles what counts."""

from collections.abc import Callable

import numpy as np
import pytest
from django.http import Http404
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.annotation.double_reading.assigning import annotators_for, assign
from apps.annotation.models import DoubleReading, Mask, Outline
from apps.annotation.outlines import begin_again, save_slices, submit_outline
from apps.annotation.review import approve_mask
from apps.annotation.selectors import approved_mask
from apps.annotation.services import receive_mask, store_mask
from apps.annotation.worklist.rows import Stage, count_waiting, worklist
from apps.audit.models import AuditEvent
from apps.core.errors import Conflict, Refusal
from apps.imaging.models import Series
from tests.annotation.conftest import square_labels
from tests.annotation.drawing import packed, save, submit
from tests.factories import user_with

Users = dict[Role, User]
Open = Callable[[User], Client]


def moved_labels() -> np.ndarray:
    """The square of `square_labels`, 24 pixels on each of three slices, moved by 2 of its 6 rows."""
    return np.roll(square_labels(), 2, axis=1)


@pytest.fixture
def two(two_centers: tuple[Center, Center], users: Users) -> tuple[User, User]:
    return users[Role.ANNOTATOR], user_with(Role.ANNOTATOR, two_centers[1])


@pytest.fixture
def reading(ct: Series, two: tuple[User, User], users: Users) -> DoubleReading:
    assign(actor=users[Role.DATA_MANAGER], series=ct, annotators=list(two))
    return DoubleReading.objects.get()


def addresses(series: Series, version: int) -> list[str]:
    study_id = series.patient.study_id
    names = ("version", "version-labels")
    found = [reverse(f"annotation:{name}", args=[study_id, version]) for name in names]
    return [*found, reverse("annotation:version-file", args=[study_id, version, "nii.gz"])]


def test_neither_sees_what_the_other_drew_until_both_have_submitted(
    ct: Series, reading: DoubleReading, two: tuple[User, User], client_as: Open, api_as: Callable[[User], APIClient]
) -> None:
    first, second = map(client_as, two)
    study_id = ct.patient.study_id
    store_mask(actor=two[0], series=ct, mask=square_labels())
    assert [first.get(url).status_code for url in addresses(ct, 1)] == [200, 200, 200]
    assert [second.get(url).status_code for url in addresses(ct, 1)] == [404, 404, 404]
    listed = f"/api/v1/patients/{study_id}/masks/"
    assert [len(api_as(user).get(listed).json()) for user in two] == [1, 0]
    for url in (reverse("patients:detail", args=[study_id]), reverse("masks:list")):
        assert "0.29" in first.get(url).content.decode(), "0.288 mL"
        assert "0.29" not in second.get(url).content.decode()
    page = second.get(reverse("annotation:outline", args=[study_id]))
    assert [mask.version for mask in page.context["versions"]] == []
    again = second.post(reverse("annotation:outline-again", args=[study_id]), {"version": "1"})
    assert again.status_code == 404
    assert not Series.objects.filter(modality="SEG").exists(), "a viewer would show it"
    assert save(second, ct, {i: moved_labels()[i] for i in (1, 2, 3)}, 0).status_code == 200
    assert submit(second, ct, 1).status_code == 302
    for user in (first, second):
        assert [user.get(url).status_code for version in (1, 2) for url in addresses(ct, version)] == [200] * 6
        assert user.get(reverse("annotation:against", args=[study_id, 1, 2])).status_code == 200
    assert Series.objects.filter(modality="SEG").count() == 2


def test_their_agreement_is_measured_once_both_are_there(
    ct: Series, reading: DoubleReading, two: tuple[User, User]
) -> None:
    store_mask(actor=two[1], series=ct, mask=square_labels())
    reading.refresh_from_db()
    assert reading.is_open and reading.dice is None
    # He finds his slip while the other still draws: what he submits last is what he has read.
    store_mask(actor=two[1], series=ct, mask=moved_labels())
    store_mask(actor=two[0], series=ct, mask=square_labels())
    reading.refresh_from_db()
    assert (reading.first_mask.version, reading.second_mask.version) == (3, 2)  # type: ignore[union-attr]
    # 4 of 6 rows in common; the surfaces lie 2 rows of 0.5 mm apart.
    assert reading.dice == pytest.approx(4 / 6) and reading.hd95_mm == pytest.approx(1.0)
    event = AuditEvent.objects.get(action="close_double_reading")
    assert event.changes == {"dice": [None, "0.667"]}


def test_two_who_draw_the_same_agree_fully(ct: Series, reading: DoubleReading, two: tuple[User, User]) -> None:
    for user in two:
        store_mask(actor=user, series=ct, mask=square_labels())
    reading.refresh_from_db()
    assert (reading.dice, reading.hd95_mm) == (1.0, 0.0)


def test_nobody_else_draws_or_decides_meanwhile(
    ct: Series, reading: DoubleReading, two: tuple[User, User], users: Users, square: bytes, client_as: Open
) -> None:
    third = users[Role.COORDINATOR]
    plane = {1: packed(square_labels()[1])}
    with pytest.raises(Conflict, match="blind to each other"):
        receive_mask(actor=third, series=ct, content=square)
    with pytest.raises(Conflict, match="blind to each other"):
        save_slices(actor=third, series=ct, series_revision=ct.revision, revision=0, slices=plane)
    page = client_as(third).get(reverse("annotation:outline", args=[ct.patient.study_id]))
    assert page.status_code == 409 and "blind to each other" in page.content.decode()
    mask = store_mask(actor=two[0], series=ct, mask=square_labels())
    with pytest.raises(Conflict, match="blind to each other"):
        approve_mask(actor=users[Role.REVIEWER], mask=mask)
    assert count_waiting(users[Role.REVIEWER]) == 0


def both_in(ct: Series, two: tuple[User, User]) -> list[Mask]:
    labels = (square_labels(), moved_labels())
    return [store_mask(actor=user, series=ct, mask=mask) for user, mask in zip(two, labels, strict=True)]


def test_a_third_settles_by_taking_one(
    ct: Series, reading: DoubleReading, two: tuple[User, User], users: Users, client_as: Open
) -> None:
    both_in(ct, two)
    reviewer = users[Role.REVIEWER]
    assert count_waiting(reviewer) == 1 and [each.stage for each in worklist(reviewer)] == [Stage.TO_REVIEW]  # type: ignore[attr-defined]
    settle = reverse("annotation:against", args=[ct.patient.study_id, 1, 2])
    assert settle in client_as(reviewer).get(reverse("masks:list")).content.decode()
    page = client_as(reviewer).get(settle).content.decode()
    assert "Which outline counts?" in page
    assert "Which outline counts?" not in client_as(two[0]).get(settle).content.decode()
    client_as(reviewer).post(reverse("annotation:approve", args=[ct.patient.study_id, 2]))
    assert approved_mask(ct).version == 2  # type: ignore[union-attr]
    assert count_waiting(reviewer) == 0, "the other one waits no more"
    assert "Which outline counts?" not in client_as(reviewer).get(settle).content.decode()


def test_a_third_settles_by_a_consensus_of_his_own(
    ct: Series, reading: DoubleReading, two: tuple[User, User], users: Users
) -> None:
    masks, reviewer = both_in(ct, two), users[Role.REVIEWER]
    outline = begin_again(actor=reviewer, series=ct, begin_from=masks[0])
    outline = save_slices(
        actor=reviewer, series=ct, series_revision=ct.revision, revision=outline.revision,
        slices={1: packed(moved_labels()[1])},
    )  # fmt: skip
    consensus = submit_outline(actor=reviewer, outline=outline, revision=outline.revision)
    assert (consensus.version, approved_mask(ct)) == (3, consensus)
    assert count_waiting(reviewer) == 0


def test_none_of_the_two_settles_it(ct: Series, two_centers: tuple[Center, Center], users: Users) -> None:
    """Also where he is a reviewer, and by correcting the other's outline."""
    reviewers = (users[Role.REVIEWER], user_with(Role.REVIEWER, two_centers[1]))
    assign(actor=users[Role.DATA_MANAGER], series=ct, annotators=list(reviewers))
    masks = both_in(ct, reviewers)
    with pytest.raises(Refusal, match="Leave it to another reviewer"):
        approve_mask(actor=reviewers[0], mask=masks[1])
    outline = begin_again(actor=reviewers[0], series=ct, begin_from=masks[1])
    outline = save_slices(
        actor=reviewers[0], series=ct, series_revision=ct.revision, revision=outline.revision,
        slices={1: packed(square_labels()[1])},
    )  # fmt: skip
    submit_outline(actor=reviewers[0], outline=outline, revision=outline.revision)
    assert approved_mask(ct) is None
    assert count_waiting(reviewers[1]) == 0


def test_one_person_is_asked_and_the_assignment_is_taken_back(
    ct: Series, two: tuple[User, User], users: Users, client_as: Open
) -> None:
    manager, client = users[Role.DATA_MANAGER], client_as(users[Role.DATA_MANAGER])
    address = reverse("masks:assign")
    answer = client.post(address, {"series": ct.pk, "annotator": two[0].pk, "second": ""}, follow=True)
    assert f"1 CT was assigned to {two[0].full_name}" in answer.content.decode()
    assert (count_waiting(two[0]), count_waiting(two[1])) == (1, 0)
    assert Outline.objects.get().assigned_by == manager
    assert [row.stage for row in worklist(manager)] == [Stage.TO_DRAW]  # type: ignore[attr-defined]
    # Nobody has begun: another one is asked in his place.
    client.post(address, {"series": ct.pk, "annotator": two[1].pk})
    assert (count_waiting(two[0]), count_waiting(two[1])) == (0, 1)
    client.post(address, {"series": ct.pk, "annotator": ""})
    assert not Outline.objects.exists()
    events = AuditEvent.objects.filter(object_type="annotation.outline").order_by("pk")
    assert [event.action for event in events] == ["assign_outline", "take_back_outline"] * 2


def test_what_was_uploaded_fulfills_the_assignment(
    ct: Series, two: tuple[User, User], users: Users, square: bytes
) -> None:
    assign(actor=users[Role.REVIEWER], series=ct, annotators=[two[0]])
    receive_mask(actor=two[0], series=ct, content=square)
    assert count_waiting(two[0]) == 0


def test_blind_outlines_need_two_people_and_an_untouched_ct(
    ct: Series, two: tuple[User, User], users: Users, two_centers: tuple[Center, Center], client_as: Open
) -> None:
    manager = users[Role.DATA_MANAGER]
    foreign = user_with(Role.COORDINATOR, two_centers[1], everywhere=False)
    with pytest.raises(Refusal, match="two people"):
        assign(actor=manager, series=ct, annotators=[two[0], two[0]])
    with pytest.raises(Refusal, match="Choose another person"):
        assign(actor=manager, series=ct, annotators=[two[0], foreign])
    assert not Outline.objects.exists() and not DoubleReading.objects.exists(), "all or nothing"
    save(client_as(two[0]), ct, {1: square_labels()[1]}, 0)
    with pytest.raises(Refusal, match="outlined already"):
        assign(actor=manager, series=ct, annotators=list(two))


def test_two_at_work_are_not_replaced(
    ct: Series, reading: DoubleReading, two: tuple[User, User], users: Users, client_as: Open
) -> None:
    save(client_as(two[1]), ct, {1: square_labels()[1]}, 0)
    client = client_as(users[Role.DATA_MANAGER])
    answer = client.post(reverse("masks:assign"), {"series": ct.pk, "annotator": two[0].pk}, follow=True)
    text = answer.content.decode()
    assert "being outlined by two people already" in text and "Nothing was changed" in text
    assert DoubleReading.objects.exists()


def test_who_may_not_assign(
    ct: Series, two: tuple[User, User], users: Users, two_centers: tuple[Center, Center], client_as: Open
) -> None:
    form = {"series": ct.pk, "annotator": two[0].pk}
    assert client_as(two[0]).post(reverse("masks:assign"), form).status_code == 404
    elsewhere = user_with(Role.REVIEWER, two_centers[1], everywhere=False)
    with pytest.raises(Http404):
        assign(actor=elsewhere, series=ct, annotators=[two[0]])
    client_as(elsewhere).post(reverse("masks:assign"), form)
    assert not Outline.objects.exists()
    assert two[0] in annotators_for(users[Role.DATA_MANAGER])
