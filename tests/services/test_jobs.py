"""Durable jobs through real workers: they run, show progress, survive a killed worker and a broker that is down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.servers import wait_until
from tests.services.site import Site

pytestmark = [pytest.mark.services, pytest.mark.slow]

WAITING = {"state": "running", "stage": "Waiting for go", "progress": 0.5}


def lines(path: Path) -> list[str]:
    return path.read_text().split()


@pytest.fixture(scope="module")
def worker(site: Site) -> Iterator[Site]:
    """The site with one worker that runs through all tests that do not kill it."""
    server = site.start_worker()
    yield site
    server.kill()


def test_progress_is_seen_while_the_job_runs(worker: Site, tmp_path: Path) -> None:
    job = worker.call("enqueue", name="two_steps", folder=str(tmp_path))
    running = worker.wait_for(job, **WAITING)
    assert running["attempt"] == 1
    (tmp_path / "go").touch()
    done = worker.wait_for(job, state="succeeded")
    assert (done["progress"], done["stage"], done["failure"]) == (1.0, "", "")
    assert len(lines(tmp_path / "second")) == 1


def test_heartbeat_moves_while_a_step_takes_long(worker: Site, tmp_path: Path) -> None:
    job = worker.call("enqueue", name="two_steps", folder=str(tmp_path))
    first = worker.wait_for(job, **WAITING)["heartbeat_at"]
    assert not worker.call("sweep")
    wait_until(lambda: worker.call("job", pk=job)["heartbeat_at"] != first, "a heartbeat while the body waits")
    (tmp_path / "go").touch()
    worker.wait_for(job, state="succeeded")


def test_message_delivered_twice_runs_the_job_once(worker: Site, tmp_path: Path) -> None:
    job = worker.call("enqueue", name="two_steps", folder=str(tmp_path))
    worker.wait_for(job, **WAITING)
    worker.call("announce", pk=job)
    worker.call("announce", pk=job)
    (tmp_path / "go").touch()
    worker.wait_for(job, state="succeeded")
    worker.call("announce", pk=job)
    # The worker takes messages of a queue in order, so a later job's end shows that the copies were taken, too.
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "go").touch()
    later = worker.call("enqueue", name="two_steps", folder=str(tmp_path / "later"))
    worker.wait_for(later, state="succeeded")
    assert len(lines(tmp_path / "starts")) == 1
    assert worker.call("job", pk=job)["attempt"] == 1


@pytest.mark.parametrize(
    ("kind", "code", "sentence"),
    [
        ("refusal", "no_head", "There is no head in this scan. Send the head CT."),
        ("ml", "no_foramen", "No foramen magnum was found. Check that the scan reaches the skull base."),
    ],
)
def test_expected_failure_says_its_sentence(worker: Site, tmp_path: Path, kind: str, code: str, sentence: str) -> None:
    (tmp_path / "how").write_text(kind)
    job = worker.call("enqueue", name="fail", folder=str(tmp_path))
    failed = worker.wait_for(job, state="failed")
    assert (failed["failure_code"], failed["failure"]) == (code, sentence)


def test_unexpected_failure_tells_nothing_of_the_exception_and_can_be_retried(worker: Site, tmp_path: Path) -> None:
    (tmp_path / "how").write_text("crash")
    job = worker.call("enqueue", name="fail", folder=str(tmp_path))
    failed = worker.wait_for(job, state="failed")
    assert failed["failure_code"] == "unexpected"
    assert f"job {job}" in failed["failure"]
    assert "secret" not in failed["failure"] and "RuntimeError" not in failed["failure"]
    assert "secret of the machine room" in worker.logs(), "the administrator finds the cause in the log"

    (tmp_path / "how").unlink()
    worker.call("retry", pk=job)
    done = worker.wait_for(job, state="succeeded")
    assert (done["failure"], done["failure_code"], done["attempt"]) == ("", "", 1)


def test_retry_of_a_job_that_did_not_fail_changes_nothing(worker: Site, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    job = worker.call("enqueue", name="two_steps", folder=str(tmp_path))
    worker.wait_for(job, state="succeeded")
    worker.call("retry", pk=job)
    assert worker.call("job", pk=job)["state"] == "succeeded"
    assert len(lines(tmp_path / "starts")) == 1
