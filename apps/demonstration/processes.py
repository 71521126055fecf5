"""The demonstration's processes: two workers and a web server, started and ended together."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.ROOT)


def _environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT / "platform"), str(ROOT), os.environ.get("PYTHONPATH", "")]))
    # Threads that spin while they wait take the cores from the other processes.
    return {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "PYTHONPATH": path}


def is_free(port: int) -> bool:
    """Say whether nothing listens on a port of this machine yet."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def start_worker(queue: str) -> "subprocess.Popen[bytes]":
    """Start a worker for one queue. One task at a time: torch uses the cores that there are by itself."""
    log = Path(settings.VAR) / f"worker-{queue}.log"
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "ichor",
        "worker",
        "-Q",
        queue,
        "--pool",
        "solo",
        "-n",
        f"{queue}@%h",
    ]
    if queue == "imaging":
        command += ["-B", "-s", str(Path(settings.VAR) / "beat-schedule")]
    with log.open("ab") as output:
        return subprocess.Popen(command, cwd=ROOT, env=_environment(), stdout=output, stderr=output)  # noqa: S603


def start_web(port: int) -> "subprocess.Popen[bytes]":
    """Start gunicorn on this machine's loopback address."""
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "ichor.wsgi:application",
        "--bind",
        f"127.0.0.1:{port}",
        "--workers",
        "2",
        "--threads",
        "4",
        "--timeout",
        "300",
        "--log-level",
        "warning",
    ]
    return subprocess.Popen(command, cwd=ROOT, env=_environment())  # noqa: S603


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a process, by force if it does not listen."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def workers() -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Keep a worker for each queue running."""
    running = [start_worker(queue) for queue in ("imaging", "training")]
    try:
        yield running
    finally:
        for process in running:
            stop(process)
