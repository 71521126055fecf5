"""AUC, its variance and interval, and the paired test equal those of R's pROC (Robin, BMC Bioinformatics 2011)."""

import csv
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.statistics import auc, delong_test

pytestmark = pytest.mark.slow

# The direction is given, since pROC would otherwise turn a curve below the diagonal round.
SCRIPT = """
suppressPackageStartupMessages(library(pROC))
folder <- commandArgs(trailingOnly = TRUE)[1]
out <- NULL
for (path in list.files(folder, pattern = "^case.*csv$", full.names = TRUE)) {
  data <- read.csv(path)
  a <- roc(data$y, data$a, levels = c(0, 1), direction = "<", quiet = TRUE)
  b <- roc(data$y, data$b, levels = c(0, 1), direction = "<", quiet = TRUE)
  interval <- ci.auc(a, method = "delong")
  test <- roc.test(a, b, method = "delong", paired = TRUE, alternative = "two.sided")
  out <- rbind(out, data.frame(
    case = sub("[.]csv$", "", basename(path)), auc_a = as.numeric(auc(a)), auc_b = as.numeric(auc(b)),
    variance = var(a, method = "delong"), low = interval[1], high = interval[3],
    z = unname(test$statistic), p = test$p.value, diff_low = test$conf.int[1], diff_high = test$conf.int[2]))
}
out[-1] <- lapply(out[-1], function(x) sprintf("%.17g", x))
write.csv(out, file.path(folder, "answers.csv"), row.names = FALSE, quote = FALSE)
"""

Case = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]
EXACT = 1e-8


def draw(seed: int, n: int, prevalence: float, effect: float, digits: int) -> Case:
    """Two correlated scores; rounding to few digits makes ties within and between the classes."""
    random = np.random.default_rng(seed)
    y = (np.arange(n) < max(2, round(prevalence * n))).astype(np.int64)
    random.shuffle(y)
    shared = random.normal(size=n)
    a = np.round(effect * y + shared + random.normal(size=n), digits)
    b = np.round(0.7 * effect * y + shared + random.normal(size=n), digits)
    return y, a, b


CASES: dict[str, Case] = {
    "case_continuous": draw(1, 300, 0.5, 1.0, 12),
    "case_ties": draw(2, 300, 0.4, 1.0, 1),
    "case_many_ties": draw(3, 500, 0.64, 1.2, 0),
    "case_rare": draw(4, 400, 0.01, 1.0, 1),
    "case_common": draw(5, 400, 0.97, 1.0, 1),
    "case_below_the_diagonal": draw(6, 200, 0.5, -1.0, 1),
    "case_no_effect": draw(7, 200, 0.5, 0.0, 1),
    "case_cohort": draw(8, 2000, 0.64, 1.3, 1),
    "case_tiny": draw(9, 8, 0.5, 0.8, 1),
    "case_two_against_three": (
        np.array([1, 1, 0, 0, 0]),
        np.array([2.0, 3.0, 1.0, 2.0, 4.0]),
        np.array([5.0, 1.0, 1.0, 2.0, 3.0]),
    ),
    "case_near_perfect": draw(10, 60, 0.5, 6.0, 1),
    "case_huge_values": tuple(x * 1e12 if i else x for i, x in enumerate(draw(11, 100, 0.3, 1.0, 1))),  # type: ignore[dict-item]
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    rscript = shutil.which("Rscript")
    if rscript is None:
        pytest.skip("Rscript is not installed (Debian: r-base-core)")
    installed = subprocess.run([rscript, "-e", "stopifnot(requireNamespace('pROC', quietly = TRUE))"], check=False)
    if installed.returncode:
        pytest.skip("R's pROC is not installed (Debian: r-cran-proc)")
    folder: Path = tmp_path_factory.mktemp("proc")
    for name, columns in CASES.items():
        rows = zip(*(column.tolist() for column in columns), strict=True)
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("y", "a", "b"), *rows])
    (folder / "compare.R").write_text(SCRIPT)
    subprocess.run([rscript, "--vanilla", str(folder / "compare.R"), str(folder)], check=True, timeout=300)
    with (folder / "answers.csv").open(newline="") as file:
        return {row.pop("case"): {name: float(figure) for name, figure in row.items()} for row in csv.DictReader(file)}


@pytest.mark.parametrize("name", CASES)
def test_auc_and_its_uncertainty_equal_proc(name: str, answers: dict[str, dict[str, float]]) -> None:
    y, a, b = CASES[name]
    expected = answers[name]
    ours = auc(y, a)
    assert ours.value == pytest.approx(expected["auc_a"], abs=EXACT)
    assert auc(y, b).value == pytest.approx(expected["auc_b"], abs=EXACT)
    assert ours.se**2 == pytest.approx(expected["variance"], abs=EXACT)
    assert ours.ci_delong == pytest.approx((expected["low"], expected["high"]), abs=EXACT)


@pytest.mark.parametrize("name", CASES)
def test_paired_delong_test_equals_proc(name: str, answers: dict[str, dict[str, float]]) -> None:
    expected = answers[name]
    ours = delong_test(*CASES[name])
    assert ours.difference == pytest.approx(expected["auc_a"] - expected["auc_b"], abs=EXACT)
    assert ours.z == pytest.approx(expected["z"], abs=EXACT)
    assert ours.p == pytest.approx(expected["p"], abs=EXACT)
    # A difference of two AUCs lies in [-1, 1]; pROC lets the interval of a tiny sample run beyond.
    clipped = np.clip([expected["diff_low"], expected["diff_high"]], -1, 1).tolist()
    assert ours.ci == pytest.approx(tuple(clipped), abs=EXACT)
