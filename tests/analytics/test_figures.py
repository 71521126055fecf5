"""The figures as definitions: they obey the Vega-Lite schema and hold the analysis' own numbers."""

from __future__ import annotations

import altair as alt
import numpy as np
import pytest
from django.utils.translation import override
from sklearn.metrics import roc_curve

from apps.analytics import figures
from tests.analytics.test_analysis import make_table, run


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_definitions_obey_the_schema_and_leave_fonts_and_background_to_the_page(language: str) -> None:
    analysis = run(make_table())
    with override(language):
        specs = [figures.roc_figure(analysis)]
        for distribution in analysis.distributions:
            specs += [figures.counts_figure(distribution), figures.rates_figure(distribution)]
    for spec in specs:
        alt.LayerChart.from_dict(spec, validate=True)
        # Data that all layers share may be named once, above them.
        named = {layer.get("data", spec.get("data"))["name"] for layer in spec["layer"]}
        assert named == set(spec["datasets"])
        assert "config" not in spec and "background" not in spec


def test_curves_are_scikit_learns_without_the_points_on_straight_lines() -> None:
    table = make_table()
    points = figures.roc_figure(run(table))["datasets"]["curves"]
    fpr, tpr, _ = roc_curve(table["poor_outcome"], table["fusion"], drop_intermediate=False)
    fusion = [(point["fpr"], point["tpr"]) for point in points if point["name"] == "Fusion model"]
    assert fusion[0] == (0, 0) and fusion[-1] == (1, 1)
    seen = {(round(x, 5), round(y, 5)) for x, y in zip(fpr, tpr, strict=True)}
    assert set(fusion) <= seen and len(fusion) < len(seen)
    area = np.trapezoid([y for _, y in fusion], [x for x, _ in fusion])
    assert area == pytest.approx(np.trapezoid(tpr, fpr), abs=1e-4)


def test_bars_add_up_to_the_patients_and_empty_values_have_no_rate() -> None:
    analysis = run(make_table())
    for distribution in analysis.distributions:
        bars = figures.counts_figure(distribution)["datasets"]["bars"]
        assert sum(bar["n"] for bar in bars) == 240
        rates = figures.rates_figure(distribution)["datasets"]["rates"]
        assert [rate["value"] for rate in rates] == [row.value for row in distribution.rows if row.n]


def test_filling_one_figure_does_not_change_another() -> None:
    first = figures.roc_figure(run(make_table(seed=1)))
    before = len(first["datasets"]["curves"])
    figures.roc_figure(run(make_table(n=80, seed=2)))
    assert len(first["datasets"]["curves"]) == before
