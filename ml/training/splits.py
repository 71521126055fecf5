"""Who trains, who stops the training, who is predicted: drawn once, by patient, and written down."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sklearn.model_selection import StratifiedKFold, train_test_split

from ml.errors import MLError
from ml.training.config import Arm, TrainingConfig
from ml.training.files import write_json, write_text
from ml.training.manifest import Case


class CellKey(NamedTuple):
    """One cell of the grid: one network to be trained."""

    arm: Arm
    fold: int
    """Outer fold, from 1."""
    inner: int = 1
    """Inner fold, from 1."""


class Fold(BaseModel):
    """Case ids of one fold: who trains, who stops the training, who is held out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=1)
    """Of the outer fold; all of its inner folds hold out the same cases."""
    inner: int = Field(default=1, ge=1)
    fit: tuple[str, ...]
    validation: tuple[str, ...]
    held_out: tuple[str, ...]

    @property
    def name(self) -> str:
        """``<outer>-<inner>``, as in file names."""
        return f"{self.number}-{self.inner}"


class Splits(BaseModel):
    """The test split and the folds: each outer fold as many times as it has inner ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cases_digest: str
    test: tuple[str, ...]
    folds: tuple[Fold, ...]

    @model_validator(mode="after")
    def _check(self) -> Self:
        everyone = {case for fold in self.folds for case in fold.held_out}
        for fold in self.folds:
            parts = (fold.fit, fold.validation, fold.held_out)
            if sum(map(len, parts)) != len(everyone) or set().union(*parts) != everyone:
                raise ValueError("the parts of a fold do not make up all cases outside the test split, each once")
        if any(len({fold.held_out for fold in folds}) != 1 for folds in self.outer.values()):
            raise ValueError("the inner folds of an outer fold do not hold out the same cases")
        return self

    @property
    def outer(self) -> dict[int, tuple[Fold, ...]]:
        """The inner folds of each outer fold, by its number."""
        numbers = dict.fromkeys(fold.number for fold in self.folds)
        return {number: tuple(fold for fold in self.folds if fold.number == number) for number in numbers}


LeakKind = Literal["patient", "image", "held_out"]
_KINDS: tuple[LeakKind, ...] = ("patient", "image")


class Leak(BaseModel):
    """What one part of the splits could learn of another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: LeakKind
    """A patient in two parts; one image in two parts; a case that is not held out once (of the test split: not never).
    """
    cases: tuple[str, ...]
    folds: tuple[int, ...]
    """Outer ones, from 1: where the parts differ; for ``held_out``, where the case is held out."""


def make_splits(cases: Sequence[Case], config: TrainingConfig) -> Splits:
    """Draw test split, outer folds and inner folds, stratified by outcome and center, whole patients only.

    With one inner fold a part of the training patients is set aside for validation; with more, each of them is the
    validation part once.

    A patient counts as poor if any of his cases is. Patients of a center with too few of one outcome are pooled across
    centers for that outcome. With the scheme ``center`` each outer fold is a center, in the order of their names.

    Raises
    ------
    MLError
        ``too_few_patients``: an outcome has fewer patients than the parts that each need one, or, where centers are
        held out, a center has fewer than two of it. ``patient_in_two_centers``: neither could be held out.
    """
    strata = _patient_strata(cases)
    patients = sorted(strata)
    test: list[str] = []
    if config.scheme == "center":
        _check_centers(cases)
    if config.test_fraction > 0:
        patients, test = _divide(patients, strata, config.test_fraction, config.seed)
    outer = _centers(patients, strata)
    if config.scheme == "random":
        outer = _random_folds(patients, strata, config.folds, config.seed)
    folds = [
        Fold(
            number=number,
            inner=inner,
            fit=_ids(cases, fit),
            validation=_ids(cases, validation),
            held_out=_ids(cases, held_out),
        )
        for number, (training, held_out) in enumerate(outer, start=1)
        for inner, (fit, validation) in enumerate(_inner(training, strata, config, config.seed + number), start=1)
    ]
    return Splits(cases_digest=_digest(cases), test=_ids(cases, test), folds=tuple(folds))


