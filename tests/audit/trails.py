"""What tests of the trail do again and again."""

from __future__ import annotations

from typing import Any

from django.db import connection, models

from apps.audit.verification import Verification


def settle() -> None:
    """Run what a commit would: inside a test's transaction PostgreSQL else never chains an event."""
    if connection.vendor == "postgresql":
        connection.check_constraints()


def faults(head: str = "") -> list[str]:
    """Verify the trail and return what is wrong with it."""
    settle()
    return [f"{fault.place}: {fault.sentence}" for fault in Verification(noted_head=head).faults()]


def head() -> str:
    settle()
    verification = Verification()
    assert list(verification.faults()) == []
    return verification.head


def overwrite(row: models.Model, column: str, value: Any) -> None:
    """Write one column of one row by plain SQL, as nobody does who goes through the platform."""
    field = next(field for field in row._meta.concrete_fields if field.attname == column)
    key = row._meta.pk
    assert key is not None
    with connection.cursor() as cursor:
        cursor.execute(
            f'UPDATE {row._meta.db_table} SET "{field.column}" = %s WHERE "{key.column}" = %s',
            [field.get_db_prep_save(value, connection), row.pk],
        )
