"""Workers and brokers that die: the job is done in the end, and its effect is there once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.conftest import Production
from tests.services.site import Site
from tests.services.test_jobs import WAITING, lines

pytestmark = [pytest.mark.services, pytest.mark.slow]


def test_job_of_a_killed_worker_is_done_by_the_next(site: Site, tmp_path: Path) -> None:
    pool = "prefork" if site.is_production else "solo"
    first = site.start_worker(pool)
    job = site.call("enqueue", name="two_steps", folder=str(tmp_path))
    site.wait_for(job, **WAITING)
    first.kill()
    assert site.call("job", pk=job)["state"] == "running", "nobody could write down the death"

    second = site.start_worker(pool)
    site.wait_for(job, **WAITING, attempt=2)
    (tmp_path / "go").touch()
    done = site.wait_for(job, state="succeeded")
    second.kill()
    assert done["attempt"] == 2
    starts = lines(tmp_path / "starts")
    assert len(set(starts)) == 2, "two processes began it"
    assert lines(tmp_path / "first") == starts[:1], "what the first had done was not done again"
    assert lines(tmp_path / "second") == starts[1:]


def test_jobs_queued_while_no_worker_runs_are_done_later(site: Site, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    job = site.call("enqueue", name="two_steps", folder=str(tmp_path))
    assert site.call("job", pk=job)["state"] == "queued"
    worker = site.start_worker()
    site.wait_for(job, state="succeeded", attempt=1)
    worker.kill()


def test_job_enqueued_while_the_broker_is_down_is_announced_by_the_sweep(
    production: Production,
    tmp_path: Path,
) -> None:
    site = production.site
    (tmp_path / "go").touch()
    production.redis.kill()
    job = site.call("enqueue", name="two_steps", folder=str(tmp_path))
    queued = site.call("job", pk=job)
    assert (queued["state"], queued["announced"]) == ("queued", False)

    production.redis.start()
    worker = site.start_worker()
    # The worker announces what waits when it starts; a job that comes after that needs the sweep.
    site.wait_for(job, state="succeeded")
    production.redis.kill()
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "go").touch()
    late = site.call("enqueue", name="two_steps", folder=str(tmp_path / "late"))
    production.redis.start()
    assert site.call("job", pk=late)["state"] == "queued"
    site.call("sweep")
    site.wait_for(late, state="succeeded")
    worker.kill()
