"""The dashboard's numbers: which patients are compared, and what ml.statistics says of them.

Nothing here computes a statistic. Patients are chosen and counted, and every estimate comes from ml.statistics.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from ml.scores import SCORES
from ml.statistics import (
    DelongTest,
    DiagnosticAccuracy,
    auc,
    delong_test,
    diagnostic_accuracy,
    roc_curve,
    score_distribution,
    youden,
)

# cv: predicted by the one fold model that never saw the patient; test: by the mean of all fold models, none of which
# did.
PATIENT_SETS = ("cv", "test", "all")
# With fewer patients of either outcome an AUC and its interval say nothing, so none is printed.
MIN_PER_OUTCOME = 5
# Declared before any result was seen: a model calls an outcome poor when it holds that the likelier one.
MODEL_THRESHOLD = 0.5

CutSource = Literal["declared", "cross_validation", "same_patients"]
Problem = Literal["", "no_patients", "one_class", "too_few"]


@dataclass(frozen=True)
class Predictor:
    """Something that ranks patients by risk: its column in the results, and whether it is a model or a score."""

    key: str
    column: str
    score: str = ""


PREDICTORS = (
    Predictor("fusion", "fusion"),
    Predictor("imaging", "imaging"),
    Predictor("ich", "score_ich_score", score="ich_score"),
    Predictor("ich_gs", "score_ich_gs", score="ich_gs"),
)
COMPARISONS = (("fusion", "imaging"), ("fusion", "ich"), ("fusion", "ich_gs"), ("imaging", "ich"), ("ich", "ich_gs"))


@dataclass(frozen=True)
class Flow:
    """How the patients shown came to be: enrolled = left out + included, included = in the set + outside + no result.

    Of those in the set, `compared` have every predictor and `incomplete` lack one.
    """

    enrolled: int
    exclusions: dict[str, int]
    included: int
    included_poor: int
    outside: int
    without_result: int
    incomplete: int
    compared: int
    compared_poor: int

    @property
    def excluded(self) -> int:
        return sum(self.exclusions.values())


@dataclass(frozen=True)
class ScoreValue:
    """Patients with one value of a score; the rate and its exact 95 % interval are None where there is nobody."""

    value: int
    n: int
    poor: int
    rate: float | None
    low: float | None
    high: float | None

    @property
    def favorable(self) -> int:
        return self.n - self.poor


@dataclass(frozen=True)
class Distribution:
    """All values that a score can take, with the analysed patients who have them; `blank` lack the score."""

    key: str
    name: str
    rows: tuple[ScoreValue, ...]
    blank: int

    @property
    def n(self) -> int:
        return sum(row.n for row in self.rows)

    @property
    def poor(self) -> int:
        return sum(row.poor for row in self.rows)


@dataclass(frozen=True)
class Area:
    """An AUC with its 95 % interval: DeLong's, or the exact binomial one where the groups are perfectly separated."""

    value: float
    se: float
    low: float
    high: float
    method: Literal["DeLong", "exact"]


@dataclass(frozen=True)
class RocPoint:
    """A corner of the curve; the threshold of the first one, at which nobody is called positive, is None."""

    fpr: float
    tpr: float
    threshold: float | None


@dataclass(frozen=True)
class PredictorResult:
    """One predictor on the compared patients. `threshold` is the cut at which `accuracy` holds."""

    key: str
    area: Area
    curve: tuple[RocPoint, ...]
    threshold: float
    cut_source: CutSource
    accuracy: DiagnosticAccuracy


@dataclass(frozen=True)
class Comparison:
    """DeLong's paired test of predictor `a` minus predictor `b`; `z` is None where the difference has no variance."""

    a: str
    b: str
    difference: float
    low: float
    high: float
    z: float | None
    p: float
    n: int


@dataclass(frozen=True)
class CenterRow:
    """The compared patients of one center, and each predictor's AUC by its key; none where `problem` tells why."""

    code: str
    n: int
    poor: int
    problem: Problem
    areas: dict[str, Area]


@dataclass(frozen=True)
class Analysis:
    """Everything that the dashboard shows of one set of patients in some centers."""

    patients: str
    centers: tuple[str, ...]
    flow: Flow
    distributions: tuple[Distribution, ...]
    problem: Problem
    predictors: tuple[PredictorResult, ...]
    comparisons: tuple[Comparison, ...]
    by_center: tuple[CenterRow, ...]


def analyse(cohort: pd.DataFrame, results: pd.DataFrame, *, centers: Sequence[str], patients: str) -> Analysis:
    """Analyse the patients of some centers.

    `cohort` is a snapshot's whole table, `results` the experiment's results on it (experiments.results_table).
    """
    cohort = cohort[cohort["center"].isin(centers)]
    results = with_all_columns(results[results["center"].isin(centers)])
    included = cohort[cohort["exclusion"] == ""]
    chosen = results if patients == "all" else results[results["split"] == patients]
    compared = complete(chosen)
    problem = problem_of(compared["poor_outcome"])
    # The cuts of the scores may be looked for among the patients of the cross-validation, but judged on others.
    search = complete(results[results["split"] == "cv"]) if patients == "test" else None
    return Analysis(
        patients=patients,
        centers=tuple(centers),
        flow=flow_of(cohort, included, results, chosen, compared),
        distributions=tuple(distribution(included, p.score, p.column) for p in PREDICTORS if p.score),
        problem=problem,
        predictors=() if problem else tuple(predictor_result(p, compared, search) for p in PREDICTORS),
        comparisons=() if problem else tuple(comparison(compared, a, b) for a, b in COMPARISONS),
        by_center=tuple(center_row(compared[compared["center"] == code], code) for code in centers),
    )


