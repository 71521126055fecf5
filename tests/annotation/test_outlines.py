"""Drawing: what is drawn is saved slice by slice, survives, and becomes a version when it is submitted."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.annotation.models import Mask, Outline
from apps.annotation.selectors import current_mask, load_labels
from apps.audit.models import AuditEvent
from apps.imaging.ingest.receive import receive
from apps.imaging.models import Series
from apps.imaging.services import fail_preparation
from apps.patients.models import Patient
from tests.annotation.approving import approved
from tests.annotation.conftest import square_labels
from tests.annotation.drawing import drawn, packed, post, save, submit
from tests.imaging.factory import everything, scan_files

SQUARE = square_labels()


@pytest.fixture
def annotator(client_as: Callable[[User], Client], users: dict[Role, User], ct: Series) -> Client:
    return client_as(users[Role.ANNOTATOR])


@pytest.fixture
def reviewer(client_as: Callable[[User], Client], users: dict[Role, User], ct: Series) -> Client:
    return client_as(users[Role.REVIEWER])


def planes(labels: np.ndarray, *indices: int) -> dict[int, np.ndarray]:
    return {index: labels[index] for index in indices}


def test_what_is_saved_is_there_again(annotator: Client, ct: Series) -> None:
    assert not drawn(annotator, ct).any()
    assert save(annotator, ct, planes(SQUARE, 1, 2), 0).json() == {"revision": 1}
    assert save(annotator, ct, planes(SQUARE, 3), 1).json() == {"revision": 2}
    np.testing.assert_array_equal(drawn(annotator, ct), SQUARE)
    erased = np.zeros_like(SQUARE)
    assert save(annotator, ct, planes(erased, 3), 2).json() == {"revision": 3}
    np.testing.assert_array_equal(drawn(annotator, ct)[3], erased[3])
    assert not Mask.objects.exists(), "nothing was submitted"


def test_looking_takes_nothing(annotator: Client, ct: Series) -> None:
    before = everything()
    answer = annotator.get(reverse("annotation:outline", args=["C1-0001"]))
    assert answer.status_code == 200
    assert everything() == before and not Outline.objects.exists()


def test_each_draws_for_himself(annotator: Client, reviewer: Client, ct: Series) -> None:
    save(annotator, ct, planes(SQUARE, 1), 0)
    assert not drawn(reviewer, ct).any()
    assert save(reviewer, ct, planes(SQUARE, 2), 0).status_code == 200
    assert drawn(annotator, ct)[1].any() and not drawn(annotator, ct)[2].any()


def test_two_windows_do_not_draw_over_one_another(annotator: Client, ct: Series) -> None:
    save(annotator, ct, planes(SQUARE, 1), 0)
    answer = save(annotator, ct, planes(SQUARE, 2), 0)
    assert answer.status_code == 409 and answer.json()["code"] == "outline_changed"
    assert not drawn(annotator, ct)[2].any()
    assert submit(annotator, ct, 0).status_code == 409


def test_a_save_whose_answer_was_lost_is_sent_again(annotator: Client, ct: Series) -> None:
    save(annotator, ct, planes(SQUARE, 1), 0, window="one")
    assert save(annotator, ct, planes(SQUARE, 1, 2), 0, window="one").json() == {"revision": 2}
    np.testing.assert_array_equal(drawn(annotator, ct)[1:3], SQUARE[1:3])
    assert save(annotator, ct, planes(SQUARE, 3), 0, window="other").status_code == 409
    again = reverse("annotation:outline-again", args=["C1-0001"])
    annotator.post(again, {"version": ""})
    assert save(annotator, ct, planes(SQUARE, 3), 2, window="one").status_code == 409, "it was begun again elsewhere"


def test_no_slice_comes_between_those_that_are_drawn_on(
    annotator: Client, ct: Series, patient: Patient, users: dict[Role, User]
) -> None:
    assert save(annotator, ct, planes(SQUARE, 1), 0, series_revision=ct.revision - 1).json()["code"] == "series_changed"
    assert not Outline.objects.exists()
    save(annotator, ct, planes(SQUARE, 1), 0)
    later = scan_files(6, seed=40)[5:]
    receive(actor=users[Role.COORDINATOR], patient=patient, files=later)
    ct.refresh_from_db()
    assert ct.slice_count == 5, "it is kept apart"


BAD: dict[str, dict[str, Any]] = {
    "other_size": {"1": SimpleUploadedFile("labels", packed(np.zeros((16, 17))))},
    "no_such_slice": {"5": SimpleUploadedFile("labels", packed(np.zeros((16, 16))))},
    "unknown_label": {"1": SimpleUploadedFile("labels", packed(np.full((16, 16), 7)))},
    "no_zlib": {"1": SimpleUploadedFile("labels", b"no zlib")},
    "empty": {"1": SimpleUploadedFile("labels", b"")},
    "cut": {"1": SimpleUploadedFile("labels", packed(np.random.default_rng(0).integers(0, 2, (16, 16)))[:-9])},
    "bomb": {"1": SimpleUploadedFile("labels", packed(np.zeros((4096, 4096))))},
    "name": {"one": SimpleUploadedFile("labels", packed(np.zeros((16, 16))))},
    "negative": {"-1": SimpleUploadedFile("labels", packed(np.zeros((16, 16))))},
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_slice_is_refused_and_nothing_is_kept(kind: str, annotator: Client, ct: Series) -> None:
    for file in BAD[kind].values():
        file.seek(0)
    before = everything()
    good = {"2": SimpleUploadedFile("labels", packed(SQUARE[2]))}
    form = {**good, **BAD[kind], "revision": 0, "series_revision": ct.revision}
    answer = post(annotator, ct, form)
    assert answer.status_code == 422 and answer.json()["code"] == "outline_slice", answer.content
    assert everything() == before and not Outline.objects.exists()


def test_submitting_makes_a_version_that_waits(annotator: Client, ct: Series, users: dict[Role, User]) -> None:
    labels = SQUARE.copy()
    labels[2] *= 2
    save(annotator, ct, planes(labels, 1, 2, 3), 0)
    answer = submit(annotator, ct, 1)
    assert answer.status_code == 302 and answer.url == "/patients/C1-0001/mask/1/"
    mask = Mask.objects.get()
    assert (mask.state, mask.uploaded_by) == (Mask.State.SUBMITTED, users[Role.ANNOTATOR])
    assert (str(mask.volume_ml), mask.label_ml) == ("0.19", {"1": "0.19", "2": "0.10"})
    np.testing.assert_array_equal(load_labels(mask), labels)
    assert current_mask(ct.patient) is None
    np.testing.assert_array_equal(drawn(annotator, ct), labels), "he goes on from here"
    actions = AuditEvent.objects.filter(object_type__startswith="annotation").order_by("pk")
    assert list(actions.values_list("action", flat=True)) == ["take_outline", "upload_mask"]


def test_an_empty_outline_is_not_submitted(annotator: Client, ct: Series) -> None:
    assert submit(annotator, ct, 0).json()["code"] == "mask_empty"
    save(annotator, ct, planes(SQUARE * 2, 1), 0)
    assert submit(annotator, ct, 1).json()["code"] == "mask_too_small", "no parenchymal hematoma"
    assert not Mask.objects.exists()


def test_the_same_is_not_submitted_twice(annotator: Client, ct: Series) -> None:
    save(annotator, ct, planes(SQUARE, 1, 2, 3), 0)
    assert submit(annotator, ct, 1).status_code == 302
    assert submit(annotator, ct, 1).json()["code"] == "mask_known"
    assert Mask.objects.count() == 1


def test_an_unusable_ct_takes_no_drawing(annotator: Client, ct: Series) -> None:
    save(annotator, ct, planes(SQUARE, 1, 2, 3), 0)
    fail_preparation(series=ct, revision=ct.revision, code="not_a_head", sentence="No head.")
    assert save(annotator, ct, planes(SQUARE, 1), 1).json()["code"] == "series_failed"
    assert submit(annotator, ct, 1).json()["code"] == "series_failed"
    np.testing.assert_array_equal(drawn(annotator, ct), SQUARE), "what was drawn is kept"


def test_begin_again_from_a_version(annotator: Client, reviewer: Client, ct: Series, users: dict[Role, User]) -> None:
    save(annotator, ct, planes(SQUARE, 1, 2, 3), 0)
    submit(annotator, ct, 1)
    again = reverse("annotation:outline-again", args=["C1-0001"])
    assert reviewer.post(again, {"version": "9"}).status_code == 404
    assert reviewer.post(again, {"version": "1"}).status_code == 302
    np.testing.assert_array_equal(drawn(reviewer, ct), SQUARE)
    annotator.post(again, {"version": ""})
    assert not drawn(annotator, ct).any()
    np.testing.assert_array_equal(load_labels(Mask.objects.get()), SQUARE)


def test_a_reviewers_correction_of_anothers_mask_counts_at_once(
    annotator: Client, reviewer: Client, ct: Series, users: dict[Role, User], patient: Patient
) -> None:
    """Two have seen it: who drew it, and who corrected it."""
    save(annotator, ct, planes(SQUARE, 1, 2, 3), 0)
    submit(annotator, ct, 1)
    reviewer.post(reverse("annotation:outline-again", args=["C1-0001"]), {"version": "1"})
    larger = SQUARE.copy()
    larger[4] = SQUARE[3]
    save(reviewer, ct, planes(larger, 4), 1)
    submit(reviewer, ct, 2)
    mask = Mask.objects.get(version=2)
    assert (mask.state, mask.reviewed_by, mask.corrects) == (
        Mask.State.APPROVED, users[Role.REVIEWER], Mask.objects.get(version=1)
    )  # fmt: skip
    assert current_mask(patient) == mask


def test_a_reviewers_own_mask_waits_for_another(reviewer: Client, ct: Series) -> None:
    save(reviewer, ct, planes(SQUARE, 1, 2, 3), 0)
    submit(reviewer, ct, 1)
    assert Mask.objects.get().state == Mask.State.SUBMITTED


def test_an_annotators_correction_of_an_approved_mask_waits(
    annotator: Client, reviewer: Client, ct: Series, patient: Patient
) -> None:
    save(reviewer, ct, planes(SQUARE, 1, 2), 0)
    submit(reviewer, ct, 1)
    Mask.objects.update(state=Mask.State.APPROVED)
    annotator.post(reverse("annotation:outline-again", args=["C1-0001"]), {"version": "1"})
    save(annotator, ct, planes(SQUARE, 3), 1)
    submit(annotator, ct, 2)
    newest = Mask.objects.get(version=2)
    assert newest.state == Mask.State.SUBMITTED
    counting = current_mask(patient)
    assert counting is not None and counting.version == 1, "until somebody approves the newer one"
    approved(newest)
    assert current_mask(patient) == newest


def test_a_foreign_patient_is_as_one_that_is_not_there(
    client_as: Callable[[User], Client], ct: Series, foreign_coordinator: User
) -> None:
    foreign = client_as(foreign_coordinator)
    for name in ("outline", "outline-labels"):
        answers = [foreign.get(reverse(f"annotation:{name}", args=[study])).status_code for study in ("C1-0001", "X")]
        assert answers == [404, 404]
    assert save(foreign, ct, planes(SQUARE, 1), 0).status_code == 404
    assert submit(foreign, ct, 0).status_code == 404
    assert not Outline.objects.exists()
