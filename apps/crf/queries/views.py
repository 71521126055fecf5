"""The worklist of queries, a query's thread, the queries beside a field, and the actions on them."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from apps.accounts.access import centers_with, get_visible, has_permission, person, require
from apps.accounts.models import Center
from apps.accounts.policy import Permission
from apps.core.errors import Refusal
from apps.core.fragments import job_fragment
from apps.crf.places import MAIN, STAY, Place
from apps.crf.queries import services
from apps.crf.queries.forms import AskForm, AssignForm, BulkForm, OpenManyForm, QueryFilter
from apps.crf.queries.models import Query, RuleRun
from apps.crf.queries.selectors import (
    access_query,
    chosen_queries,
    counts_for,
    queries_of_form,
    queries_visible_to,
    runs_visible_to,
)
from apps.crf.queries.shown import in_words, label_of
from apps.crf.schedule import form_url, title_of
from apps.crf.selectors import form_of, questions_of
from apps.patients.selectors import access_patient

PAGE_SIZE = 50


@require_GET
@vary_on_headers("HX-Request")
def listing(request: HttpRequest) -> HttpResponse:
    """Show the queries of the actor's centers, the oldest first."""
    require(request.user, Permission.VIEW_QUERIES)
    htmx = getattr(request, "htmx", None)
    only_table = htmx and not htmx.history_restore_request
    template = "crf/queries/partials/table.html" if only_table else "crf/queries/list.html"
    context = _worklist(request)
    if not only_table and context["can_manage"]:
        run_row = runs_visible_to(request.user).first()
        context["run"] = run_row and {"row": run_row, **_job(run_row)}
    return render(request, template, context)


def _worklist(request: HttpRequest) -> dict[str, Any]:
    form = QueryFilter(request.user, request.GET)
    found = chosen_queries(request.user, form.cleaned_data) if form.is_valid() else Query.objects.none()
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    centers = centers_with(request.user, Permission.MANAGE_QUERIES)
    can_manage = has_permission(request.user, Permission.MANAGE_QUERIES)
    can_open = has_permission(request.user, Permission.OPEN_QUERIES)
    return {
        "form": form,
        "page_obj": page,
        "rows": in_words(request.user, list(page.object_list)),
        "counts": counts_for(request.user),
        "can_manage": can_manage,
        "can_open": can_open,
        "bulk": BulkForm([], centers) if can_manage else None,
        "address": request.get_full_path(),
    }


@require_GET
def thread(request: HttpRequest, query_id: int) -> HttpResponse:
    """Show one query with all that was said."""
    return _thread(request, access_query(request.user, query_id))


def _thread(request: HttpRequest, query: Query, problem: Refusal | None = None) -> HttpResponse:
    (shown,) = in_words(request.user, [query])
    centers = Center.objects.filter(pk=query.patient.center_id)
    context = {
        "shown": shown,
        "query": query,
        "problem": problem,
        "typed": request.POST.get("text", ""),
        "assign": AssignForm(centers, initial={"to": query.assigned_to}) if "assigned" in shown.actions else None,
    }
    return render(request, "crf/queries/thread.html", context, status=problem.status if problem else 200)


def _act(request: HttpRequest, query_id: int, permission: Permission, step: Callable[..., Query]) -> HttpResponse:
    """Take one step of a query; what is refused is said on its page, with what was typed."""
    query = access_query(request.user, query_id)
    require(request.user, permission, query.patient.center)
    try:
        step(actor=person(request.user), query=query)
    except Refusal as problem:
        return _thread(request, access_query(request.user, query_id), problem)
    return redirect("queries:thread", query.pk)


@require_POST
def answer(request: HttpRequest, query_id: int) -> HttpResponse:
    """Answer a query."""
    text = request.POST.get("text", "")
    return _act(request, query_id, Permission.ANSWER_QUERIES, lambda **given: services.answer_query(text=text, **given))


@require_POST
def close(request: HttpRequest, query_id: int) -> HttpResponse:
    """Close a query: the value is right."""
    text = request.POST.get("text", "")
    return _act(request, query_id, Permission.MANAGE_QUERIES, lambda **given: services.close_query(text=text, **given))


@require_POST
def reopen(request: HttpRequest, query_id: int) -> HttpResponse:
    """Ask again."""
    text = request.POST.get("text", "")
    return _act(request, query_id, Permission.MANAGE_QUERIES, lambda **given: services.reopen_query(text=text, **given))


@require_POST
def assign(request: HttpRequest, query_id: int) -> HttpResponse:
    """Give a query to a person."""
    query = access_query(request.user, query_id)
    form = AssignForm(Center.objects.filter(pk=query.patient.center_id), request.POST)
    to = form.cleaned_data["to"] if form.is_valid() else None
    return _act(request, query_id, Permission.MANAGE_QUERIES, lambda **given: services.assign_query(to=to, **given))


