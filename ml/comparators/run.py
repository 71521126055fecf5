"""The comparators of a finished run: trained on its folds, tested against its networks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ml.comparators.methods import COMPARATORS, Comparator, Labels, Matrix, Settings, choose
from ml.errors import MLError
from ml.training.config import TrainingConfig
from ml.training.encoder import ClinicalEncoder
from ml.training.evaluation import compare_all, figures_of, read_predictions, write_predictions
from ml.training.files import write_json
from ml.training.manifest import Case, Feature, read_manifest
from ml.training.model_card import ModelCard
from ml.training.splits import Fold, load_or_make_splits

_PREFIX = "comparators_"


@dataclass(frozen=True)
class _Result:
    """One comparator on one fold: P(poor outcome) by case id, and the settings that were chosen for it."""

    held_out: dict[str, float]
    test: dict[str, float]
    settings: Settings


def run_comparators(manifest_path: Path | str, run_dir: Path | str, config: TrainingConfig) -> dict[str, Any]:
    """Train logistic regression, random forest and multilayer perceptron on the clinical record, fold by fold.

    They get what the networks get: the same features, encoded by statistics of the same fit patients, and the same
    splits. The validation patients, who stop the networks, choose a comparator's settings and then join its training.

    Parameters
    ----------
    manifest_path, config
        Those of the run.
    run_dir
        A finished run; gets ``comparators_oof.csv`` and ``comparators_test.csv`` (columns as ``oof.csv`` and
        ``test.csv``, the comparator's name as ``arm``) and ``comparators.json``.

    Returns
    -------
    dict
        The content of ``comparators.json``. ``arms``: for each comparator the figures of
        :func:`ml.training.evaluate_run`, and for each fold the ``settings`` that were chosen; ``comparisons``: for
        ``oof`` and ``test`` a list of DeLong's paired tests, each arm of the run minus each comparator.

    Raises
    ------
    MLError
        ``no_model``: the run is not finished; ``other_run``: manifest or configuration are not the run's;
        ``no_features``; ``no_predictions``, ``bad_manifest``, ``bad_splits``, ``leak``, ``bad_clinical_value``,
        ``damaged_file``.
    """
    manifest, folder = read_manifest(manifest_path), Path(run_dir)
    card = ModelCard.read(folder)
    if card.config != config or card.manifest_digest != manifest.digest():
        raise MLError(
            "other_run", "The run folder holds a run with another configuration or other cases; choose its own."
        )
    if not card.features:
        raise MLError(
            "no_features", "The run has no clinical features, so there is nothing to compare; choose another."
        )
    cases = {case.id: case for case in manifest.cases}
    splits = load_or_make_splits(folder / "splits.json", manifest.cases, config)
    results = {
        (name, number): result
        for number, fold in enumerate(splits.folds, start=1)
        for name, result in _fold(fold, splits.test, cases, card.features, (config.seed + number) % 2**32).items()
    }
    write_predictions(folder, cases, results, _PREFIX)
    metrics = _evaluate(folder)
    for (name, number), result in results.items():
        metrics["arms"][name]["folds"][number - 1]["settings"] = result.settings
    write_json(folder / "comparators.json", metrics)
    return metrics


def _fold(
    fold: Fold, test: tuple[str, ...], cases: dict[str, Case], features: tuple[Feature, ...], seed: int
) -> dict[Comparator, _Result]:
    encoder = ClinicalEncoder.fit(features, [cases[case].clinical for case in fold.fit])

    def encoded(ids: tuple[str, ...]) -> Matrix:
        return encoder.transform([cases[case].clinical for case in ids]).astype(np.float64)

    def learned(ids: tuple[str, ...]) -> tuple[Matrix, Labels]:
        return encoded(ids), np.array([cases[case].label for case in ids], dtype=np.int64)

    def predicted(model: Any, ids: tuple[str, ...]) -> dict[str, float]:
        return dict(zip(ids, model.predict_proba(encoded(ids))[:, 1].tolist(), strict=True)) if ids else {}

    results = {}
    for name in COMPARATORS:
        settings, model = choose(name, learned(fold.fit), learned(fold.validation), seed)
        results[name] = _Result(predicted(model, fold.held_out), predicted(model, test), settings)
    return results


def _evaluate(folder: Path) -> dict[str, Any]:
    oof, test = read_predictions(folder, _PREFIX)
    net_oof, net_test = read_predictions(folder)
    pairs = [(str(net), name) for net in net_oof["arm"].drop_duplicates() for name in COMPARATORS]
    return {
        "arms": figures_of(oof, test),
        "comparisons": {
            "oof": compare_all(pd.concat((net_oof, oof)), pairs),
            "test": compare_all(pd.concat((net_test, test)), pairs),
        },
    }
