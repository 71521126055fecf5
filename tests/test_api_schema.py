"""The OpenAPI document is right, and no request that it allows (or forbids) breaks the server."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
import yaml
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.utils import translation
from drf_spectacular.drainage import GENERATOR_STATS, reset_generator_stats
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from rest_framework.authtoken.models import Token
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error

from apps.accounts.models import Membership, User
from apps.accounts.policy import Role
from apps.patients.models import Patient
from tests.test_urls import API, routes

EXAMPLES = 8


@pytest.fixture
def document() -> dict[str, Any]:
    reset_generator_stats()
    with translation.override("en"):  # a request of an earlier test may have left another language
        schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return schema


def test_the_document_is_valid_and_made_without_a_warning(document: dict[str, Any]) -> None:
    validate_schema(document)
    assert not GENERATOR_STATS, (dict(GENERATOR_STATS._warn_cache), dict(GENERATOR_STATS._error_cache))


def test_the_command_finds_nothing_to_warn_of() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", "/dev/null")


def test_every_address_of_the_api_is_in_it(document: dict[str, Any]) -> None:
    names = {name for name, _ in routes() if name.startswith("api-")} - {"api-schema"}
    assert len(document["paths"]) == len(names)
    assert {row.name for row in API} - {"api-schema"} == names
    for path, operations in document["paths"].items():
        assert path.startswith("/api/v1/")
        for verb, operation in operations.items():
            assert operation.get("description"), f"{verb} {path} says nothing"
            assert operation["security"] == [{"tokenAuth": []}, {"cookieAuth": []}]


def test_the_served_document_is_the_same(document: dict[str, Any], users: dict[Role, User], api_as: Any) -> None:
    answer = api_as(users[Role.SCIENTIST]).get("/api/v1/schema/")
    assert yaml.safe_load(answer.content) == json.loads(json.dumps(document))


@pytest.fixture
def described(users: dict[Role, User], patient: Patient) -> Iterator[schemathesis.BaseSchema]:
    """The API as Schemathesis reads it, called through WSGI with the token of somebody who may do nearly all of it."""
    Membership.objects.create(user=users[Role.COORDINATOR], role=Role.SCIENTIST)
    # As Django's own test client does: a request that ends must not close the connection of the test's transaction.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    token = Token.objects.create(user=users[Role.COORDINATOR])
    headers = {"Authorization": f"Token {token.key}"}
    schema = schemathesis.openapi.from_wsgi("/api/v1/schema/", get_wsgi_application(), headers=headers)
    schema.config.update(headers=headers)
    yield schema
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_no_request_breaks_the_server(described: schemathesis.BaseSchema, mode: GenerationMode) -> None:
    """Proper requests, and ones with wrong types, sizes and characters; half of them for a patient who is there."""
    answers: Counter[int] = Counter()
    operations = [result.ok() for result in described.get_all_operations()]
    assert len(operations) > 10
    for operation in operations:
        # An address with nothing but a text in it can't be asked for in a wrong way.
        with suppress(Unsatisfiable):
            _try(operation, mode, answers)
    assert max(answers) < 500, answers
    assert answers.total() > 4 * EXAMPLES
    assert (200 if mode is GenerationMode.POSITIVE else 400) in answers, answers


def _try(operation: schemathesis.APIOperation, mode: GenerationMode, answers: Counter[int]) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy(generation_mode=mode), there=st.booleans())
    def ask(case: schemathesis.Case, there: bool) -> None:
        if there and "study_id" in case.path_parameters:
            case.path_parameters["study_id"] = "C1-0001"
        with transaction.atomic():
            response = case.call()
            transaction.set_rollback(True)
        answers[response.status_code] += 1
        case.validate_response(response, checks=[not_a_server_error])

    ask()
