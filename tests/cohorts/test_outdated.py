"""A frozen cohort whose masks were corrected since says so, and stays what it was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.annotation.models import Mask
from apps.cohorts.exports.services import request_export
from apps.cohorts.models import Export, Snapshot
from apps.cohorts.outdated import MOST_NAMED, OutdatedMasks, approved_since, outdated_masks
from apps.cohorts.selectors import load_included_rows
from apps.cohorts.services import freeze_snapshot
from apps.experiments.models import Experiment
from apps.patients.models import Patient
from tests.annotation.approving import approved
from tests.cohorts import factory
from tests.experiments.factory import serve
from tests.factories import user_with

Files = Callable[[], set[str]]
Users = dict[Role, User]
SENTENCE = "Since this snapshot was frozen"


@pytest.fixture
def patients(users: Users, files: Files) -> list[Patient]:
    """Three patients of each of two centers: C1-0101, C2-0102, C1-0103 and so on."""
    cache.clear()
    return factory.ready_cohort(3, 3)


@pytest.fixture
def snapshot(patients: list[Patient], users: Users) -> Snapshot:
    return freeze_snapshot(actor=users[Role.SCIENTIST])


@pytest.fixture
def run(snapshot: Snapshot, users: Users) -> Experiment:
    """A finished run on the snapshot, in service."""
    return serve(Experiment.objects.create(
        name="Trial", snapshot=snapshot, config={"image_shape": [32, 32, 32]}, created_by=users[Role.SCIENTIST],
        finished_at=timezone.now(), model_digest="0" * 64,
    ))  # fmt: skip


def corrected(patient: Patient, volume_ml: str = "44.44") -> Mask:
    """Submit another version of the mask of the patient's CT."""
    mask = factory.add_mask(patient.series.get(is_chosen=True), volume_ml)
    mask.state = Mask.State.SUBMITTED
    mask.save()
    return mask


def test_a_corrected_mask_marks_the_snapshot_once_it_is_approved(
    patients: list[Patient], snapshot: Snapshot, users: Users
) -> None:
    reader, before = users[Role.PI], load_included_rows(snapshot)
    assert outdated_masks(snapshot, reader) is None
    first, second = corrected(patients[0]), corrected(patients[3])
    assert outdated_masks(snapshot, reader) is None, "what waits for review does not count"

    approved(first)
    assert outdated_masks(snapshot, reader) == OutdatedMasks(1, 6, (patients[0].study_id,))
    approved(second)
    names = tuple(sorted((patients[0].study_id, patients[3].study_id)))
    assert outdated_masks(snapshot, reader) == OutdatedMasks(2, 6, names)
    assert load_included_rows(Snapshot.objects.get()) == before, "marked, not changed"

    later = freeze_snapshot(actor=users[Role.SCIENTIST])
    assert outdated_masks(later, reader) is None and outdated_masks(snapshot, reader) is not None


def test_a_newer_ct_and_a_mask_drawn_back_to_what_it_was(
    patients: list[Patient], snapshot: Snapshot, users: Users
) -> None:
    reader = users[Role.PI]
    factory.add_ct(patients[1], 9)
    assert outdated_masks(snapshot, reader) == OutdatedMasks(1, 6, (patients[1].study_id,)), "no mask counts any more"

    mask = corrected(patients[0])
    mask.sha256 = patients[0].masks.get(version=1).sha256
    mask.save()
    approved(mask)
    assert outdated_masks(snapshot, reader) == OutdatedMasks(1, 6, (patients[1].study_id,)), "the same voxels"


def test_who_was_left_out_of_the_analysis_does_not_count(
    two_centers: tuple[Center, Center], users: Users, files: Files
) -> None:
    ready, open_form = (
        factory.ready_patient(two_centers[0], row, n) for n, row in enumerate(factory.simulated_rows(1, 1))
    )
    factory.fill_form(open_form, {"headache": None})
    snapshot = freeze_snapshot(actor=users[Role.SCIENTIST])
    approved(corrected(open_form))
    assert outdated_masks(snapshot, users[Role.PI]) is None
    approved(corrected(ready))
    assert outdated_masks(snapshot, users[Role.PI]) == OutdatedMasks(1, 1, (ready.study_id,))


def test_pages_say_it_and_name_patients_to_who_may_open_them(
    patients: list[Patient], run: Experiment, users: Users, client_as: Any
) -> None:
    addresses = [f"/experiments/{run.pk}/", reverse("experiments:model-card", args=[run.pk]), "/dashboard/"]
    reader, scientist = client_as(users[Role.PI]), client_as(users[Role.SCIENTIST])
    for address in addresses:
        assert SENTENCE not in reader.get(address).content.decode()
    approved(corrected(patients[0]))
    approved(corrected(patients[1]))
    link = f'<a href="/patients/{patients[0].study_id}/">{patients[0].study_id}</a>'
    for address in addresses:
        page = reader.get(address).content.decode()
        assert f"{SENTENCE}, the masks of 2 of its 6 analyzed patients changed." in page
        assert "A new experiment freezes the cohort with the masks that count now." in page and link in page
        page = scientist.get(address).content.decode()
        assert "the masks of 2 of its 6 analyzed patients changed." in page
        assert patients[0].study_id not in page and "Changed:" not in page


