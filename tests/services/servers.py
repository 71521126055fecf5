"""Real servers for tests: each on a free loopback port, with its data in a temporary folder, gone afterwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

STARTED_WITHIN = 60.0
ORTHANC_PLUGINS = Path("/usr/share/orthanc/plugins")


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], object], what: str, seconds: float = STARTED_WITHIN) -> None:
    """Return as soon as `condition` holds; raise TimeoutError with `what` if it never does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)


def find_program(name: str, *folders: Path) -> str:
    """Return a program's path, from the given folders or from PATH."""
    found = shutil.which(name, path=os.pathsep.join([*map(str, folders), os.environ.get("PATH", ""), "/usr/sbin"]))
    if found is None:
        raise FileNotFoundError(f"{name} is not installed; run tests/services/install.sh")
    return found


class Server:
    """One server process: started when `ready` holds, ended together with the processes that it started."""

    def __init__(self, command: Sequence[str], log: Path, ready: Callable[[], bool], **options: object) -> None:
        self.command = list(command)
        self.log = log
        self.ready = ready
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        self.output: IO[bytes] | None = None

    def start(self) -> None:
        self.output = self.log.open("ab")
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output, start_new_session=True,
            **self.options,
        )  # fmt: skip
        try:
            wait_until(self._is_ready, f"start of {self.command[0]}")
        except BaseException as error:
            self.stop()
            raise RuntimeError(f"{error}\n{self.log.read_text(errors='replace')[-3000:]}") from error

    def _is_ready(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise RuntimeError(f"{self.command[0]} ended with status {self.process.returncode}")
        return self.ready()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ask the server to end, and its whole process group to if it does not."""
        if self.process is None:
            return
        self._send(how)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=20)
        # Whatever the server left behind, and itself if it did not listen.
        self._send(signal.SIGKILL)
        self.process.wait()
        self.process = None
        if self.output is not None:
            self.output.close()

    def kill(self) -> None:
        """End the server and its children at once, as a power cut does."""
        self.stop(signal.SIGKILL)

    def _send(self, how: signal.Signals) -> None:
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, how)


def accepts(port: int) -> bool:
    """Say whether a loopback port takes connections."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL server and yield the URL of an empty database."""
    bin_folder = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path(), key=lambda path: int(path.parent.name))
    initdb, postgres = find_program("initdb", bin_folder), find_program("postgres", bin_folder)
    is_ready, createdb = find_program("pg_isready", bin_folder), find_program("createdb", bin_folder)
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="ichor-postgresql-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        account: dict[str, object] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(folder, "postgres", "postgres")
            account = {"user": "postgres", "group": "postgres", "extra_groups": []}
        subprocess.run(
            [initdb, "-D", folder / "data", "-U", "ichor", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"],
            check=True, capture_output=True, cwd=folder, **account,
        )  # fmt: skip
        command = [postgres, "-D", str(folder / "data"), "-p", str(port), "-k", str(folder), "-h", "127.0.0.1"]
        for setting in ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60"):
            command += ["-c", setting]
        probe = [is_ready, "-q", "-h", "127.0.0.1", "-p", str(port)]
        log = Path(f"{name}.log")
        server = Server(command, log, lambda: subprocess.run(probe).returncode == 0, cwd=folder, **account)
        try:
            server.start()
            subprocess.run([createdb, "-h", "127.0.0.1", "-p", str(port), "-U", "ichor", "ichor"], check=True)
            yield f"postgresql://ichor@127.0.0.1:{port}/ichor"
        finally:
            server.stop(signal.SIGINT)  # "fast": does not wait for clients
            log.unlink(missing_ok=True)


@contextmanager
def redis_server() -> Iterator[tuple[str, Server]]:
    """Run a Redis server that keeps nothing on disk; yield its URL and the server, so that a test can stop it."""
    program, port = find_program("redis-server"), free_port()
    with tempfile.TemporaryDirectory(prefix="ichor-redis-") as folder:
        command = [
            program,
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            folder,
        ]
        server = Server(command, Path(folder) / "redis.log", lambda: accepts(port))
        try:
            server.start()
            yield f"redis://127.0.0.1:{port}/0", server
        finally:
            server.stop()


@contextmanager
def orthanc() -> Iterator[str]:
    """Run an Orthanc PACS with DICOMweb and yield the address of its REST API."""
    program, port = find_program("Orthanc"), free_port()
    with tempfile.TemporaryDirectory(prefix="ichor-orthanc-") as name:
        folder = Path(name)
        configuration = {
            "Name": "test", "StorageDirectory": str(folder / "storage"), "IndexDirectory": str(folder / "index"),
            "HttpPort": port, "DicomPort": free_port(), "RemoteAccessAllowed": False, "AuthenticationEnabled": False,
            "Plugins": [str(ORTHANC_PLUGINS / "libOrthancDicomWeb.so")],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }  # fmt: skip
        (folder / "orthanc.json").write_text(json.dumps(configuration))
        address = f"http://127.0.0.1:{port}"
        server = Server([program, str(folder / "orthanc.json")], folder / "orthanc.log", lambda: _answers(address))
        try:
            server.start()
            yield address
        finally:
            server.stop()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/plugins", timeout=2) as answer:
            return "dicom-web" in json.load(answer)
    except OSError:
        return False
