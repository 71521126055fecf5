"""The dashboard and its tables as files."""

from collections.abc import Iterable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from apps.accounts.access import has_permission, has_permission_everywhere
from apps.accounts.policy import Permission
from apps.analytics import figures, texts
from apps.analytics.analysis import MIN_PER_OUTCOME, PREDICTORS, Analysis
from apps.analytics.selectors import Dashboard, Scope, dashboard_visible_to
from apps.analytics.tables import TABLES, write_csv
from apps.cohorts.outdated import outdated_masks


@require_GET
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show how well models and scores tell poor from favorable outcomes."""
    shown = _requested(request)
    context: dict[str, Any] = {
        "shown": shown,
        "experiment": shown.experiment,
        "scope_name": scope_name(shown.scope),
        "center_choices": center_choices(shown.scope),
        "patient_choices": texts.PATIENT_SET_NAMES.items(),
        "can_open_experiment": has_permission_everywhere(request.user, Permission.VIEW_EXPERIMENTS),
        "can_run": has_permission(request.user, Permission.RUN_EXPERIMENTS),
    }
    if shown.experiment is not None:
        context["outdated"] = outdated_masks(shown.experiment.snapshot, request.user, shown.scope.codes)
    if shown.analysis is not None:
        context |= analysis_context(shown.analysis)
    return render(request, "analytics/dashboard.html", context)


@require_GET
def table(request: HttpRequest, name: str) -> HttpResponse:
    """Send one table of the dashboard as CSV."""
    shown = _requested(request)
    if name not in TABLES or shown.analysis is None:
        raise Http404
    response = HttpResponse(write_csv(shown.analysis, name), content_type="text/csv; charset=utf-8")
    file_name = "-".join(filter(None, [name, shown.scope.center, shown.patients]))
    response["Content-Disposition"] = f'attachment; filename="{file_name}.csv"'
    return response


def _requested(request: HttpRequest) -> Dashboard:
    query = request.GET
    return dashboard_visible_to(request.user, center=query.get("center", ""), patients=query.get("patients", ""))


def scope_name(scope: Scope) -> str:
    """Say which centers are shown."""
    if scope.center:
        name = next(center.name for center in scope.offered if center.code == scope.center)
        return f"{scope.center} · {name}"
    return _("whole cohort") if scope.everywhere else _("your centers: %(codes)s") % {"codes": ", ".join(scope.codes)}


def center_choices(scope: Scope) -> list[tuple[str, str]]:
    """Return (code, label) of the views to choose from; nothing to choose with a single center."""
    if len(scope.offered) < 2:
        return []
    whole = _("Whole cohort") if scope.everywhere else _("Your centers")
    return [("", whole), *((center.code, center.code) for center in scope.offered)]


def analysis_context(analysis: Analysis) -> dict[str, Any]:
    """Return the analysis as the templates show it: names beside keys, sentences beside reasons, figures."""
    flow, names = analysis.flow, texts.PREDICTOR_NAMES
    return {
        "analysis": analysis,
        "flow": flow,
        "meaning": texts.PATIENT_SET_MEANINGS[analysis.patients],
        "problem": texts.problem_sentence(analysis.problem, flow.compared, flow.compared_poor),
        "roc": figures.roc_figure(analysis) if analysis.predictors else None,
        "predictors": [
            {"name": names[result.key], "result": result, "cut_source": texts.CUT_SOURCES[result.cut_source]}
            for result in analysis.predictors
        ],
        "comparisons": [{"a": names[test.a], "b": names[test.b], "test": test} for test in analysis.comparisons],
        "predictor_names": [(p.key, names[p.key]) for p in PREDICTORS],
        "centers": center_rows(analysis) if len(analysis.by_center) > 1 else [],
        "least": MIN_PER_OUTCOME,
        "exact_intervals": any(area.method == "exact" for area in _areas(analysis)),
        "distributions": [
            {"shown": each, "color": figures.SCORE_COLORS[each.key], "file": each.key.replace("_", "-"),
             "name": names[figures.SCORE_COLORS[each.key]], "counts": figures.counts_figure(each),
             "rates": figures.rates_figure(each)}
            for each in analysis.distributions
        ],
    }  # fmt: skip


def center_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Return each center's AUCs in the order of the table's columns."""
    return [
        {
            "row": row,
            "areas": [row.areas[predictor.key] for predictor in PREDICTORS] if row.areas else [],
            "problem": texts.problem_sentence(row.problem, row.n, row.poor),
        }
        for row in analysis.by_center
    ]


def _areas(analysis: Analysis) -> Iterable[Any]:
    yield from (result.area for result in analysis.predictors)
    for row in analysis.by_center:
        yield from row.areas.values()
