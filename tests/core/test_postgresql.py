"""The health check of connections, against a real server that ends one."""

from __future__ import annotations

import pytest
from django.db import connection, connections
from django.db.backends.postgresql import base

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def postgresql() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("This is about PostgreSQL; the suite runs on it first.")


def backend_pid() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def test_an_open_connection_is_usable_and_asked_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    backend_pid()
    monkeypatch.setattr(base.DatabaseWrapper, "is_usable", lambda self: pytest.fail("a round trip"))
    assert connection.is_usable()


def test_one_that_the_server_ended_is_replaced_unnoticed() -> None:
    ended = backend_pid()
    other = connections.create_connection("default")
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [ended])
    other.close()
    assert not connection.is_usable()
    # As at the beginning of a request.
    connection.health_check_enabled, connection.health_check_done = True, False
    assert backend_pid() != ended


def test_a_notice_is_no_end() -> None:
    backend_pid()
    with connection.cursor() as cursor:
        cursor.execute("LISTEN something")
    other = connections.create_connection("default")
    with other.cursor() as cursor:
        cursor.execute("NOTIFY something")
    other.close()
    assert connection.is_usable() and backend_pid()


def test_none_is_not_usable() -> None:
    connection.close()
    assert not connection.is_usable()
