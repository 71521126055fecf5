"""A platform of its own for one test: settings, database, broker, web process and worker, none shared with pytest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.services.servers import Server, free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]
SEEN_WITHIN = 60.0
SECRETS = {
    "ICHOR_SECRET_KEY": "k3y-" * 15 + "of-the-tests-only-0123456789",
    "ICHOR_UID_KEY": "u1d-" * 15,
}


class Site:
    """One installed platform, seen through its processes."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder = folder
        foreign = ("DATABASE_URL", "REDIS_URL", "DJANGO_", "ICHOR_")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {
            "PYTHONPATH": os.pathsep.join([str(ROOT / "platform"), str(ROOT)]),
            "ICHOR_VAR": str(folder / "var"),
            "OMP_NUM_THREADS": "1",
        }
        self.environment |= variables
        self.workers: list[Server] = []
        self._driver: subprocess.Popen[str] | None = None

    @property
    def is_production(self) -> bool:
        return self.environment["DJANGO_SETTINGS_MODULE"].endswith(".production")

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run manage.py to its end."""
        return subprocess.run(
            [sys.executable, "-W", "ignore", "manage.py", *arguments], cwd=ROOT, env=self.environment, text=True,
            capture_output=True, check=False, timeout=120,
        )  # fmt: skip

    def call(self, verb: str, **arguments: Any) -> Any:
        """Have the web process do something; see driver.py."""
        if self._driver is None:
            with (self.folder / "driver.log").open("w") as log:
                self._driver = subprocess.Popen(
                    [sys.executable, "-W", "ignore", "-m", "tests.services.driver"], cwd=ROOT, env=self.environment,
                    text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                )  # fmt: skip
        assert self._driver.stdin and self._driver.stdout
        self._driver.stdin.write(json.dumps([verb, arguments]) + "\n")
        self._driver.stdin.flush()
        answer = self._driver.stdout.readline()
        if not answer:
            raise RuntimeError((self.folder / "driver.log").read_text())
        return json.loads(answer)

    def start_worker(self, pool: str = "solo") -> Server:
        """Start a Celery worker for both queues, as an installation does."""
        name = f"worker-{len(self.workers)}"
        log = self.folder / f"{name}.log"
        command = [
            sys.executable, "-W", "ignore", "-m", "celery", "-A", "tests.services.worker_app", "worker",
            "-Q", "imaging,training", "--pool", pool, "-c", "1", "-n", f"{name}@%h", "-l", "INFO",
            "--without-gossip", "--without-mingle",
        ]  # fmt: skip
        worker = Server(command, log, lambda: " ready." in log.read_text(), cwd=ROOT, env=self.environment)
        worker.start()
        self.workers.append(worker)
        return worker

    def start_web(self) -> tuple[Server, int]:
        """Start gunicorn on a loopback port."""
        port = free_port()
        log = self.folder / "web.log"
        command = [sys.executable, "-m", "gunicorn", "ichor.wsgi", "-b", f"127.0.0.1:{port}", "-w", "1", "--preload"]
        web = Server(command, log, lambda: "Booting worker" in log.read_text(), cwd=ROOT, env=self.environment)
        web.start()
        return web, port

    def wait_for(self, job: int, seconds: float = SEEN_WITHIN, **values: object) -> dict[str, Any]:
        """Return the job's row once it holds the given values."""
        row: dict[str, Any] = {}

        def holds() -> bool:
            row.clear()
            row.update(self.call("job", pk=job))
            return all(row[name] == value for name, value in values.items())

        try:
            wait_until(holds, f"job with {values}", seconds)
        except TimeoutError as error:
            raise AssertionError(f"{error}; it is {row}\n{self.logs()}") from error
        return row

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-2500:] for path in self.folder.glob("worker-*.log"))

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
        if self._driver is not None:
            self._driver.communicate()


@contextmanager
def new_site(folder: Path, **variables: str) -> Iterator[Site]:
    """Make a platform with its tables, and end all of its processes afterwards."""
    site = Site(folder, variables)
    migrated = site.manage("migrate", "--verbosity", "0")
    assert migrated.returncode == 0, migrated.stderr
    try:
        yield site
    finally:
        site.close()
