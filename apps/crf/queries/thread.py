"""Writing queries: the rows as they are now, a message for each step, and the audit event of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import models
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.services import record
from apps.crf.queries.models import Query, QueryMessage
from apps.patients.models import Patient

Action = QueryMessage.Action
State = Query.State
FIELDS = ("state", "about", "facts", "assigned_to", "opened_at", "answered_at", "closed_at", "closed_by")


@dataclass(frozen=True)
class Step:
    """What happens to one query."""

    query: Query
    action: QueryMessage.Action
    text: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    assigned_to: User | None = None


def take(actor: User | None, step: Step, at: datetime) -> tuple[str, str]:
    """Change the query as the step has it, not yet in the database; return its state before and after."""
    query = step.query
    before = "" if query.pk is None else query.state
    if step.action in {Action.OPENED, Action.REOPENED}:
        query.state, query.opened_at = State.OPEN, at
        query.answered_at = query.closed_at = query.closed_by = None
    elif step.action in {Action.ANSWERED, Action.CORRECTED}:
        query.state, query.answered_at = State.ANSWERED, at
    elif step.action in {Action.CLOSED, Action.RESOLVED}:
        query.state, query.closed_at = State.CLOSED, at
        query.closed_by = actor if step.action == Action.CLOSED else None
    elif step.action == Action.ASSIGNED:
        query.assigned_to = step.assigned_to
    if step.action in {Action.OPENED, Action.REOPENED, Action.UPDATED} and step.about:
        query.about, query.facts = dict(step.about), dict(step.facts)
    return before, query.state


def write_step(*, actor: User, action: str, step: Step, reason: str = "") -> Query:
    """Store one step with an audit event of its own; the caller's transaction is open and has locked the query."""
    now = timezone.now()
    assigned = [_name(step.query.assigned_to), _name(step.assigned_to)]
    before, after = take(actor, step, now)
    step.query.save()
    message = _message(actor, step, now)
    message.save()
    is_assignment = step.action == Action.ASSIGNED
    changes = {"assigned_to": assigned} if is_assignment else {"state": [before or None, after]}
    record(
        actor=actor, action=action, target=step.query, center=step.query.patient.center, changes=changes, reason=reason,
        rows=[message], at=now,
    )  # fmt: skip
    return step.query


def write_steps(
    *, actor: User | None, author: User | None, action: str, steps: Sequence[Step], patients: Mapping[int, Patient]
) -> Counter[str]:
    """Store many steps, with one audit event for each patient; return how often each action came.

    `author` is None where a rule speaks, although a person had it run.
    """
    now = timezone.now()
    states = [take(actor, step, now) for step in steps]
    Query.objects.bulk_create([step.query for step in steps if step.query.pk is None])
    Query.objects.bulk_update([step.query for step in steps if step.action != Action.OPENED], FIELDS, batch_size=200)
    messages = QueryMessage.objects.bulk_create([_message(author, step, now) for step in steps])
    changes: dict[int, dict[str, Any]] = {}
    rows: dict[int, list[models.Model]] = {}
    for step, (before, after), message in zip(steps, states, messages, strict=True):
        patient_id = step.query.patient_id
        changes.setdefault(patient_id, {})[str(step.query.pk)] = [before or None, after]
        rows.setdefault(patient_id, []).append(message)
    for patient_id, changed in changes.items():
        patient = patients[patient_id]
        record(
            actor=actor, action=action, target=patient, center=patient.center, changes=changed, rows=rows[patient_id],
            at=now,
        )  # fmt: skip
    return Counter(str(step.action) for step in steps)


def _message(author: User | None, step: Step, at: datetime) -> QueryMessage:
    return QueryMessage(
        query=step.query, action=step.action, text=step.text, about=dict(step.about), facts=dict(step.facts),
        author=author, written_at=at,
    )  # fmt: skip


def _name(user: User | None) -> str | None:
    return user.username if user else None
