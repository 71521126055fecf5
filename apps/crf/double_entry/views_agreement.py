"""The page of the agreement of both entries, and the same as a file."""

import csv
import io
import math

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET
from rest_framework.request import Request

from apps.accounts.access import has_permission, require
from apps.accounts.policy import Permission
from apps.core.bland_altman import plot_of
from apps.crf.double_entry.agreement import Agreement, agreement_of, people_rows, submitted_for
from apps.crf.double_entry.forms import AgreementFilter
from apps.crf.double_entry.models import SecondEntry
from ml.statistics.agreement import Estimate
from ml.statistics.intervals import Proportion

HEAD = [
    "variable", "label", "pairs", "equal", "agreement", "agreement_low", "agreement_high", "pairs_of_values",
    "statistic", "value", "low", "high", "mean_difference", "mean_low", "mean_high", "lower_limit", "lower_limit_low",
    "lower_limit_high", "upper_limit", "upper_limit_low", "upper_limit_high", "unit",
]  # fmt: skip


def chosen_entries(request: HttpRequest | Request) -> tuple[AgreementFilter, list[SecondEntry]]:
    """Return the filters and the submitted second entries that they leave; unknown ones leave none."""
    require(request.user, Permission.VIEW_AGREEMENT)
    chosen = AgreementFilter(request.user, request.GET)
    if not chosen.is_valid():
        return chosen, []
    return chosen, list(submitted_for(request.user, **chosen.cleaned_data).only(*_FIELDS))


_FIELDS = ("state", "first", "values", "missing", "kept", "entered_by_id")


@require_GET
def agreement(request: HttpRequest) -> HttpResponse:
    """Show how well both entries agree, for each variable and each person."""
    chosen, entries = chosen_entries(request)
    context = {
        "filter": chosen,
        "entries": len(entries),
        "rows": [(row, plot_of(row.points, row.limits)) for row in agreement_of(entries)],
        "people": people_rows(entries),
        "can_reconcile": has_permission(request.user, Permission.RECONCILE),
        "can_view_agreement": True,
        "query": request.GET.urlencode(),
    }
    return render(request, "crf/double_entry/agreement.html", context)


@require_GET
def agreement_csv(request: HttpRequest) -> HttpResponse:
    """Send the table of the variables as a CSV file."""
    _chosen, entries = chosen_entries(request)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEAD)
    writer.writerows(line_of(row) for row in agreement_of(entries))
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="double-entry-agreement.csv"'
    return response


def line_of(row: Agreement) -> list[object]:
    statistic = ("weighted kappa" if row.is_weighted else "kappa") if row.kappa else "ICC(2,1)" if row.icc else ""
    limits = [row.limits.mean, row.limits.lower, row.limits.upper] if row.limits else [None] * 3
    spread = [value for each in limits for value in _figures(each)]
    return [
        row.variable.name, str(row.variable.label), row.n, row.equal, *_figures(row.share), row.both, statistic,
        *_figures(row.kappa or row.icc), *spread, row.unit if row.limits else "",
    ]  # fmt: skip


def _figures(found: Estimate | Proportion | None) -> list[object]:
    figures = (found.value, found.low, found.high) if found else (math.nan,) * 3
    return ["" if math.isnan(figure) else f"{figure:.6g}" for figure in figures]
