"""How the API says no: RFC 9457 problem documents with the same sentences as the pages."""

from typing import Any

from django.http import JsonResponse
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from apps.core.errors import Refusal
from ml.errors import MLError

PROBLEM = "application/problem+json"


def problem(status: int, code: str, detail: str, figure: str = "") -> JsonResponse:
    """Return a problem document (RFC 9457), with the member `figure` where a picture stands below the sentence."""
    found = {"title": code.replace("_", " "), "status": status, "code": code, "detail": detail}
    return JsonResponse(found | ({"figure": figure} if figure else {}), status=status, content_type=PROBLEM)


def problem_handler(error: Exception, context: dict[str, Any]) -> Response | JsonResponse | None:
    """Answer a refusal raised in an API view; DRF's own errors keep DRF's form."""
    if isinstance(error, Refusal):
        set_rollback()
        return problem(error.status, error.code, error.sentence, error.figure)
    if isinstance(error, MLError):
        set_rollback()
        return problem(422, error.code, str(error))
    return exception_handler(error, context)
