"""What the database refuses, to the platform's own role as well, and that the command says so where it does not."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent, AuditLink
from apps.crf.models import CrfForm, CrfValue
from apps.crf.services import save_form
from apps.patients.models import Patient
from tests.audit.trails import faults, settle
from tests.protection import unprotected

pytestmark = pytest.mark.django_db
TABLES = ["audit_auditevent", "audit_auditlink", "crf_crfvalue"]


@pytest.fixture(autouse=True)
def saved(users: dict[Role, User], patient: Patient) -> CrfForm:
    form = save_form(actor=users[Role.COORDINATOR], patient=patient, read_version=0, values={"age": 60, "gcs": 9}).form
    settle()
    return form


def content() -> list[list[dict[str, object]]]:
    return [list(model.objects.order_by("pk").values()) for model in (AuditEvent, AuditLink, CrfValue)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_auditevent SET reason = 'none'",
        "UPDATE audit_auditevent SET reason = reason",
        "UPDATE audit_auditlink SET chain = 'x'",
        "UPDATE crf_crfvalue SET reason = 'none' WHERE variable = 'age'",
        *(f"DELETE FROM {table}" for table in TABLES),
        *(f"TRUNCATE {table} CASCADE" for table in TABLES),
        *(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table} LIMIT 1" for table in TABLES),
        *(f"REPLACE INTO {table} SELECT * FROM {table} LIMIT 1" for table in TABLES),
    ],
)
def test_rows_are_only_added(statement: str) -> None:
    before = content()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert content() == before


@pytest.mark.parametrize("model", [CrfValue])
def test_the_platform_is_refused_in_a_sentence(model: type[CrfValue]) -> None:
    for change in (lambda: model.objects.update(value=1), lambda: model.objects.all().delete()):
        with pytest.raises(DatabaseError, match="never changed and never deleted"), transaction.atomic():
            change()


def test_absent_protection_is_a_fault() -> None:
    assert faults() == []
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ALTER TABLE crf_crfvalue DISABLE TRIGGER audit_no_change")
        else:
            cursor.execute("DROP TRIGGER audit_no_update_crf_crfvalue")
        found = faults()
        transaction.set_rollback(True)
    assert found == ["table crf_crfvalue: the database does not refuse changes: its protecting triggers are absent."]


def test_a_role_that_is_no_superuser_cannot_go_past_it() -> None:
    """The switch that the tests use to empty the database is no hole: it takes a superuser."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no roles: whoever has the file has all of it.")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("CREATE ROLE clerk")
            cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk")
            cursor.execute("SET LOCAL ROLE clerk")
            for statement in (
                "SET LOCAL session_replication_role = replica",
                "ALTER TABLE audit_auditevent DISABLE TRIGGER ALL",
                "DELETE FROM crf_crfvalue",
                "TRUNCATE audit_auditevent, audit_auditlink",
            ):
                with pytest.raises(DatabaseError), transaction.atomic():
                    cursor.execute(statement)
        transaction.set_rollback(True)


def test_the_protection_is_back_after_a_test_has_gone_past_it(saved: CrfForm) -> None:
    with unprotected(), connection.cursor() as cursor:
        cursor.execute("UPDATE crf_crfvalue SET reason = 'none'")
    with pytest.raises(DatabaseError), transaction.atomic():
        CrfValue.objects.filter(form=saved).update(reason="other")
