"""The pages of double readings: who is asked, and how well they agree."""

import csv
import io

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import person, require
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.annotation.double_reading.agreement import Case, PairRow, closed_readings, pair_rows
from apps.annotation.double_reading.assigning import NotAssignedError, annotators_for, assign_all
from apps.annotation.models import DoubleReading
from apps.annotation.worklist.rows import worklist
from apps.core.bland_altman import plot_of
from apps.crf.double_entry.forms import CenterFilter
from apps.imaging.models import Series

HEAD = [
    "patient", "center", "first", "second", "first_ml", "second_ml", "difference_ml", "dice", "hd95_mm", "suggested",
]  # fmt: skip


@require_POST
def ask(request: HttpRequest) -> HttpResponse:
    """Ask one person, or two who are blind to each other, to outline the chosen CTs; all of them or none."""
    actor = person(request.user)
    require(actor, Permission.ASSIGN_MASKS)
    keys = [int(key) for key in request.POST.getlist("series") if key.isdecimal() and len(key) < 19]
    chosen: list[Series] = list(worklist(actor).filter(pk__in=keys))
    if not chosen:
        messages.error(request, _("No CT was chosen. Tick those that are to be outlined."))
        return redirect("masks:list")
    annotators = _annotators(request, actor)
    try:
        assign_all(actor=actor, chosen=chosen, annotators=annotators)
    except NotAssignedError as refused:
        messages.error(request, f"{refused.series.patient.study_id}: {refused.sentence} " + _("Nothing was changed."))
        return redirect("masks:list")
    messages.success(request, _told(len(chosen), annotators))
    return redirect("masks:list")


def _annotators(request: HttpRequest, actor: User) -> list[User]:
    """Return the people who were chosen, in their order; nobody who is not offered."""
    offered = annotators_for(actor)
    given = [request.POST.get(name, "") for name in ("annotator", "second")]
    found = []
    for key in filter(None, given):
        user = offered.filter(pk=int(key)).first() if key.isdecimal() and len(key) < 19 else None
        if user is None:
            raise Http404
        found.append(user)
    return found


def _told(count: int, annotators: list[User]) -> str:
    who = [annotator.full_name for annotator in annotators]
    if not who:
        sentence = ngettext(
            "The assignment of %(n)d CT was taken back.", "The assignments of %(n)d CTs were taken back.", count
        )
        return sentence % {"n": count}
    if len(who) == 1:
        sentence = ngettext("%(n)d CT was assigned to %(who)s.", "%(n)d CTs were assigned to %(who)s.", count)
        return sentence % {"n": count, "who": who[0]}
    sentence = ngettext(
        "%(n)d CT was assigned to %(who)s and %(other)s, blind to each other.",
        "%(n)d CTs were assigned to %(who)s and %(other)s, blind to each other.",
        count,
    )
    return sentence % {"n": count, "who": who[0], "other": who[1]}


def _chosen(request: HttpRequest) -> tuple[CenterFilter, list[DoubleReading]]:
    actor = person(request.user)
    require(actor, Permission.VIEW_MASK_AGREEMENT)
    chosen = CenterFilter(actor, Permission.VIEW_MASK_AGREEMENT, request.GET)
    if not chosen.is_valid():
        return chosen, []
    return chosen, list(closed_readings(actor, chosen.cleaned_data["center"]))


@require_GET
def agreement(request: HttpRequest) -> HttpResponse:
    """Show Dice, ICC and limits of agreement by pair and center, and the CTs, the least alike first."""
    chosen, readings = _chosen(request)
    rows = pair_rows(readings)
    context = {
        "filter": chosen,
        "readings": len(readings),
        "rows": [(row, plot_of(row.points, row.limits)) for row in rows],
        "cases": sorted(_cases(rows), key=lambda case: case.dice),
        "query": request.GET.urlencode(),
    }
    return render(request, "annotation/agreement.html", context)


def _cases(rows: list[PairRow]) -> list[Case]:
    """Return each CT once: those of all centers of a pair are also in the rows of the centers."""
    return [case for row in rows if row.center is not None for case in row.cases]


@require_GET
def agreement_csv(request: HttpRequest) -> HttpResponse:
    """Send one line for each CT as a CSV file."""
    _filter, readings = _chosen(request)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEAD)
    for row in pair_rows(readings):
        if row.center is not None:
            writer.writerows([_line(row.names, case) for case in row.cases])
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="mask-agreement.csv"'
    return response


def _line(names: tuple[str, str], case: Case) -> list[object]:
    patient = case.reading.patient
    hd95 = "" if case.hd95_mm is None else f"{case.hd95_mm:.2f}"
    return [
        patient.study_id, patient.center.code, *names, *(f"{ml:.2f}" for ml in case.volumes),
        f"{case.difference_ml:.2f}", f"{case.dice:.4f}", hd95, int(case.is_suggested),
    ]  # fmt: skip
