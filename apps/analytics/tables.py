"""The dashboard's tables as rows for a spreadsheet: full precision, no formatting."""

import csv
import io
from collections.abc import Callable
from dataclasses import astuple

from django.utils.translation import override

from apps.analytics.analysis import PREDICTORS, Analysis, Area, finite
from apps.analytics.texts import problem_sentence

Row = list[object]

_AUC = ["auc", "auc_ci_low", "auc_ci_high", "auc_se", "auc_ci_method"]
_MEASURES = ("sensitivity", "specificity", "ppv", "npv")


def distribution_table(key: str) -> Callable[[Analysis], list[Row]]:
    """Return the table of one score's values."""

    def rows(analysis: Analysis) -> list[Row]:
        found = next(each for each in analysis.distributions if each.key == key)
        header: Row = ["score", "n", "n_poor", "rate_poor", "ci_low", "ci_high"]
        return [header, *(list(astuple(row)) for row in found.rows)]

    return rows


def predictor_table(analysis: Analysis) -> list[Row]:
    """Return each predictor with its AUC and its accuracy at its cut."""
    measures = [f"{name}{part}" for name in _MEASURES for part in ("", "_ci_low", "_ci_high", "_ci_method")]
    cut = ["threshold", "threshold_source", "tp", "fp", "tn", "fn"]
    header: Row = ["predictor", "n", "n_poor", *_AUC, *cut, *measures]
    table = [header]
    for result in analysis.predictors:
        accuracy = result.accuracy
        counts = [accuracy.tp, accuracy.fp, accuracy.tn, accuracy.fn]
        intervals = [part for name in _MEASURES for part in astuple(getattr(accuracy, name))]
        table.append([
            result.key, analysis.flow.compared, analysis.flow.compared_poor, *_area(result.area), result.threshold,
            result.cut_source, *counts, *intervals,
        ])  # fmt: skip
    return table


def comparison_table(analysis: Analysis) -> list[Row]:
    """Return the paired tests."""
    header: Row = ["a", "b", "auc_a_minus_auc_b", "ci_low", "ci_high", "z", "p", "n"]
    return [header, *(list(astuple(test)) for test in analysis.comparisons)]


def center_table(analysis: Analysis) -> list[Row]:
    """Return each center's AUCs; the last column says why there are none."""
    header: Row = ["center", "n", "n_poor", *(f"{p.key}_{name}" for p in PREDICTORS for name in _AUC), "note"]
    table = [header]
    for row in analysis.by_center:
        areas = [part for p in PREDICTORS for part in (_area(row.areas[p.key]) if row.areas else [""] * len(_AUC))]
        table.append([row.code, row.n, row.poor, *areas, problem_sentence(row.problem, row.n, row.poor)])
    return table


def _cell(value: object) -> object:
    return "" if isinstance(value, float) and finite(value) is None else value


def _area(area: Area) -> Row:
    return [area.value, area.low, area.high, area.se, area.method]


TABLES: dict[str, Callable[[Analysis], list[Row]]] = {
    "ich-score": distribution_table("ich_score"),
    "ich-gs": distribution_table("ich_gs"),
    "predictors": predictor_table,
    "comparisons": comparison_table,
    "centers": center_table,
}


def write_csv(analysis: Analysis, name: str) -> str:
    """Return one table as CSV, in English whatever the page's language: files are read by programs."""
    stream = io.StringIO()
    with override("en"):
        csv.writer(stream).writerows([_cell(value) for value in row] for row in TABLES[name](analysis))
    return stream.getvalue()