@require_POST
def bulk(request: HttpRequest) -> HttpResponse:
    """Close or assign the queries that were ticked: all, or none."""
    require(request.user, Permission.MANAGE_QUERIES)
    centers = centers_with(request.user, Permission.MANAGE_QUERIES)
    form = BulkForm(request.POST.getlist("queries"), centers, request.POST)
    chosen: list[Query] = []
    if form.is_valid():
        chosen = list(queries_visible_to(request.user).filter(pk__in=form.cleaned_data["queries"]).order_by("pk"))
    if not chosen:
        messages.error(request, _("Nothing was done: tick the queries, and choose what to do with them."))
        return _back(request)
    try:
        if form.cleaned_data["action"] == "close":
            services.close_queries(actor=person(request.user), queries=chosen, text=form.cleaned_data["text"])
            done = ngettext("Closed %(n)d query.", "Closed %(n)d queries.", len(chosen))
        else:
            services.assign_queries(actor=person(request.user), queries=chosen, to=form.cleaned_data["to"])
            done = ngettext("Assigned %(n)d query.", "Assigned %(n)d queries.", len(chosen))
        messages.success(request, done % {"n": len(chosen)})
    except Refusal as problem:
        messages.error(request, _("Nothing was done: %(sentence)s") % {"sentence": problem.sentence})
    return _back(request)


def _back(request: HttpRequest) -> HttpResponse:
    """Go back to the worklist under the filters that it had."""
    address = request.POST.get("back", "")
    safe = address.startswith(reverse("queries:list")) and url_has_allowed_host_and_scheme(address, None)
    return redirect(address if safe else reverse("queries:list"))


@require_http_methods(["GET", "POST"])
def open_many(request: HttpRequest) -> HttpResponse:
    """Ask many patients the same."""
    require(request.user, Permission.OPEN_QUERIES)
    form = OpenManyForm(request.POST or None)
    problem = None
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            opened = services.open_queries(
                actor=person(request.user), study_ids=data["patients"], variable=data["variable"], text=data["text"]
            )
        except Refusal as refused:
            problem = refused
        else:
            done = ngettext("Opened %(n)d query.", "Opened %(n)d queries.", len(opened))
            messages.success(request, done % {"n": len(opened)})
            return redirect("queries:list")
    context = {"form": form, "problem": problem}
    return render(request, "crf/queries/open.html", context, status=problem.status if problem else 200)


@require_http_methods(["GET", "POST"])
@vary_on_headers("HX-Request")
def of_variable(
    request: HttpRequest, study_id: str, variable: str, form: str = MAIN, visit: str = STAY, instance: int = 1
) -> HttpResponse:
    """Show the queries on one variable of a form, beside its field or as a page; a POST asks about the value."""
    patient = access_patient(request.user, study_id, Permission.VIEW_CRF, Permission.VIEW_QUERIES)
    place = Place(form, visit, instance)
    if variable not in questions_of(place).variables:
        raise Http404
    can_ask = has_permission(request.user, Permission.OPEN_QUERIES, patient.center)
    ask, problem = AskForm(request.POST or None), None
    if request.method == "POST":
        require(request.user, Permission.OPEN_QUERIES, patient.center)
        text = request.POST.get("text", "")
        try:
            services.open_query(actor=person(request.user), patient=patient, variable=variable, text=text, place=place)
        except Refusal as refused:
            problem = refused
        else:
            return redirect(request.path)
    queries = queries_of_form(request.user, form_of(patient, place)).filter(variable=variable)
    queries = queries.order_by("-opened_at", "-pk")
    context = {
        "patient": patient,
        "variable": variable,
        "about": label_of(variable),
        "can_ask": can_ask,
        "form": ask,
        "form_title": title_of(place),
        "form_url": form_url(patient, place),
        "problem": problem,
        "rows": in_words(request.user, list(queries)),
    }
    is_fragment = getattr(request, "htmx", False) and request.method == "GET"
    template = "crf/queries/partials/threads.html" if is_fragment else "crf/queries/variable.html"
    return render(request, template, context, status=problem.status if problem else 200)


@require_POST
def run(request: HttpRequest) -> HttpResponse:
    """Have all rules run."""
    require(request.user, Permission.MANAGE_QUERIES)
    try:
        services.request_run(actor=person(request.user))
    except Refusal as problem:
        messages.error(request, problem.sentence)
    return redirect("queries:list")


def _job(run_row: RuleRun) -> dict[str, object]:
    return {
        "job": run_row.job,
        "job_url": reverse("queries:run-status", args=[run_row.pk]),
        "retry_url": reverse("queries:run-retry", args=[run_row.pk]),
    }


@require_GET
def run_status(request: HttpRequest, run_id: int) -> HttpResponse:
    """Send the job's fragment; once it has ended the page is loaded anew."""
    return job_fragment(request, _job(get_visible(runs_visible_to(request.user), pk=run_id)))


@require_POST
def run_retry(request: HttpRequest, run_id: int) -> HttpResponse:
    """Queue a failed run again."""
    services.retry_run(actor=person(request.user), run_row=get_visible(runs_visible_to(request.user), pk=run_id))
    return redirect("queries:list")
