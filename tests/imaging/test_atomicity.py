"""Rows whose files are whole, whatever fails and whoever comes at the same moment."""

import itertools
import threading
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.core.jobs import run_job
from apps.core.models import Job
from apps.core.storage import WholeFileStorage
from apps.imaging.ingest import receive as ingest
from apps.imaging.ingest.receive import Receipt, receive
from apps.imaging.models import Instance, Series
from apps.imaging.selectors import current_series, load_volume
from apps.imaging.services import retry_preparation
from apps.patients.models import Patient
from ml.preprocessing import PREPROCESSING_VERSION
from ml.simulation import PhantomSpec, simulate_ct
from tests.imaging.factory import ct_url, everything, receive_series, scan_files, stored_files, uploads

STEPS = (
    "apps.core.store.put",
    "apps.imaging.ingest.receive.remember_person",
    "apps.imaging.models.ImagingStudy.objects.get_or_create",
    "apps.imaging.models.Series.objects.get_or_create",
    "apps.imaging.models.Instance.objects.bulk_create",
    "apps.core.models.Job.objects.create",
    "apps.imaging.models.Series.save",
    "apps.imaging.models.SeriesMetadata.objects.update_or_create",
    "apps.imaging.ingest.receive.record",
    "apps.imaging.ingest.receive.apply_choice",
)


@pytest.mark.parametrize("step", STEPS)
def test_failure_at_any_step_leaves_no_row(
    step: str, coordinator: User, patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **keywords: Any) -> None:
        raise RuntimeError("planted")

    before, files = everything(), scan_files()
    monkeypatch.setattr(step, fail)
    with pytest.raises(RuntimeError, match="planted"):
        receive_series(actor=coordinator, patient=patient, files=files)
    monkeypatch.undo()
    assert everything()[0] == before[0]
    receive_series(actor=coordinator, patient=patient, files=files)
    assert Series.objects.count() == 1
    # What the failed upload had written is what the second one needs: nothing is left over.
    assert set(Instance.objects.values_list("file", flat=True)) == set(stored_files())


