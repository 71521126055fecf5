"""The broker of one machine: what is taken from it is whole, and one torn file stops nobody."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection, Exchange, Queue

from ichor.folder_broker import URL, Transport

MESSAGES = 100
TASKS = Queue("imaging", Exchange("imaging", type="direct"), routing_key="imaging")


@pytest.fixture(autouse=True)
def new_process() -> None:
    """Forget which queues this process has bound: each test has another folder."""
    Transport.global_state.clear()


def connect(folder: Path) -> Connection:
    for name in ("queue", "done", "control"):
        (folder / name).mkdir(exist_ok=True)
    return Connection(
        URL,
        transport_options={
            "data_folder_in": str(folder / "queue"), "data_folder_out": str(folder / "queue"),
            "processed_folder": str(folder / "done"), "control_folder": str(folder / "control"),
        },
    )  # fmt: skip


def send(folder: Path, numbers: Iterator[int] | range) -> None:
    with connect(folder) as connection, connection.Producer() as producer:
        for number in numbers:
            # Large, so that a reader would see a part of it if it could.
            body = {"number": number, "text": "x" * 200_000}
            producer.publish(body, exchange=TASKS.exchange, routing_key="imaging", declare=[TASKS])


def take(folder: Path, count: int, seconds: float = 60) -> list[int]:
    found: list[int] = []

    def note(body: dict[str, Any], message: Any) -> None:
        found.append(body["number"])
        message.ack()

    with connect(folder) as connection, connection.Consumer(TASKS, callbacks=[note]):
        while len(found) < count:
            connection.drain_events(timeout=seconds)
    return found


def test_a_message_is_taken_whole_while_others_are_written(tmp_path: Path) -> None:
    half = MESSAGES // 2
    senders = [
        multiprocessing.get_context("spawn").Process(target=send, args=(tmp_path, numbers))
        for numbers in (range(half), range(half, MESSAGES))
    ]
    for sender in senders:
        sender.start()
    found = take(tmp_path, MESSAGES)
    for sender in senders:
        sender.join()
    assert sorted(found) == list(range(MESSAGES))
    assert [number for number in found if number < half] == list(range(half)), "the oldest of a sender comes first"
    assert not list((tmp_path / "queue").iterdir()), "nothing is left over"


def test_an_empty_message_is_left_out_and_the_next_one_taken(tmp_path: Path) -> None:
    send(tmp_path, range(1))
    (tmp_path / "queue" / "1_torn.imaging.msg").touch()
    assert take(tmp_path, 1) == [0]
    with connect(tmp_path) as connection, pytest.raises(Empty):
        connection.channel()._get("imaging")


def test_an_empty_table_of_queues_is_written_again(tmp_path: Path) -> None:
    connect(tmp_path)
    (tmp_path / "control" / "imaging.exchange").touch()
    send(tmp_path, range(1))
    assert take(tmp_path, 1) == [0]


def test_a_queue_that_is_deleted_is_gone_from_the_table(tmp_path: Path) -> None:
    with connect(tmp_path) as connection:
        channel = connection.channel()
        TASKS(channel).declare()
        Queue("second", TASKS.exchange, routing_key="imaging")(channel).declare()
        assert {row.queue for row in channel.get_table("imaging")} == {"imaging", "second"}
        channel.queue_delete("second")
        assert {row.queue for row in channel.get_table("imaging")} == {"imaging"}
