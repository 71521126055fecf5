"""A worker killed in the middle of a network: others go on, the next one resumes it, and the run ends as if nothing had
happened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.services.servers import wait_until
from tests.services.site import ROOT, Site, new_site

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.xdist_group("faults")]
RESULTS = ("metrics.json", "oof.csv", "test.csv", "model.json")
TRAINED_WITHIN = 300.0
KILLED = "imaging 1-2"


def start_runs(site: Site, n: int) -> list[int]:
    """Start n nested runs on the same cohort, as the web process does, and return their numbers."""
    started = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.experiments.site_driver", str(n)], cwd=ROOT,
        env=site.environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert started.returncode == 0, started.stderr
    runs: list[int] = json.loads(started.stdout)
    return runs


def wait_for_run(site: Site, number: int) -> dict[str, Any]:
    """Return the run once it has ended."""
    row: dict[str, Any] = {}

    def ended() -> bool:
        row.update(site.call("run", pk=number))
        return bool(row["finished"] or row["state"] == "failed")

    try:
        wait_until(ended, f"the end of run {number}", TRAINED_WITHIN)
    except TimeoutError as error:
        raise AssertionError(f"{error}; it is {row}\n{site.logs()}") from error
    return row


def test_a_killed_network_is_resumed_and_the_run_ends_in_the_metrics_of_an_undisturbed_one(tmp_path: Path) -> None:
    with new_site(tmp_path, DJANGO_SETTINGS_MODULE="ichor.settings.embedded") as site:
        killed, undisturbed = start_runs(site, 2)
        runs = tmp_path / "var" / "runs"
        first, second = runs / f"experiment-{killed}" / "run", runs / f"experiment-{undisturbed}" / "run"
        cell = first / "checkpoints" / "imaging" / "fold-1-2"

        assert site.call("run", pk=killed)["state"] == "queued"
        site.start_worker()
        site.start_worker()
        wait_until(lambda: list(cell.glob("epoch-0000[3-9]-*.pt")), "the third epoch of the network", TRAINED_WITHIN)
        owner = site.call("run", pk=killed)["cells"][KILLED]["claim"].split(":")[1]
        next(worker for worker in site.workers if str(worker.process.pid) == owner).kill()
        told = site.call("run", pk=killed)
        assert told["state"] == "running" and 0 < told["progress"] < 1 and not told["finished"]
        assert told["cells"][KILLED]["state"] == "running" and 0 < told["cells"][KILLED]["progress"] < 1
        reached = max(int(path.name.split("-")[1]) for path in cell.glob("epoch-*.pt"))
        assert reached >= 3
        trained = {path: path.stat().st_mtime_ns for path in first.rglob("fold-*.pt")}

        site.start_worker()
        done = wait_for_run(site, killed)
        assert done["finished"] and done["progress"] == 1.0, done["failure"]
        assert {name: job["attempt"] for name, job in done["cells"].items() if job["attempt"] > 1} == {KILLED: 2}
        assert len(done["cells"]) == 8
        assert {path: path.stat().st_mtime_ns for path in trained} == trained, "no finished network was trained again"
        assert wait_for_run(site, undisturbed)["finished"]
        for name in RESULTS:
            assert (first / name).read_bytes() == (second / name).read_bytes(), name
        assert json.loads((first / "metrics.json").read_bytes())["arms"]["fusion"]["oof"]["n"] > 0