def with_all_columns(results: pd.DataFrame) -> pd.DataFrame:
    """Return the results with a blank column for each predictor that is missing (a run of one arm, for instance)."""
    columns = {p.column: results.get(p.column, pd.Series(math.nan, index=results.index)) for p in PREDICTORS}
    return results.assign(**{name: pd.to_numeric(column, errors="coerce") for name, column in columns.items()})


def complete(results: pd.DataFrame) -> pd.DataFrame:
    """Return the patients who have every predictor: curves are compared on identical patients or not at all."""
    return results.dropna(subset=[p.column for p in PREDICTORS])


def problem_of(outcome: "pd.Series[Any]") -> Problem:
    """Say why patients with these outcomes cannot be analysed; "" if they can."""
    poor = int(outcome.sum())
    fewest = min(poor, len(outcome) - poor)
    if len(outcome) == 0:
        return "no_patients"
    if fewest == 0:
        return "one_class"
    return "too_few" if fewest < MIN_PER_OUTCOME else ""


def flow_of(
    cohort: pd.DataFrame, included: pd.DataFrame, results: pd.DataFrame, chosen: pd.DataFrame, compared: pd.DataFrame
) -> Flow:
    """Count the patients at each step from enrollment to the comparison."""
    reasons = cohort.loc[cohort["exclusion"] != "", "exclusion"]
    return Flow(
        enrolled=len(cohort),
        exclusions={str(reason): int(n) for reason, n in reasons.value_counts().items()},
        included=len(included),
        included_poor=int(included["poor_outcome"].sum()),
        outside=len(results) - len(chosen),
        without_result=len(included) - len(results),
        incomplete=len(chosen) - len(compared),
        compared=len(compared),
        compared_poor=int(compared["poor_outcome"].sum()),
    )


def distribution(included: pd.DataFrame, score: str, column: str) -> Distribution:
    """Count the analysed patients at each value that the score can take."""
    definition = SCORES[score]
    scores = pd.to_numeric(included[column], errors="coerce")
    known = scores.notna()
    outcome = included.loc[known, "poor_outcome"].astype(bool)
    seen = {int(row.value): row for row in score_distribution(scores[known], outcome)} if known.any() else {}
    rows = []
    for value in range(definition.minimum, definition.maximum + 1):
        row = seen.get(value)
        counted = (0, 0, None, None, None) if row is None else (row.n, row.poor, row.rate, row.low, row.high)
        rows.append(ScoreValue(value, *counted))
    return Distribution(score, definition.name, tuple(rows), int((~known).sum()))


def predictor_result(predictor: Predictor, compared: pd.DataFrame, search: pd.DataFrame | None) -> PredictorResult:
    """Return AUC, curve and accuracy of one predictor on the compared patients."""
    outcome, values = compared["poor_outcome"].astype(bool), compared[predictor.column]
    curve = roc_curve(outcome, values)
    threshold, source = cut_of(predictor, compared, search)
    return PredictorResult(
        key=predictor.key,
        area=area_of(outcome, values),
        curve=tuple(
            RocPoint(fpr, tpr, finite(cut))
            for fpr, tpr, cut in zip(curve.fpr.tolist(), curve.tpr.tolist(), curve.thresholds.tolist(), strict=True)
        ),
        threshold=threshold,
        cut_source=source,
        accuracy=accuracy_at(threshold, outcome, values),
    )


def cut_of(predictor: Predictor, compared: pd.DataFrame, search: pd.DataFrame | None) -> tuple[float, CutSource]:
    """Return the threshold of a predictor and where it was found.

    No paper declares a cut of these scores for the outcome at discharge, so theirs is the one with the largest Youden
    index: among other patients where there are enough of them, else among the same ones, which flatters it.
    """
    if not predictor.score:
        return MODEL_THRESHOLD, "declared"
    source: CutSource = "same_patients"
    if search is not None and not problem_of(search["poor_outcome"]):
        compared, source = search, "cross_validation"
    return youden(compared["poor_outcome"].astype(bool), compared[predictor.column]).threshold, source


def accuracy_at(threshold: float, outcome: "pd.Series[Any]", values: "pd.Series[Any]") -> DiagnosticAccuracy:
    """Return the accuracy when values from the threshold on are called poor."""
    called = values >= threshold
    return diagnostic_accuracy(
        tp=int((called & outcome).sum()),
        fp=int((called & ~outcome).sum()),
        tn=int((~called & ~outcome).sum()),
        fn=int((~called & outcome).sum()),
    )


def area_of(outcome: "pd.Series[Any]", values: "pd.Series[Any]") -> Area:
    """Return the AUC with the interval that holds for it."""
    found = auc(outcome, values)
    if found.se > 0:
        return Area(found.value, found.se, *found.ci_delong, "DeLong")
    return Area(found.value, found.se, *found.ci_exact, "exact")


def comparison(compared: pd.DataFrame, a: str, b: str) -> Comparison:
    """Compare two predictors on the same patients."""
    columns = {p.key: p.column for p in PREDICTORS}
    test: DelongTest = delong_test(compared["poor_outcome"].astype(bool), compared[columns[a]], compared[columns[b]])
    return Comparison(a, b, test.difference, *test.ci, finite(test.z), test.p, test.n)


def center_row(compared: pd.DataFrame, code: str) -> CenterRow:
    """Return a center's AUCs, or why there are none."""
    outcome = compared["poor_outcome"].astype(bool)
    problem = problem_of(outcome)
    areas = {} if problem else {p.key: area_of(outcome, compared[p.column]) for p in PREDICTORS}
    return CenterRow(code, len(compared), int(outcome.sum()), problem, areas)


def finite(value: float) -> float | None:
    """Return the number, or None where it is infinite or not defined."""
    return value if math.isfinite(value) else None
