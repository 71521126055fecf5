"""The pages of the audit trail."""

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from apps.accounts.access import person, require
from apps.accounts.policy import Permission
from apps.audit.accounts import record_download
from apps.audit.download import csv_lines
from apps.audit.forms import TrailFilter
from apps.audit.selectors import TrailPage, all_in_words, chosen_events, hidden_from, page_of


@require_GET
@vary_on_headers("HX-Request")
def listing(request: HttpRequest) -> HttpResponse:
    """Show the newest events of the actor's centers, and find events."""
    require(request.user, Permission.VIEW_AUDIT)
    form = TrailFilter(request.user, request.GET)
    page = TrailPage([], has_older=False)
    if form.is_valid():
        page = page_of(chosen_events(request.user, form.cleaned_data))
    htmx = getattr(request, "htmx", None)
    # Going back in the browser's history asks for the whole page again.
    only_table = htmx and not htmx.history_restore_request
    template = "audit/partials/table.html" if only_table else "audit/list.html"
    context = {"form": form, "page": page, "query": _without_place(request)}
    return render(request, template, context | {"is_partial": hidden_from(request.user) is not None})


@require_GET
def download(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Send the events that the filters leave as a CSV file."""
    require(request.user, Permission.VIEW_AUDIT)
    form = TrailFilter(request.user, request.GET)
    if not form.is_valid():
        context = {"form": form, "page": TrailPage([], has_older=False), "query": _without_place(request)}
        return render(request, "audit/list.html", context, status=422)
    record_download(person(request.user))
    events = all_in_words(chosen_events(request.user, form.cleaned_data))
    response = StreamingHttpResponse(csv_lines(events, get_language() or "en"), content_type="text/csv; charset=utf-8")
    name = f"audit-trail-{timezone.now():%Y%m%d-%H%M%S}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _without_place(request: HttpRequest) -> str:
    """Return the query string of the filters alone: the whole choice, wherever one has got to in it."""
    query = request.GET.copy()
    query.pop("before", None)
    return query.urlencode()