def test_the_dashboard_of_one_center_keeps_the_other_centers_change_to_itself(
    patients: list[Patient], run: Experiment, two_centers: tuple[Center, Center], client_as: Any
) -> None:
    reader = client_as(user_with(Role.PI, two_centers[1], everywhere=False))
    approved(corrected(patients[0]))
    assert patients[0].center == two_centers[0]
    assert SENTENCE not in reader.get("/dashboard/").content.decode()
    approved(corrected(patients[1]))
    page = reader.get("/dashboard/").content.decode()
    assert f"{SENTENCE}, the mask of 1 of its 3 analyzed patients changed." in page
    assert patients[1].study_id in page and patients[0].study_id not in page
    assert reader.get(f"/experiments/{run.pk}/").status_code == 404


def test_a_scientist_with_a_role_in_one_center_is_told_the_names_there(
    patients: list[Patient], snapshot: Snapshot, users: Users, two_centers: tuple[Center, Center]
) -> None:
    actor = User.objects.get(pk=users[Role.SCIENTIST].pk)
    actor.memberships.create(role=Role.ANNOTATOR, center=two_centers[1])
    for patient in patients[:2]:
        approved(corrected(patient))
    assert outdated_masks(snapshot, actor) == OutdatedMasks(2, 6, (patients[1].study_id,))


def test_many_changes_take_the_same_queries_and_not_all_names(
    patients: list[Patient], two_centers: tuple[Center, Center], users: Users
) -> None:
    reader = users[Role.PI]
    more = [factory.ready_patient(two_centers[0], row, 200 + n) for n, row in enumerate(factory.simulated_rows(11, 11))]
    snapshot = freeze_snapshot(actor=users[Role.SCIENTIST])
    approved(corrected(patients[0]))
    outdated_masks(snapshot, reader)
    with CaptureQueriesContext(connection) as few:
        outdated_masks(snapshot, reader)
    for patient in more:
        factory.add_mask(patient.series.get(), "9.99")
    with CaptureQueriesContext(connection) as many:
        found = outdated_masks(snapshot, reader)
    assert found is not None and (found.count, found.total) == (23, 28)
    assert (len(found.named), found.more) == (MOST_NAMED, 3)
    assert len(many) == len(few) == 3


def test_a_lost_file_does_not_keep_a_run_from_being_shown(run: Experiment, users: Users, client_as: Any) -> None:
    default_storage.delete(run.snapshot.file)
    page = client_as(users[Role.PI]).get(f"/experiments/{run.pk}/")
    assert page.status_code == 200 and SENTENCE not in page.content.decode()


def exported(actor: User, capture: Callable[..., Any], *centers: str) -> Export:
    """Have an export written that ran half an hour ago."""
    with capture(execute=True):
        export = request_export(actor=actor, purpose="a planned analysis", centers=centers)
    factory.run_waiting(capture, queue="imaging")
    export = Export.objects.get(pk=export.pk)
    assert export.is_ready and export.job is not None
    export.job.started_at = timezone.now() - timedelta(minutes=30)
    export.job.save()
    return export


def test_an_export_says_how_many_masks_were_approved_since_it_was_written(
    patients: list[Patient], users: Users, client_as: Any, django_capture_on_commit_callbacks: Any,
    django_assert_num_queries: Any,
) -> None:  # fmt: skip
    manager = users[Role.DATA_MANAGER]
    whole = exported(manager, django_capture_on_commit_callbacks)
    of_one = exported(manager, django_capture_on_commit_callbacks, "C2")
    client, sentence = client_as(manager), "their volumes and scores are not in this file"
    corrected(patients[0])
    page = client.get("/exports/").content.decode()
    assert page.count("Download export") == 2 and "Since then" not in page, "what waits for review does not count"

    approved(Mask.objects.get(state=Mask.State.SUBMITTED))
    page = client.get("/exports/").content.decode()
    assert page.count("Since then a mask of 1 patient was approved") == 1, "not in the export of the other center"
    approved(corrected(patients[1]))
    approved(corrected(patients[1], "5.55"))
    page = client.get("/exports/").content.decode()
    assert page.count(f"Since then masks of 2 patients were approved; {sentence}.") == 1
    assert page.count("Since then a mask of 1 patient was approved") == 1
    with django_assert_num_queries(1):
        assert approved_since([whole, of_one]) == {whole.pk: 2, of_one.pk: 1}
