"""The tables of the reference study (Chen 2023, doi 10.1016/j.ejrad.2023.111081), read from tests/reference."""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parents[2] / "reference"


def read_table(name: str) -> list[dict[str, str]]:
    with (FOLDER / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def patients_of(name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Outcome and score of each patient of a table that lists (score, n, poor)."""
    rows = [[int(row[column]) for column in ("score", "n", "poor")] for row in read_table(name)]
    score = np.concatenate([np.full(n, value) for value, n, _ in rows])
    outcome = np.concatenate([np.arange(n) < poor for _, n, poor in rows]).astype(np.int64)
    return outcome, score
