"""The chain: its values by another computation, the same from both databases, and without gap or fork under load."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import Center, User
from apps.audit.chain import FIELDS, digest_of, plain, sha256_of
from apps.audit.models import AuditEvent, AuditLink
from apps.audit.services import record
from tests.audit.trails import faults, settle
from tests.factories import CenterFactory, UserFactory


def test_the_canonical_form_is_what_the_reference_says() -> None:
    """Written by hand from docs/reference/audit.md."""
    moment = datetime(2026, 3, 4, 5, 6, 7, 80, tzinfo=timezone(timedelta(hours=8)))
    value = {"b": [None, True, 2.0, 0.1], "a": {"中": "é\n"}, "at": moment}
    text = '{"a":{"\\u4e2d":"\\u00e9\\n"},"at":"2026-03-03T21:06:07.000080+00:00","b":[null,true,2,0.1]}'
    assert sha256_of(value) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1}, b"bytes", object()])
def test_what_has_no_one_form_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        sha256_of(value)


@pytest.mark.django_db
def test_each_link_is_made_of_the_one_before() -> None:
    user = UserFactory()
    for number in range(3):
        with transaction.atomic():
            record(actor=user, action="test", target=user, changes={"n": [number, number + 1]})
    settle()
    before = "0" * 64
    for place, link in enumerate(AuditLink.objects.select_related("event"), start=1):
        content = {name: getattr(link.event, name) for name in FIELDS}
        assert link.event.digest == digest_of(content)
        assert link.chain == hashlib.sha256(f"{before}{link.event.digest}{link.event_id}".encode()).hexdigest()
        assert link.sequence == place
        before = link.chain
    assert faults() == []


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.django_db
@given(
    changes=st.dictionaries(TEXTS, JSON, max_size=4), reason=TEXTS,
    at=st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),
)  # fmt: skip
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_digest_survives_the_database(changes: dict[str, Any], reason: str, at: datetime) -> None:
    with transaction.atomic():
        user = UserFactory()
        event = record(actor=user, action="test", target=user, changes=changes, reason=reason, at=at)
        again = AuditEvent.objects.get(pk=event.pk)
        assert again.changes == plain(changes)
        assert digest_of({name: getattr(again, name) for name in FIELDS}) == event.digest
        transaction.set_rollback(True)


def together(*bodies: Callable[[], None]) -> list[BaseException]:
    """Run bodies at the same moment, each in a thread with a connection of its own; return what they raised."""
    raised: list[BaseException] = []
    gate = threading.Barrier(len(bodies))

    def run(body: Callable[[], None]) -> None:
        try:
            gate.wait(30)
            body()
        except BaseException as error:
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    return raised


@pytest.mark.django_db(transaction=True)
def test_events_at_the_same_moment_make_one_chain() -> None:
    user, centers = UserFactory(), [CenterFactory() for _ in range(2)]

    def add(mine: list[Center]) -> None:
        for number in range(6):
            try:
                with transaction.atomic():
                    record(actor=user, action="test", target=user, center=mine[0], changes={"n": [None, number]})
                    for center in mine:  # in opposite orders: PostgreSQL may give one of two transactions up
                        Center.objects.select_for_update().get(pk=center.pk)
                    record(actor=user, action="test", target=user, center=mine[1])
            except OperationalError:
                continue
            written.append(2)

    written: list[int] = []
    assert together(*(lambda mine=mine: add(mine) for mine in [centers, centers[::-1]] * 2)) == []
    assert len(written) > 6
    assert AuditEvent.objects.count() == sum(written)
    assert list(AuditLink.objects.values_list("sequence", flat=True)) == list(range(1, sum(written) + 1))
    assert faults() == []


@pytest.mark.django_db(transaction=True)
def test_the_chain_makes_nobody_wait_for_each_other() -> None:
    """One holds a center's row and then records; the other records in this center, whose row its commit must read."""
    if connection.vendor != "postgresql":
        pytest.skip("This is about PostgreSQL; SQLite has one writer.")
    user, center = UserFactory(), CenterFactory()
    holds, recorded = threading.Event(), threading.Event()

    def enroll() -> None:
        with transaction.atomic():
            Center.objects.select_for_update().get(pk=center.pk)
            holds.set()
            assert recorded.wait(30)
            wait_until_somebody_waits()  # the other is in its commit
            record(actor=user, action="enroll", target=user, center=center)

    def save() -> None:
        assert holds.wait(30)
        with transaction.atomic():
            record(actor=user, action="save", target=user)
            record(actor=user, action="save", target=user, center=center)
            recorded.set()

    def wait_until_somebody_waits() -> None:
        other = connection.copy()
        with other.cursor() as cursor:
            for _ in range(500):
                cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                if cursor.fetchone()[0]:
                    break
                cursor.execute("SELECT pg_sleep(0.01)")
            else:
                pytest.fail("nobody waits")
        other.close()

    assert together(enroll, save) == []
    assert list(AuditLink.objects.values_list("event__action", flat=True)) == ["enroll", "save", "save"]
    assert faults() == []


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_leaves_no_gap(django_user_model: type[User]) -> None:
    user = UserFactory()
    for fails in (False, True, False):
        try:
            with transaction.atomic():
                record(actor=user, action="outer", target=user)
                with pytest.raises(KeyError), transaction.atomic():
                    record(actor=user, action="inner", target=user)
                    raise KeyError
                if fails:
                    raise ValueError
        except ValueError:
            continue
    assert list(AuditLink.objects.values_list("sequence", "event__action")) == [(1, "outer"), (2, "outer")]
    assert faults() == []
