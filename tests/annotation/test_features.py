"""Shape and density of a mask: measured when it is saved, and by a job where that is missing or outdated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.annotation import services, tasks
from apps.annotation.models import Mask
from apps.core.jobs import look_around, run_job
from apps.core.models import Job
from apps.imaging.models import Series
from apps.imaging.selectors import load_volume, slices_of
from ml.hematoma import CENTER, FEATURES, FEATURES_VERSION, center_mm, lateral_extent_mm
from ml.volumes import SeriesError
from tests.annotation.conftest import square_labels


@pytest.fixture
def mask(ct: Series, users: dict[Role, User], square: bytes) -> Mask:
    return services.receive_mask(actor=users[Role.COORDINATOR], series=ct, content=square)


def outdate(mask: Mask, **changes: Any) -> None:
    Mask.objects.filter(pk=mask.pk).update(**{"features": {}, "features_version": FEATURES_VERSION - 1} | changes)


def test_a_mask_is_measured_when_it_is_saved(mask: Mask, ct: Series) -> None:
    mask.refresh_from_db()
    # By name: a database keeps no order of keys.
    assert (set(mask.features), mask.features_version) == ({*FEATURES, *CENTER}, FEATURES_VERSION)
    # 6 x 4 pixels of 0.5 mm on three slices 16 mm apart.
    assert mask.features["volume_ml"] == pytest.approx(0.288)
    assert mask.lateral_mm == pytest.approx(lateral_extent_mm(square_labels(), load_volume(ct)))
    assert mask.features["center_z_mm"] == pytest.approx(center_mm(square_labels(), load_volume(ct))["center_z_mm"])
    assert (mask.features["slices"], mask.features["parts"]) == (3, 1)
    within = load_volume(ct).hu[square_labels() > 0].astype(np.float64)
    assert mask.features["density_mean_hu"] == pytest.approx(within.mean())
    assert mask.features["density_sd_hu"] == pytest.approx(within.std())


def test_a_mask_is_kept_where_the_densities_cannot_be_read(
    ct: Series, users: dict[Role, User], square: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(series: Series) -> None:
        raise SeriesError("bad_pixels", "The pixels cannot be read; send the CT again.")

    monkeypatch.setattr(services, "load_volume", unreadable)
    saved = services.receive_mask(actor=users[Role.COORDINATOR], series=ct, content=square)
    assert (saved.features, saved.features_version, str(saved.volume_ml)) == ({}, 0, "0.29")


def test_a_mask_of_earlier_times_gets_its_place(
    mask: Mask, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    place = list(mask.lateral_mm)
    tasks.queue_stale()
    assert Mask.objects.get(pk=mask.pk).job is None, "it has all"
    Mask.objects.filter(pk=mask.pk).update(lateral_mm=[])
    tasks.queue_stale()
    mask.refresh_from_db()
    with django_capture_on_commit_callbacks(execute=True):
        run_job(job_id=mask.job_id)
    mask.refresh_from_db()
    assert mask.lateral_mm == place
    tasks.queue_stale()
    assert Mask.objects.get(pk=mask.pk).job_id == mask.job_id, "nothing is left to measure"


def test_outdated_masks_are_measured_anew(mask: Mask, django_capture_on_commit_callbacks: Callable[..., Any]) -> None:
    before, place = mask.features, list(mask.lateral_mm)
    outdate(mask, lateral_mm=[])
    look_around()
    mask.refresh_from_db()
    with django_capture_on_commit_callbacks(execute=True):
        run_job(job_id=mask.job_id)
    mask.refresh_from_db()
    assert mask.job is not None and mask.job.state == Job.State.SUCCEEDED
    assert (mask.features, mask.features_version) == (before, FEATURES_VERSION)
    assert mask.lateral_mm == place
    measuring = Job.objects.filter(task="apps.annotation.tasks.measure_mask")
    tasks.queue_stale()
    assert measuring.count() == 1, "nothing is left to measure"
    # The next version of the program finds it again, though a job has measured it before.
    outdate(mask)
    tasks.queue_stale()
    tasks.queue_stale()
    assert measuring.count() == 2


def test_a_failure_is_tried_again_hours_later(
    mask: Mask, ct: Series, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    outdate(mask)
    first = slices_of(ct).first()
    assert first is not None
    default_storage.delete(first.file)
    measuring = Job.objects.filter(task="apps.annotation.tasks.measure_mask")
    for _ in range(2):
        tasks.queue_stale()
        mask.refresh_from_db()
        with django_capture_on_commit_callbacks(execute=True):
            run_job(job_id=mask.job_id)
    assert measuring.get().state == Job.State.FAILED
    mask.refresh_from_db()
    assert (mask.features, mask.features_version) == ({}, FEATURES_VERSION - 1)
    measuring.update(finished_at=timezone.now() - 2 * tasks.TRIED_AGAIN_AFTER)
    tasks.queue_stale()
    assert measuring.filter(state=Job.State.QUEUED).count() == 1


def test_so_many_a_minute(mask: Mask, users: dict[Role, User], ct: Series, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Mask.objects.get()
    other.pk, other.version = None, 2
    other.save()
    Mask.objects.update(features_version=FEATURES_VERSION - 1)
    monkeypatch.setattr(tasks, "STALE_A_MINUTE", 1)
    tasks.queue_stale()
    assert list(Mask.objects.filter(job__isnull=False)) == [other], "the newest first"
    tasks.queue_stale()
    assert Mask.objects.filter(job__isnull=False).count() == 2


def test_a_failed_ct_is_left_alone(mask: Mask, ct: Series) -> None:
    outdate(mask)
    Series.objects.filter(pk=ct.pk).update(state=Series.State.FAILED)
    tasks.queue_stale()
    mask.refresh_from_db()
    assert mask.job is None


def test_twice_writes_the_same_numbers(mask: Mask, django_capture_on_commit_callbacks: Callable[..., Any]) -> None:
    outdate(mask)
    found = []
    for _ in range(2):
        job = tasks.measure_mask.enqueue(mask_id=mask.pk)
        with django_capture_on_commit_callbacks(execute=True):
            run_job(job_id=job.pk)
        mask.refresh_from_db()
        found.append(mask.features)
    assert found[0] == found[1] != {}
