"""Review: a second person approves a version or returns it with remarks, and scores follow what was approved."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.annotation import services
from apps.annotation.models import Mask, Remark
from apps.annotation.selectors import current_mask
from apps.audit.models import AuditEvent
from apps.imaging.models import Series
from apps.patients.models import Patient
from tests.annotation.conftest import square_labels
from tests.annotation.drawing import save, submit
from tests.factories import UserFactory, user_with

Users = dict[Role, User]


@pytest.fixture
def mask(ct: Series, users: Users) -> Mask:
    return services.store_mask(actor=users[Role.ANNOTATOR], series=ct, mask=square_labels())


@pytest.fixture
def reviewer(client_as: Callable[[User], Client], users: Users) -> Client:
    return client_as(users[Role.REVIEWER])


def act(client: Client, step: str, version: int = 1, **form: Any) -> Any:
    return client.post(reverse(f"annotation:{step}", args=["C1-0001", version]), form)


def page(client: Client, version: int = 1) -> str:
    return client.get(reverse("annotation:version", args=["C1-0001", version])).content.decode()


def test_an_approved_version_counts(reviewer: Client, mask: Mask, patient: Patient, users: Users) -> None:
    assert current_mask(patient) is None
    assert act(reviewer, "approve").url == "/masks/"
    counting = current_mask(patient)
    assert counting == mask and counting.reviewed_by == users[Role.REVIEWER]
    event = AuditEvent.objects.get(action="approve_mask")
    assert event.changes == {"state": ["submitted", "approved"]}
    assert "this version counts" in page(reviewer)


def test_a_returned_version_does_not_count_and_says_why(
    reviewer: Client, client_as: Callable[[User], Client], mask: Mask, patient: Patient, users: Users
) -> None:
    text = "The hematoma reaches one slice higher."
    act(reviewer, "return", text=text, slice="4", row="7", column="8")
    mask.refresh_from_db()
    assert (mask.state, current_mask(patient)) == (Mask.State.RETURNED, None)
    remark = Remark.objects.get()
    assert (remark.text, remark.slice_index, remark.row, remark.column) == (text, 4, 7, 8)
    assert AuditEvent.objects.get(action="return_mask").reason == text
    annotator = client_as(users[Role.ANNOTATOR])
    assert text in page(annotator)
    assert "returned" in annotator.get("/masks/").content.decode()


def test_a_remark_may_mean_the_whole_mask(reviewer: Client, mask: Mask) -> None:
    act(reviewer, "return", text="All slices are shifted.", slice="", row="", column="")
    assert Remark.objects.get().slice_index is None


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"text": "  "}, "Say in at most 2,000 characters"),
        ({"text": "x" * 2001}, "Say in at most 2,000 characters"),
        ({"text": "Here.", "slice": "5", "row": "0", "column": "0"}, "outside the CT"),
        ({"text": "Here.", "slice": "0", "row": "16", "column": "0"}, "outside the CT"),
    ],
)
def test_a_remark_that_says_nothing_is_refused(reviewer: Client, mask: Mask, form: Any, sentence: str) -> None:
    answer = act(reviewer, "return", **form)
    assert answer.status_code == 422 and sentence in answer.content.decode()
    mask.refresh_from_db()
    assert mask.state == Mask.State.SUBMITTED and not Remark.objects.exists()


def test_nobody_reviews_his_own(client_as: Callable[[User], Client], ct: Series, users: Users) -> None:
    services.store_mask(actor=users[Role.REVIEWER], series=ct, mask=square_labels())
    own = client_as(users[Role.REVIEWER])
    for step in ("approve", "return"):
        answer = act(own, step, text="Good.")
        assert answer.status_code == 422 and "cannot review it" in answer.content.decode()
    assert Mask.objects.get().state == Mask.State.SUBMITTED
    assert "Approve" not in page(own)


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.REVIEWER}))
def test_only_reviewers_review(role: Role, client_as: Callable[[User], Client], mask: Mask, users: Users) -> None:
    other = users[role] if role != Role.ANNOTATOR else UserFactory()
    client = client_as(other)
    assert act(client, "approve").status_code == act(client, "return", text="No.").status_code == 404
    assert Mask.objects.get().state == Mask.State.SUBMITTED


def test_a_reviewer_of_another_center_finds_nothing(
    client_as: Callable[[User], Client], mask: Mask, two_centers: Any
) -> None:
    foreign = client_as(user_with(Role.REVIEWER, two_centers[1], everywhere=False))
    assert act(foreign, "approve").status_code == 404
    assert foreign.get(reverse("annotation:version", args=["C1-0001", 1])).status_code == 404


def test_what_was_reviewed_is_not_reviewed_again(reviewer: Client, mask: Mask) -> None:
    act(reviewer, "approve")
    answer = act(reviewer, "return", text="Too late.")
    assert answer.status_code == 409 and "waits for review no more" in answer.content.decode()
    assert Mask.objects.get().state == Mask.State.APPROVED


def test_a_version_that_its_author_has_overtaken_waits_no_more(
    reviewer: Client, mask: Mask, ct: Series, users: Users
) -> None:
    larger = square_labels()
    larger[4] = larger[3]
    services.store_mask(actor=users[Role.ANNOTATOR], series=ct, mask=larger)
    assert act(reviewer, "approve", 1).status_code == 409
    assert act(reviewer, "approve", 2).status_code == 302


def test_submit_return_correct_approve(
    reviewer: Client, client_as: Callable[[User], Client], ct: Series, users: Users, patient: Patient
) -> None:
    annotator, labels = client_as(users[Role.ANNOTATOR]), square_labels()
    save(annotator, ct, {index: labels[index] for index in (1, 2)}, 0)
    submit(annotator, ct, 1)
    act(reviewer, "return", text="A slice is missing.")
    assert "A slice is missing." in annotator.get(reverse("annotation:outline", args=["C1-0001"])).content.decode()
    save(annotator, ct, {3: labels[3]}, 1)
    submit(annotator, ct, 2)
    corrected = Mask.objects.get(version=2)
    assert corrected.corrects == Mask.objects.get(version=1)
    act(reviewer, "approve", 2)
    assert current_mask(patient) == corrected
    assert str(corrected.volume_ml) == "0.29"


@pytest.mark.parametrize("suffix", ["nii.gz", "nrrd", "mha"])
def test_a_version_leaves_as_a_file(suffix: str, reviewer: Client, mask: Mask, tmp_path: Any) -> None:
    """Read by SimpleITK; ITK gives the series the mean distance of its slices."""
    url = f"/patients/C1-0001/mask/1/mask.{suffix}"
    assert f'href="{url}"' in page(reviewer)
    answer = reviewer.get(url)
    assert answer["Content-Disposition"] == f'attachment; filename="mask-version-1.{suffix}"'
    path = tmp_path / f"mask.{suffix}"
    path.write_bytes(answer.content)
    image = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), square_labels())
    assert image.GetSpacing() == pytest.approx((0.5, 0.5, 16.0))


@pytest.mark.parametrize("suffix", ["nii", "png", "nii.gz.exe", "..", "nhdr", "mhd"])
def test_no_other_format_leaves(suffix: str, reviewer: Client, mask: Mask) -> None:
    assert reviewer.get(f"/patients/C1-0001/mask/1/mask.{suffix}").status_code == 404


def test_words_of_the_trail(reviewer: Client, mask: Mask, client_as: Callable[[User], Client], users: Users) -> None:
    act(reviewer, "return", text="Look again.")
    trail = client_as(users[Role.PI]).get(reverse("audit:list")).content.decode()
    assert "Returned a version of the hematoma mask" in trail and "waits for review" in trail
