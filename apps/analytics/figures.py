"""The dashboard's figures as Vega-Lite: defined with Altair once per language, filled with each analysis' numbers.

Colors are those of the light palette; the page replaces them by their twins when it is dark, and gives fonts, text and
grid their colors. Curves also differ by dash and outcomes by filling, for those who print or see no color.
"""

import json
from functools import lru_cache
from typing import Any

import altair as alt
from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from apps.analytics.analysis import PREDICTORS, Analysis, Distribution, PredictorResult
from apps.analytics.texts import PREDICTOR_NAMES
from ml.scores import SCORES

Spec = dict[str, Any]

DASHES = {"fusion": [1, 0], "imaging": [7, 3], "ich": [2, 2], "ich_gs": [8, 3, 2, 3]}
SCORE_COLORS = {"ich_score": "ich", "ich_gs": "ich_gs"}
# A plot coordinate to five decimals is exact to far less than a pixel.
DECIMALS = 5


def roc_figure(analysis: Analysis) -> Spec:
    """Return the ROC curves of all predictors, each with its cut."""
    names = {result.key: name_of(result.key) for result in analysis.predictors}
    curves = [
        {"name": names[result.key], "order": order, "fpr": round(point.fpr, DECIMALS),
         "tpr": round(point.tpr, DECIMALS), "specificity": 1 - point.fpr, "threshold": _threshold(point.threshold)}
        for result in analysis.predictors
        for order, point in enumerate(result.curve)
    ]  # fmt: skip
    cuts = [_cut(result) for result in analysis.predictors]
    chance = [{"fpr": 0, "tpr": 0}, {"fpr": 1, "tpr": 1}]
    return _filled(_roc_definition(get_language()), chance=chance, curves=curves, cuts=cuts)


def counts_figure(distribution: Distribution) -> Spec:
    """Return bars of patients by score value, split by outcome, with n above each."""
    poor, favorable = _outcomes()
    bars = [
        {"value": row.value, "outcome": outcome, "n": n, "total": row.n, "order": order}
        for row in distribution.rows
        for order, (outcome, n) in enumerate(((poor, row.poor), (favorable, row.favorable)))
        if n
    ]
    totals = [{"value": row.value, "n": row.n} for row in distribution.rows if row.n]
    return _filled(_counts_definition(get_language(), distribution.key), bars=bars, totals=totals)


def rates_figure(distribution: Distribution) -> Spec:
    """Return the rate of poor outcome by score value with its interval."""
    rates = [
        {"value": row.value, "rate": row.rate, "low": row.low, "high": row.high, "n": row.n, "poor": row.poor}
        for row in distribution.rows
        if row.n
    ]
    return _filled(_rates_definition(get_language(), distribution.key), rates=rates)


def name_of(key: str) -> str:
    """Return a predictor's name in the reader's language."""
    return str(PREDICTOR_NAMES[key])


@lru_cache
def palette() -> dict[str, str]:
    """Return the series colors of light pages, by name."""
    colors: dict[str, str] = json.loads((settings.ROOT / "frontend" / "palette.json").read_text())["light"]
    return colors


def _filled(definition: Spec, **datasets: list[dict[str, Any]]) -> Spec:
    return {**definition, "datasets": datasets}


def _threshold(value: float | None) -> str:
    return "–" if value is None else f"≥ {value:.4g}"


def _cut(result: PredictorResult) -> dict[str, Any]:
    accuracy = result.accuracy
    return {
        "name": name_of(result.key), "fpr": 1 - accuracy.specificity.value, "tpr": accuracy.sensitivity.value,
        "specificity": accuracy.specificity.value, "threshold": _threshold(result.threshold),
    }  # fmt: skip


def _outcomes() -> tuple[str, str]:
    return _("poor (GOS 1–3)"), _("favorable (GOS 4–5)")


def _definition(chart: alt.LayerChart | alt.FacetChart, width: int, height: int) -> Spec:
    spec: Spec = chart.properties(width=width, height=height).to_dict()
    # Altair's own theme; the page has one.
    spec.pop("config", None)
    return spec


