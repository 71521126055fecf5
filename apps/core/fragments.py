"""The fragment of a long task, as htmx asks for it."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def job_fragment(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Send partials/job.html; the answer that finds the task ended tells the page, which shows what it brought.

    The page decides whether to load itself anew: it does not while somebody has typed or chosen what is not sent yet.
    """
    job = context["job"]
    has_ended = job is not None and not job.is_active
    response = render(request, "partials/job.html", {**context, "has_ended": has_ended})
    if has_ended:
        response["HX-Trigger"] = "job-ended"
    return response
