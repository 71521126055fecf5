"""The README's commands, timed as a whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from tests.bench.table import show

ROOT = Path(__file__).resolve().parents[2]


def run() -> None:
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}
    }
    # Left behind, so that what was timed can be looked at: ICHOR_VAR=var/bench make demo
    shutil.rmtree(ROOT / "var" / "bench", ignore_errors=True)
    demo = {**clean, "ICHOR_VAR": str(ROOT / "var" / "bench")}
    show("make demo SERVE=0, first run", _seconds(["make", "demo", "SERVE=0"], demo), target=360)
    show("make demo SERVE=0, second run", _seconds(["make", "demo", "SERVE=0"], demo), target=30)
    show("make check", _seconds(["make", "check"], clean), target=90)


def _seconds(command: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start
