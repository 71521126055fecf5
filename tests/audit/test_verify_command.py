"""`manage.py verify_audit` as the data manager sees it."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent, AuditLink
from apps.audit.services import record
from apps.crf.services import save_form
from apps.patients.models import Patient
from tests.audit.trails import overwrite
from tests.protection import unprotected


def run(*arguments: str) -> str:
    out = StringIO()
    try:
        call_command("verify_audit", *arguments, stdout=out)
    except CommandError as error:
        return f"{out.getvalue()}status {error.returncode}: {error}"
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_an_empty_trail_is_whole() -> None:
    assert run().splitlines()[:2] == ["events  0", f"head    {'0' * 64}"]


@pytest.mark.django_db(transaction=True)
def test_it_prints_what_is_to_be_filed_and_finds_what_was_altered(users: dict[Role, User], patient: Patient) -> None:
    for version, age in enumerate((60, 61)):
        save_form(
            actor=users[Role.COORDINATOR], patient=patient, read_version=version, values={"age": age}, reason="typing"
        )
    first, second = AuditEvent.objects.order_by("pk")
    head = AuditLink.objects.get(sequence=2).chain
    told = run()
    assert told.splitlines()[:4] == [
        "events  2", f"first   {first.at:%Y-%m-%d %H:%M:%S} UTC", f"last    {second.at:%Y-%m-%d %H:%M:%S} UTC",
        f"head    {head}",
    ]  # fmt: skip
    assert "is whole" in told
    with transaction.atomic():
        record(actor=users[Role.COORDINATOR], action="test", target=patient)
    assert "is whole" in run("--head", head)
    assert "the head noted earlier is not part" in run("--head", "ab" * 32)
    with unprotected():
        overwrite(second, "actor_id", users[Role.DATA_MANAGER].pk)
    told = run("--head", head.upper())
    assert f"FAULT  event {second.pk} (place 2 in the chain): its content is not what was written.\n" in told
    assert "status 1: The audit trail is not whole" in told


@pytest.mark.parametrize("head", ["x", "a" * 63, "g" * 64])
def test_a_head_that_is_none(head: str) -> None:
    assert run("--head", head).startswith("status 2: A head has 64 characters")