@lru_cache
def _roc_definition(language: str | None) -> Spec:
    keys = [predictor.key for predictor in PREDICTORS]
    names = [name_of(key) for key in keys]
    x = alt.X("fpr:Q", title=_("1 − specificity"), scale=alt.Scale(domain=[0, 1], nice=False))
    y = alt.Y("tpr:Q", title=_("Sensitivity"), scale=alt.Scale(domain=[0, 1], nice=False))
    legend = alt.Legend(orient="bottom", columns=2, title=None, symbolType="stroke", symbolSize=900, labelLimit=240)
    colors = alt.Scale(domain=names, range=[palette()[key] for key in keys])
    stroke, fill = alt.Stroke("name:N", legend=legend, scale=colors), alt.Fill("name:N", legend=None, scale=colors)
    dash = alt.StrokeDash("name:N", legend=legend, scale=alt.Scale(domain=names, range=[DASHES[key] for key in keys]))
    tooltip = [
        alt.Tooltip("name:N", title=_("Predictor")),
        alt.Tooltip("threshold:N", title=_("Threshold")),
        alt.Tooltip("tpr:Q", title=_("Sensitivity"), format=".1%"),
        alt.Tooltip("specificity:Q", title=_("Specificity"), format=".1%"),
    ]
    chance = alt.Chart(alt.NamedData("chance"))
    curves, cuts = alt.Chart(alt.NamedData("curves")), alt.Chart(alt.NamedData("cuts"))
    layers = alt.layer(
        chance.mark_line(strokeWidth=1, color=palette()["neutral"]).encode(x=x, y=y),
        curves.mark_line(strokeWidth=2.25, interpolate="linear").encode(
            x=x, y=y, stroke=stroke, strokeDash=dash, order="order:Q"
        ),
        curves.mark_circle(opacity=0, size=120).encode(x=x, y=y, fill=fill, tooltip=tooltip),
        cuts.mark_circle(size=110, opacity=1).encode(x=x, y=y, fill=fill, tooltip=tooltip),
    )
    return _definition(layers, 440, 440)


def _values(key: str) -> alt.X:
    definition = SCORES[key]
    values = list(range(definition.minimum, definition.maximum + 1))
    name = name_of(SCORE_COLORS[key])
    return alt.X("value:O", title=_("%(score)s, points") % {"score": name}, scale=alt.Scale(domain=values))


@lru_cache
def _counts_definition(language: str | None, key: str) -> Spec:
    x, outcomes = _values(key), list(_outcomes())
    color, neutral = palette()[SCORE_COLORS[key]], palette()["neutral"]
    legend = alt.Legend(title=_("Outcome"), orient="top", labelLimit=240)
    y = alt.Y("n:Q", title=_("Patients"), axis=alt.Axis(tickMinStep=1))
    tooltip = [
        alt.Tooltip("value:O", title=_("Score")),
        alt.Tooltip("outcome:N", title=_("Outcome")),
        alt.Tooltip("n:Q", title="n"),
        alt.Tooltip("total:Q", title=_("n with this score")),
    ]
    bars = alt.Chart(alt.NamedData("bars")).mark_bar(strokeWidth=1.5).encode(
        x=x, y=y, order="order:Q", tooltip=tooltip,
        fill=alt.Fill("outcome:N", legend=legend, scale=alt.Scale(domain=outcomes, range=[color, "transparent"])),
        stroke=alt.Stroke("outcome:N", legend=legend, scale=alt.Scale(domain=outcomes, range=[color, neutral])),
    )  # fmt: skip
    totals = alt.Chart(alt.NamedData("totals")).mark_text(dy=-7, fontSize=12).encode(x=x, y=y, text="n:Q")
    return _definition(alt.layer(bars, totals), 440, 240)


@lru_cache
def _rates_definition(language: str | None, key: str) -> Spec:
    x, color = _values(key), palette()[SCORE_COLORS[key]]
    title = _("Poor outcome (95 % CI)")
    scale, axis = alt.Scale(domain=[0, 1]), alt.Axis(format=".0%")
    tooltip = [
        alt.Tooltip("value:O", title=_("Score")),
        alt.Tooltip("rate:Q", title=_("Poor outcome"), format=".1%"),
        alt.Tooltip("low:Q", title=_("95 % CI from"), format=".1%"),
        alt.Tooltip("high:Q", title=_("to"), format=".1%"),
        alt.Tooltip("poor:Q", title=_("n poor")),
        alt.Tooltip("n:Q", title="n"),
    ]
    base = alt.Chart(alt.NamedData("rates"))
    intervals = base.mark_rule(strokeWidth=2, color=color).encode(
        x=x, y=alt.Y("low:Q", title=title, scale=scale, axis=axis), y2="high:Q", tooltip=tooltip
    )
    points = base.mark_circle(size=90, color=color, opacity=1)
    points = points.encode(x=x, y=alt.Y("rate:Q", title=title), tooltip=tooltip)
    return _definition(alt.layer(intervals, points), 440, 240)
