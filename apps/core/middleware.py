"""Refusals raised anywhere below a page view become that page's answer, never a 500."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.core.api import problem
from apps.core.errors import Refusal
from ml.errors import MLError


class RefusalMiddleware:
    """Turn a Refusal into a problem document for programs, a fragment for htmx, and a page for people."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, MLError):
            error = Refusal(error.code, str(error))
        if not isinstance(error, Refusal):
            return None
        if request.accepts("application/json") and not request.accepts("text/html"):
            return problem(error.status, error.code, error.sentence, error.figure)
        template = "partials/problem.html" if getattr(request, "htmx", False) else "problem.html"
        return render(request, template, {"problem": error}, status=error.status)
