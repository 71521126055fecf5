"""The pages of double entry: the worklists, the second entry of a form, and the reconciliation of both."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import has_permission, person, require
from apps.accounts.policy import Permission
from apps.core.errors import Refusal
from apps.crf.dictionary_checks import RESERVED
from apps.crf.double_entry import services
from apps.crf.double_entry.forms import CenterFilter, read_choices
from apps.crf.double_entry.models import SecondEntry
from apps.crf.double_entry.reconciling import RECONCILED, persons_of, reconcile
from apps.crf.double_entry.selectors import (
    access_own,
    access_submitted,
    access_to_end,
    awaiting,
    entries_of,
    to_reconcile,
)
from apps.crf.double_entry.shown import agreeing, rows_of
from apps.crf.forms import Entry, build_sections
from apps.crf.models import CrfForm
from apps.crf.places import MAIN, STAY, Place
from apps.crf.posted import read_posted
from apps.crf.schedule import form_url, title_of
from apps.crf.selectors import form_of, questions_of
from apps.crf.services import FormErrors
from apps.crf.views import read_version
from apps.patients.selectors import access_patient

PAGE_SIZE = 50
State = SecondEntry.State


@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """List the forms that the actor may enter a second time, the newest first, and those that he has begun."""
    require(request.user, Permission.VIEW_CRF)
    context = _worklist(request, awaiting(request.user), Permission.VIEW_CRF, "patient__center")
    context["rows"] = [(form, title_of(form.place)) for form in context["page_obj"]]
    begun = entries_of(request.user).filter(state=State.OPEN)
    context["begun"] = [(entry, title_of(entry.form.place)) for entry in begun]
    return render(request, "crf/double_entry/list.html", context)


@require_GET
def reconcile_listing(request: HttpRequest) -> HttpResponse:
    """List the forms whose two entries differ, the oldest first."""
    require(request.user, Permission.RECONCILE)
    context = _worklist(request, to_reconcile(request.user), Permission.RECONCILE, "form__patient__center")
    context["rows"] = [(entry, title_of(entry.form.place)) for entry in context["page_obj"]]
    return render(request, "crf/double_entry/to_reconcile.html", context)


def _worklist(request: HttpRequest, found: QuerySet[Any], permission: Permission, center: str) -> dict[str, Any]:
    chosen = CenterFilter(request.user, permission, request.GET)
    if chosen.is_valid() and chosen.cleaned_data["center"]:
        found = found.filter(**{center: chosen.cleaned_data["center"]})
    return {
        "filter": chosen,
        "page_obj": Paginator(found, PAGE_SIZE).get_page(request.GET.get("page")),
        "can_reconcile": has_permission(request.user, Permission.RECONCILE),
        "can_view_agreement": has_permission(request.user, Permission.VIEW_AGREEMENT),
    }


@require_POST
def start(
    request: HttpRequest, study_id: str, form: str = MAIN, visit: str = STAY, instance: int = 1
) -> HttpResponse:  # fmt: skip
    """Begin a second entry of a form."""
    patient = access_patient(request.user, study_id, Permission.VIEW_CRF)
    place = Place(form, visit, instance)
    questions_of(place)
    stored = form_of(patient, place)
    try:
        entry = services.start_second_entry(actor=person(request.user), form=stored)
    except Refusal as refusal:
        messages.error(request, refusal.sentence)
        return redirect(form_url(patient, place))
    return redirect("double-entry:entry", entry.pk)


@require_http_methods(["GET", "POST"])
def entry(request: HttpRequest, entry_id: int) -> HttpResponse:
    """Show the actor's second entry of a form, and save what he typed so far."""
    own = access_own(request.user, entry_id)
    if request.method == "POST":
        return _keep(request, own, services.save_second_entry, _("Saved. Submit when all is entered."))
    if own.state != State.OPEN:
        return redirect(form_url(own.form.patient, own.form.place))
    return _show_entry(request, own, Entry(own.typed))


@require_POST
def keep(request: HttpRequest, entry_id: int) -> JsonResponse:
    """Keep what is typed; answer when that was, or null where nothing differs from what is saved."""
    own = access_own(request.user, entry_id)
    typed = {name: request.POST.get(name, "") for name in request.POST}
    own = services.keep_typed(
        actor=person(request.user), entry=own, read_version=read_version(request), typed=typed
    )  # fmt: skip
    return JsonResponse({"kept_at": own.typed_at.strftime("%H:%M") if own.typed_at else None})


