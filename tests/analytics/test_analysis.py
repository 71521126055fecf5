"""The dashboard's numbers, held against scikit-learn, scipy, the paper's tables and counting by hand."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import confusion_matrix, roc_auc_score

from apps.analytics.analysis import COMPARISONS, PREDICTORS, Analysis, analyse

REFERENCE = Path(__file__).resolve().parents[1] / "reference"
COLUMNS = {predictor.key: predictor.column for predictor in PREDICTORS}


def make_table(n: int = 240, seed: int = 7, centers: tuple[str, ...] = ("C1", "C2")) -> pd.DataFrame:
    """Patients with both scores and both models' probabilities; every fourth is in the test split."""
    rng = np.random.default_rng(seed)
    poor = rng.random(n) < 0.6
    logit = rng.normal(size=n) + 1.4 * poor
    return pd.DataFrame({
        "study_id": [f"X-{number:04d}" for number in range(n)],
        "center": [centers[number % len(centers)] for number in range(n)],
        "exclusion": "",
        "poor_outcome": poor,
        "score_ich_score": np.clip(np.rint(logit + 1 + rng.normal(size=n)), 0, 6).astype(int),
        "score_ich_gs": np.clip(np.rint(logit + 7 + rng.normal(size=n)), 5, 13).astype(int),
        "split": ["test" if number % 4 == 0 else "cv" for number in range(n)],
        "fusion": 1 / (1 + np.exp(-(logit + 0.5 * rng.normal(size=n)))),
        "imaging": 1 / (1 + np.exp(-(logit + rng.normal(size=n)))),
    })  # fmt: skip


def run(table: pd.DataFrame, patients: str = "all", centers: tuple[str, ...] = ("C1", "C2"), **more: Any) -> Analysis:
    return analyse(more.get("cohort", table), table, centers=centers, patients=patients)


@pytest.mark.parametrize("patients", ["cv", "test", "all"])
def test_areas_and_accuracy_equal_scikit_learn(patients: str) -> None:
    table = make_table()
    part = table if patients == "all" else table[table["split"] == patients]
    analysis = run(table, patients)
    assert [result.key for result in analysis.predictors] == ["fusion", "imaging", "ich", "ich_gs"]
    for result in analysis.predictors:
        values = part[COLUMNS[result.key]]
        assert result.area.value == pytest.approx(roc_auc_score(part["poor_outcome"], values), abs=1e-12)
        assert result.area.low < result.area.value < result.area.high
        called = values >= result.threshold
        tn, fp, fn, tp = confusion_matrix(part["poor_outcome"], called).ravel().tolist()
        accuracy = result.accuracy
        assert (accuracy.tn, accuracy.fp, accuracy.fn, accuracy.tp) == (tn, fp, fn, tp)
        exact = stats.binomtest(tp, tp + fn).proportion_ci(method="exact")
        assert (accuracy.sensitivity.low, accuracy.sensitivity.high) == pytest.approx((exact.low, exact.high))


