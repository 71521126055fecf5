"""Run a command beside a real PostgreSQL and a real Redis: `python -m tests.services.with_servers COMMAND…`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from types import FrameType

from tests.services.servers import postgresql, redis_server


def main(command: list[str]) -> int:
    """Run the command with DATABASE_URL and REDIS_URL set, and return its status."""
    if not command:
        sys.stderr.write("usage: python -m tests.services.with_servers COMMAND [ARGUMENT…]\n")
        return 2
    signal.signal(signal.SIGTERM, _leave)
    with postgresql() as database_url, redis_server() as (redis_url, _):
        environment = os.environ | {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
        with subprocess.Popen(command, env=environment) as process:
            try:
                return _wait(process)
            finally:
                process.terminate()


def _wait(process: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            status = process.wait()
        except KeyboardInterrupt:  # the command got it too; the servers stay until it has ended
            continue
        return status if status >= 0 else 128 - status  # as a shell says which signal ended it


def _leave(number: int, frame: FrameType | None) -> None:
    """Turn a request to end into an exception, so that the servers are stopped on the way out."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
