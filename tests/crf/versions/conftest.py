"""Drafts as people send them, and a worker that publishes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.core.jobs import run_job
from apps.core.models import Job
from apps.crf.dictionary import FOLDER, SHIPPED
from apps.crf.models import DictionaryVersion
from apps.crf.versions.services import draft_version, publish_version, set_moves

Data = dict[str, Any]
Publish = Callable[..., DictionaryVersion]


def shipped() -> Data:
    """Return the shipped dictionary as plain data."""
    data: Data = yaml.safe_load((FOLDER / f"{SHIPPED}.yaml").read_text(encoding="utf-8"))
    return data


def variable(data: Data, name: str) -> Data:
    """Return one variable of a dictionary, to be changed."""
    parts = [*data["sections"], *(section for form in data["forms"] for section in form["sections"])]
    return next(each for part in parts for each in part["variables"] if each["name"] == name)


def without(data: Data, name: str) -> Data:
    """Take a variable out, with the rules that look at it."""
    for part in [*data["sections"], *(section for form in data["forms"] for section in form["sections"])]:
        part["variables"] = [each for each in part["variables"] if each["name"] != name]
    for form in (data, *data["forms"]):
        form["rules"] = [rule for rule in form.get("rules", []) if name not in str(rule["forbid"])]
    return data


def text(data: Data) -> bytes:
    # Through JSON, so that no object is there twice: YAML would write an alias.
    return yaml.safe_dump(json.loads(json.dumps(data, default=str)), allow_unicode=True, sort_keys=False).encode()


@pytest.fixture
def publish(users: dict[Role, User], django_capture_on_commit_callbacks: Any) -> Publish:
    """Return a function that publishes a dictionary as a worker does."""

    def published(data: Data, moves: Data | None = None, reason: str = "amendment 1") -> DictionaryVersion:
        actor = users[Role.DATA_MANAGER]
        draft = draft_version(actor=actor, content=text(data))
        set_moves(actor=actor, version=draft, moves=moves or {})
        publish_version(actor=actor, version=draft, reason=reason)
        work(django_capture_on_commit_callbacks)
        return DictionaryVersion.objects.select_related("job").get(pk=draft.pk)

    return published


def work(capture: Any) -> None:
    for key in Job.objects.filter(state=Job.State.QUEUED, task__contains="versions").values_list("pk", flat=True):
        with capture(execute=True):
            run_job(job_id=key)