def test_full_disk_in_the_middle_leaves_no_row(
    browser: Client, patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third file cannot be written: the person gets an error and no half scan; the sweep takes the two files."""
    count, save = itertools.count(1), WholeFileStorage._save

    def save_two(storage: WholeFileStorage, name: str, content: Any) -> str:
        if next(count) > 2:
            raise OSError(28, "No space left on device")
        return save(storage, name, content)

    before = everything()
    monkeypatch.setattr(WholeFileStorage, "_save", save_two)
    browser.raise_request_exception = False
    assert browser.post(ct_url(patient), {"files": uploads(scan_files())}).status_code == 500
    assert next(count) > 3
    assert everything()[0] == before[0]


def test_storing_twice_changes_nothing(coordinator: User, patient: Patient) -> None:
    files = scan_files()
    receive_series(actor=coordinator, patient=patient, files=files)
    before = everything()
    receipt = receive(actor=coordinator, patient=patient, files=files)
    assert (receipt.counts, receipt.series) == ({"known": 4}, [])
    assert everything() == before


def test_a_lost_file_is_written_again(coordinator: User, patient: Patient) -> None:
    files = scan_files()
    series = receive_series(actor=coordinator, patient=patient, files=files)
    before = stored_files()
    default_storage.delete(series.instances.get(index=1).file)
    assert receive(actor=coordinator, patient=patient, files=files).counts == {"known": 4}
    assert stored_files() == before


def in_threads(actions: list[Callable[[], Any]]) -> list[Any]:
    """Run the actions at the same moment; return what each gave back or raised."""
    start = threading.Barrier(len(actions))
    outcomes: list[Any] = [None] * len(actions)

    def run(number: int) -> None:
        try:
            start.wait(timeout=20)
            outcomes[number] = actions[number]()
        except Exception as error:
            outcomes[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return outcomes


@pytest.mark.django_db(transaction=True)
def test_same_scan_at_the_same_moment(coordinator: User, patient: Patient) -> None:
    files = scan_files(8)
    outcomes = in_threads([lambda: receive(actor=coordinator, patient=patient, files=files)] * 3)
    assert all(isinstance(outcome, Receipt) for outcome in outcomes), outcomes
    assert sorted(str(outcome.counts) for outcome in outcomes) == ["{'known': 8}", "{'known': 8}", "{'stored': 8}"]
    assert set(Instance.objects.values_list("file", flat=True)) == set(stored_files())
    assert len(stored_files()) == 8
    assert load_volume(Series.objects.get()).shape == (8, 16, 16)
    assert Job.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_refused_twin_takes_no_file_away(coordinator: User, patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of two uploads of the same slices fails at its last step while the other is on its way."""
    record, failed = ingest.record, threading.Event()

    def fail_once(**keywords: Any) -> Any:
        if not failed.is_set():
            failed.set()
            raise RuntimeError("planted")
        return record(**keywords)

    monkeypatch.setattr(ingest, "record", fail_once)
    files = scan_files(8)
    outcomes = in_threads([lambda: receive_series(actor=coordinator, patient=patient, files=files)] * 2)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["RuntimeError", "Series"], outcomes
    assert set(Instance.objects.values_list("file", flat=True)) == set(stored_files())


@pytest.mark.django_db(transaction=True)
def test_two_series_of_one_examination_at_the_same_moment(coordinator: User, patient: Patient) -> None:
    pairs = [scan_files(seed=seed, StudyInstanceUID="1.2.3.4") for seed in (1, 2)]
    outcomes = in_threads(
        [lambda files=files: receive_series(actor=coordinator, patient=patient, files=files) for files in pairs]
    )
    assert [type(outcome).__name__ for outcome in outcomes] == ["Series", "Series"], outcomes
    assert outcomes[0].study == outcomes[1].study


@pytest.fixture
def head(coordinator: User, patient: Patient, tmp_path: Any) -> Series:
    simulate_ct(tmp_path / "ct", spec=PhantomSpec(rows=128, columns=128), seed=3)
    files = [path.read_bytes() for path in (tmp_path / "ct").iterdir()]
    return receive_series(actor=coordinator, patient=patient, files=files)


def test_preparing_twice_changes_nothing(head: Series, monkeypatch: pytest.MonkeyPatch) -> None:
    run_job(job_id=head.job_id)
    before = everything()
    head.refresh_from_db()
    assert (head.state, head.preprocessing_version) == (Series.State.READY, PREPROCESSING_VERSION)
    image = np.load(BytesIO(stored_files()[head.tensor]))
    # The message comes again, once with the result known and once as if the worker had died before saying so.
    for state in (Series.State.READY, Series.State.RECEIVED):
        Series.objects.update(state=state)
        Job.objects.update(state=Job.State.QUEUED)
        run_job(job_id=head.job_id)
        head.refresh_from_db()
        assert head.state == Series.State.READY
        assert set(stored_files()) == before[1]
        np.testing.assert_array_equal(np.load(BytesIO(stored_files()[head.tensor])), image)
    rows = everything()[0]
    assert rows["imaging_series"] == before[0]["imaging_series"]


def test_failure_while_storing_the_result_leaves_no_row(head: Series, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **keywords: Any) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr("apps.imaging.services.announce", fail)
    run_job(job_id=head.job_id)
    job = Job.objects.get(pk=head.job_id)
    assert (job.state, job.failure_code) == (Job.State.FAILED, "unexpected")
    head.refresh_from_db()
    assert (head.state, head.tensor) == (Series.State.RECEIVED, "")


def test_no_head_is_said_and_can_be_retried(
    browser: Client, api: APIClient, coordinator: User, patient: Patient, users: dict[Role, User],
    client_as: Callable[[User], Client], django_capture_on_commit_callbacks: Any,
) -> None:  # fmt: skip
    series = receive_series(actor=coordinator, patient=patient, files=scan_files(seed=1))
    other = receive_series(actor=coordinator, patient=patient, files=scan_files(seed=2))
    status, retry = (reverse(f"imaging:{name}", args=[patient.study_id, series.pk]) for name in ("status", "retry"))
    assert current_series(patient) == series
    assert browser.post(retry).status_code == 409
    run_job(job_id=series.job_id)
    series.refresh_from_db()
    assert series.state == Series.State.FAILED
    finding = series.findings[0]
    told = api.get(reverse("api-series", args=[patient.study_id, series.pk])).json()
    assert told["state"] == "failed"
    assert told["job"]["failure"] == finding["sentence"]
    assert finding["level"] == "fail"
    assert current_series(patient) == other
    fragment = browser.get(status)
    assert fragment["HX-Trigger"] == "job-ended"
    assert finding["sentence"] in fragment.content.decode()
    assert retry in fragment.content.decode()
    assert retry not in client_as(users[Role.MONITOR]).get(status).content.decode()
    with django_capture_on_commit_callbacks() as sent:
        assert browser.post(retry).status_code == 302
    assert len(sent) == 1
    series.refresh_from_db()
    assert (series.state, series.preprocessing_report) == (Series.State.RECEIVED, {})
    assert Job.objects.get(pk=series.job_id).state == Job.State.QUEUED
    assert browser.post(retry).status_code == 409


@pytest.mark.django_db(transaction=True)
def test_two_clicks_on_retry(coordinator: User, patient: Patient) -> None:
    series = receive_series(actor=coordinator, patient=patient, files=scan_files())
    Job.objects.update(state=Job.State.FAILED)
    outcomes = in_threads([lambda: retry_preparation(actor=coordinator, series=series)] * 2)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "Refusal"], outcomes


def test_stored_slice_that_is_lost_fails_the_job_with_a_sentence(head: Series) -> None:
    """A file that is gone from the disk is the administrator's affair; the series is not called unusable."""
    default_storage.delete(head.instances.get(index=0).file)
    run_job(job_id=head.job_id)
    job = Job.objects.get(pk=head.job_id)
    assert job.state == Job.State.FAILED
    assert job.failure.endswith(".")
    head.refresh_from_db()
    assert head.state == Series.State.RECEIVED


def test_slices_that_come_later_join_their_series(coordinator: User, patient: Patient, tmp_path: Any) -> None:
    """Two halves of a scan in two uploads make one whole series, and what was computed from the first is redone."""
    simulate_ct(tmp_path / "ct", spec=PhantomSpec(rows=128, columns=128), seed=3)
    files = [path.read_bytes() for path in sorted((tmp_path / "ct").iterdir())]
    receive(actor=coordinator, patient=patient, files=files[::2])
    series = Series.objects.get()
    run_job(job_id=series.job_id)
    first, half = series.job_id, series.digest
    receive(actor=coordinator, patient=patient, files=files[1::2], more=True)
    series.refresh_from_db()
    assert (series.slice_count, series.state, series.tensor) == (len(files), Series.State.RECEIVED, "")
    assert series.digest != half
    assert list(series.instances.order_by("index").values_list("index", flat=True)) == list(range(len(files)))
    receive(actor=coordinator, patient=patient, files=files[:1])  # the last part, here already
    series.refresh_from_db()
    assert series.job_id != first
    run_job(job_id=series.job_id)
    series.refresh_from_db()
    assert series.state == Series.State.READY