def delong_by_definition(outcome: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Difference and z from the structural components as DeLong wrote them, pair by pair."""

    def components(score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        kernel = np.array([[(x > y) + 0.5 * (x == y) for y in score[~outcome]] for x in score[outcome]])
        return kernel.mean(axis=1), kernel.mean(axis=0)

    (a10, a01), (b10, b01) = components(a), components(b)
    variance = np.var(a10 - b10, ddof=1) / outcome.sum() + np.var(a01 - b01, ddof=1) / (~outcome).sum()
    return a10.mean() - b10.mean(), (a10.mean() - b10.mean()) / np.sqrt(variance)


def test_paired_tests_follow_delong() -> None:
    table = make_table()
    analysis = run(table, "cv")
    part = table[table["split"] == "cv"]
    assert [(test.a, test.b) for test in analysis.comparisons] == list(COMPARISONS)
    for test in analysis.comparisons:
        scores = [part[COLUMNS[key]].to_numpy(float) for key in (test.a, test.b)]
        difference, z = delong_by_definition(part["poor_outcome"].to_numpy(), *scores)
        assert test.difference == pytest.approx(difference, abs=1e-12)
        assert test.z == pytest.approx(z, abs=1e-9)
        assert test.p == pytest.approx(2 * stats.norm.sf(abs(z)), abs=1e-9)
        assert test.n == len(part)


def test_a_patient_without_one_predictor_is_left_out_everywhere_and_counted() -> None:
    table = make_table()
    table.loc[1, "imaging"] = np.nan
    table.loc[2, "score_ich_gs"] = np.nan
    analysis = run(table)
    kept = table.drop(index=[1, 2])
    assert analysis.flow.incomplete == 2
    assert analysis.flow.compared == len(table) - 2
    assert sum(row.n for row in analysis.by_center) == analysis.flow.compared
    for result in analysis.predictors:
        counts = result.accuracy
        assert counts.tp + counts.fp + counts.tn + counts.fn == len(table) - 2
        expected = roc_auc_score(kept["poor_outcome"], kept[COLUMNS[result.key]])
        assert result.area.value == pytest.approx(expected, abs=1e-12)
    assert {test.n for test in analysis.comparisons} == {len(table) - 2}
    ich, ich_gs = analysis.distributions
    assert (ich.n, ich.blank, ich_gs.n, ich_gs.blank) == (len(table), 0, len(table) - 1, 1)


def test_a_run_without_the_imaging_model_compares_nobody() -> None:
    analysis = run(make_table().drop(columns="imaging"))
    assert (analysis.problem, analysis.flow.compared, analysis.flow.incomplete) == ("no_patients", 0, 240)
    assert analysis.predictors == () and analysis.comparisons == ()


@pytest.mark.parametrize("patients", ["cv", "test", "all"])
def test_numbers_of_patients_add_up(patients: str) -> None:
    results = make_table()
    results.loc[5, "fusion"] = np.nan
    left_out = make_table(30, seed=8).assign(exclusion="no usable head CT", poor_outcome=None)
    left_out["study_id"] = [f"Y-{number}" for number in range(30)]
    unpredicted = make_table(6, seed=9).assign(study_id=[f"Z-{number}" for number in range(6)])
    cohort = pd.concat([results, left_out, unpredicted]).drop(columns=["split", "fusion", "imaging"])
    flow = run(results, patients, cohort=cohort).flow
    assert flow.enrolled == 276 and flow.exclusions == {"no usable head CT": 30} and flow.without_result == 6
    assert flow.enrolled == flow.excluded + flow.included
    assert flow.included == flow.without_result + flow.outside + flow.incomplete + flow.compared


def test_centers_are_counted_apart_and_small_ones_get_no_number() -> None:
    table = make_table(206)
    # C3: three poor of six; C4: nobody; C5: favorable outcomes only.
    table.loc[200:, "center"] = "C3"
    table.loc[200:, "poor_outcome"] = [True, True, True, False, False, False]
    one_class = make_table(12, seed=3, centers=("C5",)).assign(poor_outcome=False)
    one_class["study_id"] = [f"F-{number}" for number in range(12)]
    table = pd.concat([table, one_class], ignore_index=True)
    rows = run(table, centers=("C1", "C2", "C3", "C4", "C5")).by_center
    assert [(row.code, row.n, row.problem) for row in rows] == [
        ("C1", 100, ""), ("C2", 100, ""), ("C3", 6, "too_few"), ("C4", 0, "no_patients"), ("C5", 12, "one_class")
    ]  # fmt: skip
    first = table[table["center"] == "C1"]
    assert rows[0].areas["fusion"].value == pytest.approx(roc_auc_score(first["poor_outcome"], first["fusion"]))
    assert rows[2].areas == rows[3].areas == rows[4].areas == {}


def test_a_center_with_one_outcome_has_no_curves_but_a_distribution() -> None:
    table = make_table(40).assign(poor_outcome=True)
    analysis = run(table, centers=("C1",))
    assert analysis.problem == "one_class" and analysis.predictors == ()
    assert analysis.distributions[0].n == analysis.distributions[0].poor == 20


def test_models_are_cut_at_one_half_and_scores_where_no_tested_patient_chose() -> None:
    table = make_table()
    cv, test = (table[table["split"] == split] for split in ("cv", "test"))
    of_test = {result.key: result for result in run(table, "test").predictors}
    of_cv = {result.key: result for result in run(table, "cv").predictors}
    assert (of_test["fusion"].threshold, of_test["fusion"].cut_source) == (0.5, "declared")
    assert of_test["ich"].cut_source == "cross_validation" and of_cv["ich"].cut_source == "same_patients"
    # The best cut of the cross-validation's patients by trying all of them.
    j = {
        cut: (cv.loc[cv["poor_outcome"], "score_ich_score"] >= cut).mean()
        - (cv.loc[~cv["poor_outcome"], "score_ich_score"] >= cut).mean()
        for cut in range(7)
    }
    assert j[int(of_cv["ich"].threshold)] == pytest.approx(max(j.values()))
    assert of_test["ich"].threshold == of_cv["ich"].threshold
    assert of_test["ich"].accuracy.tp == int(
        (test["score_ich_score"] >= of_test["ich"].threshold)[test["poor_outcome"]].sum()
    )


def test_perfect_separation_has_an_exact_interval_and_an_infinite_z_is_none() -> None:
    table = make_table(60)
    table["fusion"] = np.where(table["poor_outcome"], 0.9, 0.1)
    table["imaging"] = 1 - table["fusion"]
    fusion, imaging = run(table).predictors[:2]
    assert fusion.area.method == "exact" and fusion.area.value == 1
    # Clopper-Pearson for n of n: the lower bound is 0.025^(1/n).
    assert (fusion.area.low, fusion.area.high) == (pytest.approx(0.025 ** (1 / 60)), 1)
    assert imaging.area.value == 0
    assert run(table).comparisons[0].z is None and run(table).comparisons[0].p == 0


def reference(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((REFERENCE / name).read_text().splitlines()))


def paper_cohort(name: str, column: str) -> pd.DataFrame:
    rows = reference(name)
    scores = [int(row["score"]) for row in rows for _ in range(int(row["n"]))]
    poor = [number < int(row["poor"]) for row in rows for number in range(int(row["n"]))]
    return pd.DataFrame({column: scores, "poor_outcome": poor})


@pytest.mark.parametrize(
    ("file", "column", "place", "printed"),
    [("table4_ich_score.csv", "score_ich_score", 0, 0.7327), ("table5_ich_gs.csv", "score_ich_gs", 1, 0.7229)],
)
def test_the_published_tables_give_their_rates_and_area(file: str, column: str, place: int, printed: float) -> None:
    table = paper_cohort(file, column)
    for each in COLUMNS.values():
        table[each] = table[column]
    table = table.assign(study_id=table.index.astype(str), center="C1", exclusion="", split="cv")
    analysis = run(table, "cv", centers=("C1",))
    shown = {row.value: row for row in analysis.distributions[place].rows}
    for row in reference(file):
        value = shown.pop(int(row["score"]))
        assert (value.n, value.poor) == (int(row["n"]), int(row["poor"]))
        assert value.rate == pytest.approx(int(row["poor"]) / int(row["n"]))
        exact = stats.binomtest(value.poor, value.n).proportion_ci(method="exact")
        assert (value.low, value.high) == pytest.approx((exact.low, exact.high))
    # Values that nobody had stay in the table, empty.
    assert all((row.n, row.rate) == (0, None) for row in shown.values())
    assert analysis.distributions[place].n == 1990 and analysis.distributions[place].poor == 1278
    assert analysis.predictors[0].area.value == pytest.approx(printed, abs=5e-5)
