"""Splits: whole patients, all strata, drawn once."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.errors import MLError
from ml.training import Case, Fold, Splits, TrainingConfig, make_splits
from ml.training.splits import Leak, leak_report, load_or_make_splits


def make_cases(n: int, *, centers: int = 5, poor: float = 0.64, scans: int = 1, seed: int = 0) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        Case(
            id=f"S{number}-{scan}",
            patient=f"P{number}",
            center=f"C{number % centers}",
            label=int(number * 37 % 100 < 100 * poor),
            image=f"{number}-{scan}.npy",
            image_sha256=hashlib.sha256(f"{number}-{scan}".encode()).hexdigest(),
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


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(40, 150),
    centers=st.integers(1, 9),
    poor=st.floats(0.3, 0.7),
    scans=st.integers(1, 3),
    folds=st.integers(2, 6),
    seed=st.integers(0, 10),
)
def test_no_leak_and_each_stratum_dealt_within_one_patient(n: int, folds: int, seed: int, **cohort: Any) -> None:
    cases = make_cases(n, seed=seed, **cohort)
    splits = make_splits(cases, TrainingConfig(folds=folds, seed=seed, test_fraction=0.2))
    assert leak_report(splits, cases) == []
    first = {case.id: case for case in cases if case.id.endswith("-0")}
    held_out = [[first[case] for case in fold.held_out if case in first] for fold in splits.folds]
    assert_even(len(part) for part in held_out)
    for label in (0, 1):
        assert_even(sum(case.label == label for case in part) for part in held_out)
        sizes = Counter(case.center for part in held_out for case in part if case.label == label)
        # Centers with fewer patients than folds are pooled.
        for center in sizes if min(sizes.values()) >= folds else ():
            assert_even(sum((case.label, case.center) == (label, center) for case in part) for part in held_out)


def assert_even(counts: Iterable[int]) -> None:
    dealt = list(counts)
    assert max(dealt) - min(dealt) <= 1


@settings(max_examples=20, deadline=None)
@given(n=st.integers(60, 120), centers=st.integers(2, 5), scans=st.integers(1, 2), test=st.sampled_from([0.0, 0.2]))
def test_each_center_is_held_out_by_a_model_that_never_saw_it(n: int, centers: int, scans: int, test: float) -> None:
    cases = {case.id: case for case in make_cases(n, centers=centers, scans=scans, poor=0.5)}
    splits = make_splits(list(cases.values()), TrainingConfig(scheme="center", test_fraction=test))
    assert leak_report(splits, list(cases.values())) == []
    assert len(splits.folds) == centers
    for number, fold in enumerate(splits.folds):
        assert {cases[case].center for case in fold.held_out} == {f"C{number}"}
        assert f"C{number}" not in {cases[case].center for case in (*fold.fit, *fold.validation)}
    everyone = [case for fold in splits.folds for case in fold.held_out] + list(splits.test)
    assert sorted(everyone) == sorted(cases)


def test_a_center_too_small_to_be_held_out_is_refused() -> None:
    config = TrainingConfig(scheme="center", test_fraction=0.0)
    cases = make_cases(60, centers=3)
    lonely = cases[0].model_copy(update={"id": "S", "patient": "P", "center": "C9"})
    with pytest.raises(MLError, match=r"1 of 4 have fewer\. Give small centers one name") as caught:
        make_splits([*cases, lonely], config)
    assert caught.value.code == "too_few_patients"
    with pytest.raises(MLError, match="at least two centers") as caught:
        make_splits(make_cases(60, centers=1), config)
    assert caught.value.code == "too_few_patients"


def test_a_patient_of_two_centers_cannot_be_held_out_with_either() -> None:
    cases = make_cases(60, centers=3)
    moved = cases[0].model_copy(update={"id": "S", "center": "C9"})
    assert leak_report(make_splits([*cases, moved], TrainingConfig()), [*cases, moved]) == []
    with pytest.raises(MLError) as caught:
        make_splits([*cases, moved], TrainingConfig(scheme="center"))
    assert caught.value.code == "patient_in_two_centers"


def planted(**changes: Any) -> list[Case]:
    """Six cases of six patients; ``changes`` to one of them by its id."""
    cases = make_cases(6, centers=1)
    return [case.model_copy(update=changes.get(case.id.replace("-", "_"), {})) for case in cases]


SIX = Splits(
    cases_digest="",
    test=("S0-0",),
    folds=(
        Fold(number=1, fit=("S1-0", "S2-0"), validation=("S3-0",), held_out=("S4-0", "S5-0")),
        Fold(number=2, fit=("S4-0",), validation=("S5-0",), held_out=("S1-0", "S2-0", "S3-0")),
    ),
)


def test_planted_leaks_are_found() -> None:
    assert leak_report(SIX, planted()) == []
    same_patient = planted(S2_0={"patient": "P4"})
    assert leak_report(SIX, same_patient) == [Leak(kind="patient", cases=("S2-0", "S4-0"), folds=(1, 2))]
    in_the_test = planted(S0_0={"patient": "P3"})
    assert leak_report(SIX, in_the_test) == [Leak(kind="patient", cases=("S0-0", "S3-0"), folds=(1, 2))]
    same_image = planted(S4_0={"image_sha256": "a" * 64}, S5_0={"image_sha256": "a" * 64})
    assert leak_report(SIX, same_image) == [Leak(kind="image", cases=("S4-0", "S5-0"), folds=(2,))]


def test_a_case_that_is_not_held_out_once_is_found() -> None:
    twice = SIX.model_copy(update={"folds": (SIX.folds[0], SIX.folds[0].model_copy(update={"number": 2}))})
    assert leak_report(twice, planted()) == [
        *(Leak(kind="held_out", cases=(f"S{number}-0",), folds=()) for number in (1, 2, 3)),
        *(Leak(kind="held_out", cases=(f"S{number}-0",), folds=(1, 2)) for number in (4, 5)),
    ]
    tested = SIX.model_copy(update={"test": ("S0-0", "S5-0")})
    kinds = {leak.kind for leak in leak_report(tested, planted())}
    assert kinds == {"patient", "image", "held_out"}


def test_splits_with_a_leak_are_refused_and_the_leak_written_down(tmp_path: Path) -> None:
    cases = make_cases(100)
    load_or_make_splits(tmp_path / "splits.json", cases, TrainingConfig())
    assert json.loads((tmp_path / "leaks.json").read_text()) == []
    again = tmp_path / "again"
    doubled = [cases[0], cases[1].model_copy(update={"image_sha256": cases[0].image_sha256}), *cases[2:]]
    with pytest.raises(MLError, match=r"1 found, listed in leaks\.json") as caught:
        load_or_make_splits(again / "splits.json", doubled, TrainingConfig(folds=20, test_fraction=0))
    assert caught.value.code == "leak"
    (leak,) = json.loads((again / "leaks.json").read_text())
    assert (leak["kind"], leak["cases"]) == ("image", sorted([cases[0].id, cases[1].id]))


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
