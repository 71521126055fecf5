"""Messages in a folder, for a machine without Redis: kombu's file system transport, with files that appear whole.

kombu writes a message under the name that a worker looks for, so a worker may take it before its content is there (or
a process killed in between leaves it empty); it then ends itself over the empty text. Here a file gets its name when
it is complete, and what can't be read all the same (a power cut may empty any file) is left out: the job row is the
truth, and a job whose message is gone is announced again.
"""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem, virtual
from kombu.utils.json import dumps, loads

__all__ = ["URL", "Channel", "Transport"]

logger = logging.getLogger(__name__)
URL = "folder://"
TRANSPORT_ALIASES["folder"] = "ichor.folder_broker:Transport"


def write_whole(path: Path, content: object) -> None:
    """Write a file of JSON that others see complete or not at all."""
    # No reader looks for this ending, and no two writers share a number.
    draft = path.with_name(f"{path.name}.{os.getpid()}-{os.urandom(4).hex()}.part")
    with draft.open("w") as file:
        file.write(dumps(content))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


class Channel(filesystem.Channel):
    """A channel whose messages and tables of queues are written whole."""

    def _put(self, queue: str, message: Any, **_: Any) -> None:  # type: ignore[override]  # two bases disagree
        # Sorted by name, the oldest comes first.
        name = f"{time.time_ns()}_{os.urandom(8).hex()}.{queue}.msg"
        write_whole(Path(self.data_folder_out) / name, message)

    def _get(self, queue: str, timeout: float | None = None) -> Any:  # kombu waits, not the channel
        while True:
            try:
                return super()._get(queue)
            except ValueError:
                logger.warning("a message in queue %s can't be read and is left out", queue)

    def _table(self, exchange: str) -> Path:
        path: Path = self._exchange_file(exchange)  # type: ignore[attr-defined]  # newer than kombu's types
        return path

    def get_table(self, exchange: str) -> list[filesystem.exchange_queue_t]:  # type: ignore[override]  # as kombu has it
        """Return the queues of an exchange; none where the table can't be read: whoever starts writes it again."""
        try:
            table = self._table(exchange).read_text()
            return [filesystem.exchange_queue_t(*row) for row in loads(table)]
        except (FileNotFoundError, ValueError):
            return []

    def _queue_bind(self, exchange: str, routing_key: str | None, pattern: str | None, queue: str) -> None:
        row = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with self._table_locked(exchange) as table:
            if row not in table:
                write_whole(self._table(exchange), [row, *table])

    def _delete(self, queue: str, exchange: str, routing_key: str, pattern: str, *_: Any, **__: Any) -> None:
        row = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        self._purge(queue)
        with self._table_locked(exchange) as table:
            if row in table:
                write_whole(self._table(exchange), [known for known in table if known != row])

    @contextmanager
    def _table_locked(self, exchange: str) -> Iterator[list[filesystem.exchange_queue_t]]:
        with (self.control_folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield self.get_table(exchange)


class Transport(filesystem.Transport):
    """The transport named `folder://`."""

    Channel = Channel
    global_state = virtual.BrokerState()
