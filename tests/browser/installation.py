"""Web process and worker as an installation runs them, on a test's own database and store, to be killed at will."""

from __future__ import annotations

import os
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.db import connection

from tests.services.servers import Server, free_port, redis_server, wait_until
from tests.services.site import ROOT

LONG = 120.0  # what a loaded machine may take to start a process, or to do a job


class Installation:
    """Processes that share the database of the test that runs, and its folder: the store lies in `folder/store`."""

    def __init__(self, folder: Path, broker: str) -> None:
        self.folder, self.port = folder, free_port()
        self.root = f"http://127.0.0.1:{self.port}"
        self.environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(ROOT / "platform"), str(ROOT)]),
            "ICHOR_TEST_VAR": str(folder),
            "DATABASE_URL": _database(),
            "REDIS_URL": broker,
            "OMP_NUM_THREADS": "1",
        }
        self._servers: list[Server] = []
        self.web: Server | None = None

    def start_web(self, held: str = "") -> Server:
        """Start gunicorn, always on the same port; `held` names a function that waits when its work is done."""
        module = "tests.browser.held" if held else "ichor.wsgi"
        command = ["gunicorn", module, "--bind", f"127.0.0.1:{self.port}", "--workers", "2", "--threads", "2"]
        self.web = self._start([*command, "--preload", "--timeout", "300"], held, lambda log: self._answers())
        return self.web

    def start_worker(self, held: str = "") -> Server:
        module = "tests.browser.held" if held else "ichor"
        command = ["celery", "-A", module, "worker", "-Q", "imaging,training", "-c", "1", "-l", "INFO"]
        return self._start([*command, "--without-gossip", "--without-mingle"], held, lambda log: " ready." in log)

    def _start(self, command: list[str], held: str, is_ready: Callable[[str], bool]) -> Server:
        number = len(self._servers)
        log, gate = self.folder / f"process-{number}.log", self.folder / f"gate-{number}"
        gate.mkdir()
        environment = self.environment | {"ICHOR_TEST_HELD": held, "ICHOR_TEST_GATE": str(gate)}
        server = Server(
            [sys.executable, "-W", "ignore", "-m", *command], log, lambda: is_ready(log.read_text(errors="replace")),
            cwd=ROOT, env=environment,
        )  # fmt: skip
        self._servers.append(server)
        server.start()
        return server

    def wait_until_held(self) -> None:
        """Return once the process that was started last waits in the middle."""
        gate = self.folder / f"gate-{len(self._servers) - 1}"
        wait_until((gate / "reached").exists, "the middle of the work", LONG)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.root}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        for server in self._servers:
            server.kill()


def _database() -> str:
    """Return the address of the database in which the test that runs writes."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite://{name}"
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


@contextmanager
def new_installation(folder: Path) -> Iterator[Installation]:
    """Give an installation with a broker of its own, none of its processes started; end them all afterwards."""
    with redis_server() as (broker, _server):
        installation = Installation(folder, broker)
        try:
            yield installation
        finally:
            installation.kill()
