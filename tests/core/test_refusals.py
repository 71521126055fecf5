"""Refusals and library errors become one sentence with a 4xx: a page, a fragment, or a problem document."""

from __future__ import annotations

import json

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django_htmx.middleware import HtmxDetails
from rest_framework.exceptions import ValidationError

from apps.core.api import problem_handler
from apps.core.errors import Conflict, Refusal
from apps.core.middleware import RefusalMiddleware
from ml.errors import MLError

SENTENCE = "The <file> is damaged. Export it again."
ERRORS = [
    (Refusal("damaged", SENTENCE), 422),
    (Refusal("damaged", SENTENCE, status=413), 413),
    (Conflict("damaged", SENTENCE), 409),
    (MLError("damaged", SENTENCE), 422),
]


def answer(error: Exception, **headers: str) -> HttpResponse | None:
    request = RequestFactory(headers=headers).get("/")
    request.htmx = HtmxDetails(request)  # type: ignore[attr-defined]
    return RefusalMiddleware(lambda request: HttpResponse()).process_exception(request, error)


@pytest.mark.parametrize(("error", "status"), ERRORS)
def test_a_page_shows_the_sentence(error: Exception, status: int) -> None:
    page = answer(error, accept="text/html")
    assert page is not None
    assert page.status_code == status
    assert "The &lt;file&gt; is damaged. Export it again." in page.content.decode()
    assert "<html" in page.content.decode()


@pytest.mark.parametrize(("error", "status"), ERRORS)
def test_htmx_gets_a_fragment(error: Exception, status: int) -> None:
    fragment = answer(error, accept="text/html", hx_request="true")
    assert fragment is not None
    assert fragment.status_code == status
    assert "is damaged" in fragment.content.decode()
    assert "<html" not in fragment.content.decode()


@pytest.mark.parametrize(("error", "status"), ERRORS)
def test_a_program_gets_a_problem_document(error: Exception, status: int) -> None:
    document = answer(error, accept="application/json")
    assert document is not None
    assert document["Content-Type"] == "application/problem+json"
    assert json.loads(document.content) == {
        "title": "damaged", "status": status, "code": "damaged", "detail": SENTENCE,
    }  # fmt: skip
    assert document.status_code == status


@pytest.mark.parametrize(("error", "status"), ERRORS)
def test_the_api_says_the_same(error: Exception, status: int) -> None:
    document = problem_handler(error, {"request": HttpRequest()})
    assert document is not None
    assert document.status_code == status
    assert json.loads(document.content)["detail"] == SENTENCE  # type: ignore[union-attr]


def test_other_errors_are_left_to_others() -> None:
    assert answer(RuntimeError("secret")) is None
    assert problem_handler(RuntimeError("secret"), {}) is None
    invalid = problem_handler(ValidationError({"center": "x"}), {})
    assert invalid is not None and invalid.status_code == 400
