"""Splits: whole patients, all strata, drawn once."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.errors import MLError
from ml.training import Case, TrainingConfig, make_splits
from ml.training.splits import load_or_make_splits


def make_cases(n: int, *, centers: int = 5, poor: float = 0.64, scans: int = 1, seed: int = 0) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        Case(
            id=f"S{number}-{scan}",
            patient=f"P{number}",
            center=f"C{number % centers}",
            label=int(number * 37 % 100 < 100 * poor),
            image=f"{number}-{scan}.npy",
            image_sha256="0" * 64,
            clinical={},
        )
        for number in rng.permutation(n)
        for scan in range(scans)
    ]


def test_study_sized_cohort_is_split_as_published() -> None:
    splits = make_splits(make_cases(1990), TrainingConfig())
    assert len(splits.test) == 391
    assert sum(len(fold.held_out) for fold in splits.folds) == 1599
    assert {len(fold.held_out) for fold in splits.folds} <= {319, 320}


def test_outcome_and_center_are_spread_evenly() -> None:
    cases = {case.id: case for case in make_cases(1000)}
    splits = make_splits(list(cases.values()), TrainingConfig(test_fraction=0.2))
    whole = Counter((case.center, case.label) for case in cases.values())
    parts = [(splits.test, 0.2)] + [(fold.held_out, 0.16) for fold in splits.folds]
    parts += [(fold.validation, 0.8 * 0.8 * 0.2) for fold in splits.folds]
    for part, share in parts:
        counts = Counter((cases[case].center, cases[case].label) for case in part)
        for stratum, count in whole.items():
            assert abs(counts[stratum] - share * count) <= 1.5


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(40, 120),
    centers=st.integers(1, 12),
    poor=st.floats(0.3, 0.7),
    scans=st.integers(1, 3),
    folds=st.integers(2, 5),
    seed=st.integers(0, 10),
)
def test_no_patient_is_in_two_parts(n: int, folds: int, seed: int, **cohort: Any) -> None:
    cases = make_cases(n, seed=seed, **cohort)
    patient = {case.id: case.patient for case in cases}
    label = {case.id: case.label for case in cases}
    splits = make_splits(cases, TrainingConfig(folds=folds, seed=seed, test_fraction=0.2))
    for fold in splits.folds:
        parts = [fold.fit, fold.validation, fold.held_out, splits.test]
        people = [{patient[case] for case in part} for part in parts]
        assert sum(map(len, people)) == n
        assert len(set.union(*people)) == n
        assert sorted(case for part in parts for case in part) == sorted(patient)
        assert all({label[case] for case in part} == {0, 1} for part in parts)


def test_same_seed_same_splits_whatever_the_order_of_the_cases() -> None:
    cases = make_cases(100)
    assert make_splits(cases, TrainingConfig()) == make_splits(cases[::-1], TrainingConfig())
    assert make_splits(cases, TrainingConfig()) != make_splits(cases, TrainingConfig(seed=1))


def test_splits_are_drawn_once(tmp_path: Path) -> None:
    path = tmp_path / "splits.json"
    cases = make_cases(100)
    first = load_or_make_splits(path, cases, TrainingConfig())
    assert load_or_make_splits(path, cases, TrainingConfig(seed=9)) == first
    with pytest.raises(MLError, match="other cases"):
        load_or_make_splits(path, cases[:-1], TrainingConfig())


def test_a_file_that_lets_a_case_into_two_parts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "splits.json"
    cases = make_cases(100)
    load_or_make_splits(path, cases, TrainingConfig())
    content = json.loads(path.read_text())
    content["folds"][0]["fit"][0] = content["folds"][0]["held_out"][0]
    path.write_text(json.dumps(content))
    with pytest.raises(MLError) as caught:
        load_or_make_splits(path, cases, TrainingConfig())
    assert caught.value.code == "bad_splits"


def test_too_few_patients_of_an_outcome_are_refused() -> None:
    with pytest.raises(MLError, match="poor") as caught:
        make_splits(make_cases(20, poor=0.1), TrainingConfig())
    assert caught.value.code == "too_few_patients"
