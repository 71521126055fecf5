"""Calibration intercept, slope and their standard errors equal those of R's glm; the Brier score its definition."""

import csv
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.statistics import StatisticsError, calibration

SCRIPT = """
folder <- commandArgs(trailingOnly = TRUE)[1]
data <- read.csv(file.path(folder, "case.csv"))
data$l <- qlogis(data$p)
large <- glm(y ~ 1, offset = l, family = binomial, data = data, control = list(epsilon = 1e-14))
slope <- glm(y ~ l, family = binomial, data = data, control = list(epsilon = 1e-14))
out <- c(coef(summary(large))[1, 1:2], coef(summary(slope))[2, 1:2])
writeLines(sprintf("%.17g", out), file.path(folder, "answer.txt"))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "n", "stretch", "shift"), [(1, 60, 1.0, 0.0), (2, 400, 2.0, 0.7), (3, 37, 0.4, -1.0)])
def test_as_in_r(tmp_path: Path, seed: int, n: int, stretch: float, shift: float) -> None:
    rscript = shutil.which("Rscript")
    if rscript is None:
        pytest.skip("R is not installed; `make system` installs it.")
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-truth))).astype(int)
    p = 1 / (1 + np.exp(-(stretch * truth + shift)))
    with (tmp_path / "case.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("y", "p"), *((a, repr(float(b))) for a, b in zip(y, p, strict=True))])
    (tmp_path / "script.R").write_text(SCRIPT)
    subprocess.run([rscript, tmp_path / "script.R", tmp_path], check=True, timeout=60)
    intercept, intercept_se, slope, slope_se = map(float, (tmp_path / "answer.txt").read_text().split())
    found = calibration(y, p)
    assert (found.intercept, found.slope) == pytest.approx((intercept, slope), abs=1e-8)
    assert found.intercept_ci == pytest.approx(
        (intercept - 1.959964 * intercept_se, intercept + 1.959964 * intercept_se)
    )
    assert found.slope_ci == pytest.approx((slope - 1.959964 * slope_se, slope + 1.959964 * slope_se))
    assert found.brier == pytest.approx(float(np.mean((p - y) ** 2)))
    assert (found.n, found.n_poor) == (n, int(y.sum()))


def test_by_hand() -> None:
    """Half of those told 50 % have it, three of four told 80 %: p = 1/2 everywhere moved by log odds."""
    y = [1, 0, 1, 1, 1, 0, 0, 1]
    p = [0.5] * 2 + [0.8] * 4 + [0.5] * 2
    # Two groups: the fitted line goes through their observed log odds, 0 and ln 3, at 0 and ln 4.
    assert calibration(y, p).slope == pytest.approx(np.log(3) / np.log(4))


@pytest.mark.parametrize(
    ("y", "p", "code"),
    [
        ([1, 1], [0.5, 0.6], "one_class"),
        ([1, 0], [0.5, 1.6], "not_a_probability"),
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], "no_estimate"),
        ([0, 1, 0, 1], [0.4, 0.4, 0.4, 0.4], "no_estimate"),
    ],
)
def test_what_has_no_calibration(y: list[int], p: list[float], code: str) -> None:
    with pytest.raises(StatisticsError) as refused:
        calibration(y, p)
    assert refused.value.code == code


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2, max_size=30))
def test_any_data_give_finite_figures_or_a_sentence(rows: list[tuple[bool, float]]) -> None:
    try:
        found = calibration([y for y, _ in rows], [p for _, p in rows])
    except StatisticsError:
        return
    assert np.isfinite([found.intercept, found.slope, found.brier, *found.slope_ci, *found.intercept_ci]).all()
