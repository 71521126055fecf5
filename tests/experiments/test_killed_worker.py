"""A worker killed in the middle of a fold: the next one goes on, and the run ends as if nothing had happened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.servers import wait_until
from tests.services.site import ROOT, Site, new_site

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.xdist_group("faults")]
RESULTS = ("metrics.json", "oof.csv", "test.csv", "model.json")
TRAINED_WITHIN = 240.0


def start_runs(site: Site, n: int) -> list[int]:
    """Start n experiments on the same cohort, as the web process does, and return their jobs."""
    started = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.experiments.site_driver", str(n)], cwd=ROOT,
        env=site.environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert started.returncode == 0, started.stderr
    jobs: list[int] = json.loads(started.stdout)
    return jobs


def test_a_killed_training_ends_in_the_metrics_of_an_undisturbed_one(tmp_path: Path) -> None:
    with new_site(tmp_path, DJANGO_SETTINGS_MODULE="ichor.settings.embedded") as site:
        killed, undisturbed = start_runs(site, 2)
        runs = tmp_path / "var" / "runs"
        first, second = runs / "experiment-1" / "run", runs / "experiment-2" / "run"
        fold = first / "checkpoints" / "imaging" / "fold-2"

        worker = site.start_worker()
        wait_until(
            lambda: list(fold.glob("epoch-0000[3-9]-*.pt")), "the third epoch of the second fold", TRAINED_WITHIN
        )
        worker.kill()
        row = site.call("job", pk=killed)
        assert row["state"] == "running" and row["stage"].startswith("imaging model, fold 2, epoch")
        assert 0 < row["progress"] < 1
        assert not (first / "metrics.json").exists() and not second.exists()
        finished_fold = fold.with_name("fold-1.pt")
        written = finished_fold.stat().st_mtime_ns
        reached = max(int(path.name.split("-")[1]) for path in fold.glob("epoch-*.pt"))
        assert reached >= 3

        site.start_worker()
        done = site.wait_for(killed, TRAINED_WITHIN, state="succeeded")
        assert (done["attempt"], done["progress"]) == (2, 1.0)
        assert finished_fold.stat().st_mtime_ns == written, "the finished fold was not trained again"
        assert site.wait_for(undisturbed, TRAINED_WITHIN, state="succeeded")["attempt"] == 1
        for name in RESULTS:
            assert (first / name).read_bytes() == (second / name).read_bytes(), name
        assert json.loads((first / "metrics.json").read_bytes())["arms"]["fusion"]["oof"]["n"] > 0