def load_or_make_splits(path: Path, cases: Sequence[Case], config: TrainingConfig) -> Splits:
    """Read the splits of a run as :func:`load_splits` does, after drawing and writing them where there are none.

    Raises
    ------
    MLError
        ``bad_splits``: the file is damaged, or was drawn for other cases. ``leak``: a part knows of another. Else as
        :func:`make_splits`.
    """
    if not path.exists():
        write_text(path, make_splits(cases, config).model_dump_json(indent=1))
    return load_splits(path, cases)


def load_splits(path: Path, cases: Sequence[Case]) -> Splits:
    """Read the splits of a run, and write what :func:`leak_report` finds to ``leaks.json``.

    Raises
    ------
    MLError
        ``not_prepared``: none were drawn yet. ``bad_splits`` and ``leak`` as :func:`load_or_make_splits`.
    """
    if not path.exists():
        raise MLError("not_prepared", "The run has no splits yet; prepare it first.")
    splits = _read(path)
    if splits.cases_digest != _digest(cases):
        raise MLError("bad_splits", "The run folder's splits were drawn for other cases; start a new run.")
    leaks = leak_report(splits, cases)
    write_json(path.with_name("leaks.json"), [leak.model_dump(mode="json") for leak in leaks])
    if leaks:
        raise MLError(
            "leak",
            "A patient or an image is in two parts of the splits, or a case is not held out once "
            f"({len(leaks)} found, listed in leaks.json of the run folder); correct the cohort and start a new run.",
        )
    return splits


def leak_report(splits: Splits, cases: Sequence[Case]) -> list[Leak]:
    """List the patients and images in more than one part of a fold or the test split, and the cases not held out once.

    Images are the same if their digests are: a CT that was filed under two patients is found.
    """
    groups = [(kind, group) for kind in _KINDS for group in _grouped(cases, kind)]
    held_out: dict[str, list[int]] = {case.id: [] for case in cases}
    apart: dict[tuple[LeakKind, tuple[str, ...]], list[int]] = {}
    for fold in splits.folds:
        parts = [set(part) for part in (fold.fit, fold.validation, fold.held_out, splits.test)]
        for kind, group in groups:
            if sum(not part.isdisjoint(group) for part in parts) > 1:
                apart.setdefault((kind, group), []).append(fold.number)
    for number, (first, *_others) in splits.outer.items():
        for case in first.held_out:
            held_out.setdefault(case, []).append(number)
    leaks = [Leak(kind=kind, cases=group, folds=tuple(dict.fromkeys(folds))) for (kind, group), folds in apart.items()]
    test = set(splits.test)
    wrong = {case: folds for case, folds in sorted(held_out.items()) if len(folds) != (case not in test)}
    return leaks + [Leak(kind="held_out", cases=(case,), folds=tuple(folds)) for case, folds in wrong.items()]


def _read(path: Path) -> Splits:
    try:
        return Splits.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise MLError("bad_splits", "The file of splits in the run folder is damaged; start a new run.") from error


def _grouped(cases: Sequence[Case], kind: LeakKind) -> list[tuple[str, ...]]:
    groups: dict[str, list[str]] = {}
    for case in cases:
        groups.setdefault(case.patient if kind == "patient" else case.image_sha256, []).append(case.id)
    return [tuple(sorted(groups[name])) for name in sorted(groups)]


def _check_centers(cases: Sequence[Case]) -> None:
    centers: dict[str, str] = {}
    if any(centers.setdefault(case.patient, case.center) != case.center for case in cases):
        raise MLError(
            "patient_in_two_centers",
            "A patient has CTs of two centers, so neither can be held out without knowing him; give all CTs of a "
            "patient the same center, or draw the folds at random.",
        )


def _inner(
    patients: Sequence[str], strata: Mapping[str, tuple[int, str]], config: TrainingConfig, seed: int
) -> Iterator[tuple[list[str], list[str]]]:
    if config.inner_folds == 1:
        yield _divide(patients, strata, config.validation_fraction, seed)
    else:
        for fit, validation in _random_folds(patients, strata, config.inner_folds, seed):
            yield fit, sorted(validation)