@require_POST
def submit(request: HttpRequest, entry_id: int) -> HttpResponse:
    """Save and submit."""
    own = access_own(request.user, entry_id)
    return _keep(request, own, services.submit_second_entry, _("Submitted. From now on you see the first entry too."))


@require_POST
def give_up(request: HttpRequest, entry_id: int) -> HttpResponse:
    """End a second entry without a comparison."""
    ended = access_to_end(request.user, entry_id)
    services.give_up_second_entry(actor=person(request.user), entry=ended)
    messages.info(request, _("Given up. Somebody else may enter the form for the second time."))
    return redirect("double-entry:list")


def _keep(request: HttpRequest, own: SecondEntry, step: Callable[..., SecondEntry], said: str) -> HttpResponse:
    raw = {name: request.POST.get(name, "") for name in request.POST if name not in RESERVED}
    posted = read_posted(raw)
    try:
        step(
            actor=person(request.user), entry=own, read_version=read_version(request), values=posted.values,
            missing=posted.missing, units=posted.units,
        )  # fmt: skip
    except FormErrors as error:
        return _show_entry(request, own, Entry(raw, error.errors), error)
    except Refusal as refusal:
        if refusal.code == "second_entry_ended":
            raise
        return _show_entry(request, access_own(request.user, own.pk), Entry(raw), refusal)
    messages.success(request, said)
    return redirect("double-entry:entry", own.pk)


def _show_entry(request: HttpRequest, own: SecondEntry, typed: Entry, problem: Refusal | None = None) -> HttpResponse:
    stored, questions = own.form, services.questions_asked(own)
    # A form that is in no database, of the second values alone: nothing of the first can come through.
    blank = CrfForm(name=stored.name, visit=stored.visit, instance=stored.instance, values=own.values,
                    missing=own.missing)  # fmt: skip
    sections = build_sections(questions, blank, frozenset(own.variables), typed)
    fields = [field for section in sections for field in section.fields]
    context = {
        "entry": own,
        "patient": stored.patient,
        "form_title": title_of(stored.place),
        "form_url": request.path,
        "sections": sections,
        "problem": problem,
        "holds_typed": bool(own.typed) and not problem,
        "field_errors": [field for field in fields if field.error],
        "other_errors": {name: text for name, text in typed.errors.items() if name not in own.variables},
        "entered": len(own.answers),
        "asked": len(own.variables),
        "query_counts": {},
    }
    return render(request, "crf/double_entry/entry.html", context, status=problem.status if problem else 200)


@require_http_methods(["GET", "POST"])
def reconciliation(request: HttpRequest, entry_id: int) -> HttpResponse:
    """Show both entries side by side, and keep what was chosen."""
    both = access_submitted(request.user, entry_id)
    if request.method == "GET":
        return _show_both(request, both)
    choices = read_choices(request.POST)
    reason = request.POST.get("reason", "")
    try:
        reconcile(
            actor=person(request.user), entry=both, read_version=read_version(request), choices=choices,
            reason=reason or RECONCILED,
        )  # fmt: skip
    except Refusal as refusal:
        return _show_both(request, access_submitted(request.user, entry_id), refusal)
    messages.success(request, _("Both entries are reconciled."))
    return redirect("double-entry:to-reconcile")


def _show_both(request: HttpRequest, both: SecondEntry, problem: Refusal | None = None) -> HttpResponse:
    errors = problem.errors if isinstance(problem, FormErrors) else {}
    rows = rows_of(both, read_choices(request.POST), errors)
    open_rows = [row for row in rows if row.is_open]
    is_open = both.state == State.SUBMITTED
    entered_one = is_open and person(request.user).pk in persons_of(both.form, both, [r.compared for r in open_rows])
    named = {row.name for row in rows}
    context = {
        "entry": both,
        "patient": both.form.patient,
        "form_title": title_of(both.form.place),
        "form_url": form_url(both.form.patient, both.form.place),
        "open_rows": open_rows,
        "alike_rows": [row for row in rows if not row.is_open],
        "agreeing": agreeing(both),
        "problem": problem,
        "other_errors": {name: text for name, text in errors.items() if name not in named},
        "reason": request.POST.get("reason", ""),
        "can_choose": is_open and not entered_one,
        "entered_one": entered_one,
    }
    return render(request, "crf/double_entry/reconcile.html", context, status=problem.status if problem else 200)
