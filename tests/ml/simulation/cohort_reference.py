"""The published tables as tests read them, and the rule for "within sampling error".

Rule. Each published figure gives one or two exact binomial tests of the simulated cohort against it, and none may be
significant at 1 % divided by the number of tests (Bonferroni):

- a rate: the count has to lie between the tails of Binomial(n, published rate);
- a quartile q at level p: no more patients below q, and no fewer at or below q, than Binomial(n, p) allows. This is the
  order-statistic interval of the quantile, and right for values with ties.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binom

from ml.simulation.cohort_pool import ich_gs_scores, ich_scores

REFERENCE = Path(__file__).parents[2] / "reference"

# Names of Table 1 that differ from the case report form.
_COLUMNS = {"onset_to_ct": "onset_to_ct_hours", "hematoma_volume": "hematoma_volume_ml"}
# Printed as median 2 (2.5-4), which no distribution has.
_IMPOSSIBLE = {("onset_to_ct", "poor")}


class Finding(NamedTuple):
    """One exact test: what was compared, and the chance of a count at least as far out on that side."""

    label: str
    chance: float


def with_scores(patients: pd.DataFrame) -> pd.DataFrame:
    """Add the scores and the yes/no columns of Table 1 that the form keeps as choices."""
    return patients.assign(
        ich_score=ich_scores(patients),
        ich_gs=ich_gs_scores(patients),
        male=patients["sex"] == "male",
        **{f"treatment_{arm}": patients["treatment"] == arm for arm in ("cmt", "cc", "mia")},
    )


def outside_sampling_error(patients: pd.DataFrame) -> list[Finding]:
    """Return the published figures from which the cohort differs by more than chance."""
    scored = with_scores(patients)
    findings = [*_table_1(scored), *_score_table(scored, "ich_score", 4), *_score_table(scored, "ich_gs", 5)]
    assert len(findings) > 250, "fewer comparisons than the tables have figures"
    return [finding for finding in findings if finding.chance < 0.01 / len(findings)]


def _table_1(patients: pd.DataFrame) -> Iterator[Finding]:
    groups = {
        "all": patients,
        "favorable": patients[~patients["poor_outcome"]],
        "poor": patients[patients["poor_outcome"]],
    }
    table = pd.read_csv(REFERENCE / "table1_baseline.csv", dtype=str)
    sizes = table.set_index("variable").loc["n", list(groups)].astype(int)
    yield from _rate("poor outcome", len(groups["poor"]), len(patients), sizes["poor"] / sizes["all"])
    for row in table[table["kind"] != "count"].to_dict("records"):
        name = row["variable"]
        for group, members in groups.items():
            values = members[_COLUMNS.get(name, name)].to_numpy()
            printed = [float(number) for number in re.findall(r"[\d.]+", row[group])]
            if row["kind"] == "count_pct":
                yield from _rate(f"{name}, {group}", int(values.sum()), len(values), printed[0] / sizes[group])
            elif (name, group) not in _IMPOSSIBLE:
                median, lower, upper = printed
                for level, quartile in ((0.25, lower), (0.5, median), (0.75, upper)):
                    yield from _quartile(f"{name} at {level}, {group}", values, quartile, level)


def _score_table(patients: pd.DataFrame, score: str, number: int) -> Iterator[Finding]:
    table = pd.read_csv(REFERENCE / f"table{number}_{score}.csv")
    assert set(patients[score]) <= set(table["score"]), "a score value that the study never saw"
    for row in table.itertuples():
        outcomes = patients.loc[patients[score] == row.score, "poor_outcome"]
        yield from _rate(f"{score} is {row.score}", len(outcomes), len(patients), row.n / table["n"].sum())
        yield from _rate(f"poor at {score} {row.score}", int(outcomes.sum()), len(outcomes), row.poor / row.n)


def _rate(label: str, count: int, n: int, rate: float) -> Iterator[Finding]:
    yield Finding(f"{label}: {count} of {n} too few for {rate:.4f}", float(binom.cdf(count, n, rate)))
    yield Finding(f"{label}: {count} of {n} too many for {rate:.4f}", float(binom.sf(count - 1, n, rate)))


def _quartile(label: str, values: np.ndarray, quartile: float, level: float) -> Iterator[Finding]:
    below, reached, n = int((values < quartile).sum()), int((values <= quartile).sum()), len(values)
    yield Finding(f"{label}: {below} of {n} below {quartile}", float(binom.sf(below - 1, n, level)))
    yield Finding(f"{label}: only {reached} of {n} up to {quartile}", float(binom.cdf(reached, n, level)))