def _random_folds(
    patients: Sequence[str], strata: Mapping[str, tuple[int, str]], count: int, seed: int
) -> Iterator[tuple[list[str], list[str]]]:
    _need(strata, patients, count)
    labels = dict(zip(patients, _pooled(patients, strata, count), strict=True))
    # Strata of one outcome side by side: scikit-learn then deals the outcome as evenly as it deals each stratum.
    ordered = sorted(patients, key=lambda patient: (labels[patient], patient))
    folding = StratifiedKFold(count, shuffle=True, random_state=seed % 2**32)
    for rest, held_out in folding.split(ordered, [labels[patient] for patient in ordered]):
        yield sorted(ordered[index] for index in rest), [ordered[index] for index in held_out]


def _centers(patients: Sequence[str], strata: Mapping[str, tuple[int, str]]) -> Iterator[tuple[list[str], list[str]]]:
    members: dict[str, list[str]] = {}
    for patient in patients:
        members.setdefault(strata[patient][1], []).append(patient)
    counts = Counter(strata[patient] for patient in patients)
    # DeLong's interval of a center's AUC needs two patients of each outcome.
    small = sum(min(counts[0, center], counts[1, center]) < 2 for center in members)
    if small or len(members) < 2:
        raise MLError(
            "too_few_patients",
            "To hold out each center, at least two centers are needed, each with two patients of either outcome "
            f"outside the test split; {small} of {len(members)} have fewer. Give small centers one name before "
            "training, leave them out of the cohort, or draw the folds at random.",
        )
    for center in sorted(members):
        yield [patient for patient in patients if strata[patient][1] != center], members[center]


def _patient_strata(cases: Sequence[Case]) -> dict[str, tuple[int, str]]:
    strata: dict[str, tuple[int, str]] = {}
    for case in sorted(cases, key=lambda case: case.id):
        label, center = strata.get(case.patient, (0, case.center))
        strata[case.patient] = (max(label, case.label), center)
    return strata


def _pooled(patients: Sequence[str], strata: Mapping[str, tuple[int, str]], least: int) -> list[str]:
    """Name each patient's stratum such that every stratum has at least ``least`` patients, where that can be."""
    counts = Counter(strata[patient] for patient in patients)
    names = {key: f"{key[0]} {key[1]}" if count >= least else f"{key[0]}" for key, count in counts.items()}
    for label in (0, 1):
        own = [key for key in sorted(counts) if key[0] == label]
        small = sum(counts[key] for key in own if names[key] == f"{label}")
        if 0 < small < least and len(own) > 1:
            largest = max(own, key=lambda key: counts[key])
            names[largest] = f"{label}"
    return [names[strata[patient]] for patient in patients]


def _divide(
    patients: Sequence[str], strata: Mapping[str, tuple[int, str]], fraction: float, seed: int
) -> tuple[list[str], list[str]]:
    """Set a fraction of the patients aside; by outcome alone where there are too few for outcome and center."""
    _need(strata, patients, 2)
    size = max(2, round(len(patients) * fraction))
    labels = _pooled(patients, strata, least=int(np.ceil(1 / fraction)))
    if len(set(labels)) > min(size, len(patients) - size):
        labels = [str(strata[patient][0]) for patient in patients]
    rest, aside = train_test_split(list(patients), test_size=size, stratify=labels, random_state=seed % 2**32)
    return sorted(rest), sorted(aside)


def _need(strata: Mapping[str, tuple[int, str]], patients: Sequence[str], least: int) -> None:
    counts = Counter(strata[patient][0] for patient in patients)
    if min(counts[0], counts[1]) < least:
        raise MLError(
            "too_few_patients",
            f"Each outcome needs at least {least} patients to divide, but there are {counts[1]} with a poor and "
            f"{counts[0]} with a favorable outcome; enroll more patients or use fewer folds.",
        )


def _ids(cases: Sequence[Case], patients: Sequence[str]) -> tuple[str, ...]:
    chosen = set(patients)
    return tuple(sorted(case.id for case in cases if case.patient in chosen))


def _digest(cases: Sequence[Case]) -> str:
    rows = sorted(f"{case.id}\t{case.patient}\t{case.center}\t{case.label}" for case in cases)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()
