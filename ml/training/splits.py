"""Who trains, who stops the training, who is predicted: drawn once, by patient, and written down."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from sklearn.model_selection import StratifiedKFold, train_test_split

from ml.errors import MLError
from ml.training.config import TrainingConfig
from ml.training.files import write_text
from ml.training.manifest import Case


class Fold(BaseModel):
    """Case ids of one outer fold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fit: tuple[str, ...]
    validation: tuple[str, ...]
    held_out: tuple[str, ...]


class Splits(BaseModel):
    """The test split and the folds."""

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
        if sum(len(fold.held_out) for fold in self.folds) != len(everyone) or everyone & set(self.test):
            raise ValueError("a case is held out twice")
        return self


def make_splits(cases: Sequence[Case], config: TrainingConfig) -> Splits:
    """Draw test split, outer folds and inner validation, stratified by outcome and center, whole patients only.

    A patient counts as poor if any of his cases is. Patients of a center with too few of one outcome are pooled across
    centers for that outcome.

    Raises
    ------
    MLError
        ``too_few_patients``: an outcome has fewer patients than the parts that each need one.
    """
    strata = _patient_strata(cases)
    patients = sorted(strata)
    test: list[str] = []
    if config.test_fraction > 0:
        patients, test = _divide(patients, strata, config.test_fraction, config.seed)
    _need(strata, patients, config.folds)
    labels = _pooled(patients, strata, config.folds)
    folding = StratifiedKFold(config.folds, shuffle=True, random_state=config.seed)
    folds = []
    for number, (rest, held_out) in enumerate(folding.split(patients, labels)):
        training = [patients[index] for index in rest]
        fit, validation = _divide(training, strata, config.validation_fraction, config.seed + 1 + number)
        folds.append(
            Fold(
                fit=_ids(cases, fit),
                validation=_ids(cases, validation),
                held_out=_ids(cases, [patients[index] for index in held_out]),
            )
        )
    splits = Splits(cases_digest=_digest(cases), test=_ids(cases, test), folds=tuple(folds))
    check_patients(splits, cases)
    return splits


def load_or_make_splits(path: Path, cases: Sequence[Case], config: TrainingConfig) -> Splits:
    """Read the splits of a run, or draw and write them.

    Raises
    ------
    MLError
        ``bad_splits``: the file is damaged, or was drawn for other cases, or divides a patient.
    """
    if not path.exists():
        splits = make_splits(cases, config)
        write_text(path, splits.model_dump_json(indent=1))
        return splits
    try:
        splits = Splits.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise MLError("bad_splits", "The file of splits in the run folder is damaged; start a new run.") from error
    if splits.cases_digest != _digest(cases):
        raise MLError("bad_splits", "The run folder's splits were drawn for other cases; start a new run.")
    check_patients(splits, cases)
    return splits


def check_patients(splits: Splits, cases: Sequence[Case]) -> None:
    """Make sure that no patient is in two parts that must not know of each other.

    Raises
    ------
    MLError
        ``bad_splits``
    """
    patient = {case.id: case.patient for case in cases}
    for fold in splits.folds:
        parts = [{patient[case] for case in part} for part in (fold.fit, fold.validation, fold.held_out, splits.test)]
        if sum(map(len, parts)) != len(set().union(*parts)):
            raise MLError("bad_splits", "A patient is in two parts of the splits; start a new run.")


def _patient_strata(cases: Sequence[Case]) -> dict[str, tuple[int, str]]:
    strata: dict[str, tuple[int, str]] = {}
    for case in cases:
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
