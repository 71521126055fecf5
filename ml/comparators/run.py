"""The comparators of a finished run: trained on its folds, tested against its networks."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ml.comparators.methods import Comparator, Part, Settings, choose, repeatable, train
from ml.comparators.scores import points_of
from ml.comparators.tables import Learn, tables_of
from ml.errors import MLError
from ml.training.config import TrainingConfig
from ml.training.evaluation import compare_all, figures_of, read_predictions, write_predictions
from ml.training.files import write_json
from ml.training.manifest import Case, read_manifest
from ml.training.model_card import ModelCard
from ml.training.splits import Fold, Splits, load_or_make_splits

RESULT = "comparators.json"
_PREFIX = "comparators_"


@dataclass(frozen=True)
class _Result:
    """One comparator on one outer fold: what it says by case id, and the settings that were chosen for it."""

    held_out: dict[str, float]
    test: dict[str, float]
    settings: Settings


_Results = dict[tuple[str, int], _Result]


def run_comparators(manifest_path: Path | str, run_dir: Path | str, config: TrainingConfig) -> dict[str, Any]:
    """Hold a run's networks against plain models and clinical scores, on the run's own splits.

    Logistic regression, random forest and multilayer perceptron learn from the clinical record with the features that
    the networks get, ``hematoma_forest`` from shape and density of the hematoma. The validation patients, who stop the
    networks, choose a model's settings: those with the lowest Brier score, its mean where an outer fold has several
    inner ones. One model is then trained on all patients outside the outer fold.

    A clinical score takes part where it is known for every case, with its points over their maximum for a probability
    (one less that where more points are better). It is none, but AUC and DeLong's test see the order only.

    What the cases do not have (clinical features, hematomas, scores) and what cannot be trained is left out. Of a model
    that was compared before, the stored comparison is returned: a worker that is killed afterwards repeats nothing.

    Parameters
    ----------
    manifest_path, config
        Those of the run.
    run_dir
        A finished run; gets ``comparators_oof.csv`` and ``comparators_test.csv`` (columns as :func:`write_predictions`
        says, the comparator's name or the score's key as ``arm``) and ``comparators.json``.

    Returns
    -------
    dict
        The content of ``comparators.json``. ``arms``: for each comparator the figures of
        :func:`ml.training.evaluate_run`, and for each outer fold the ``settings`` that were chosen; ``comparisons``:
        for ``oof`` and ``test`` a list of DeLong's paired tests, each arm of the run minus each comparator;
        ``left_out``: the comparators that could not be trained; ``model``: digest of the run's model.

    Raises
    ------
    MLError
        ``no_model``: the run is not finished; ``other_run``: manifest or configuration are not the run's;
        ``no_predictions``, ``bad_manifest``, ``bad_splits``, ``leak``, ``damaged_file``.
    """
    manifest, folder = read_manifest(manifest_path), Path(run_dir)
    card = ModelCard.read(folder)
    if card.config != config or card.manifest_digest != manifest.digest():
        raise MLError(
            "other_run", "The run folder holds a run with another configuration or other cases; choose its own."
        )
    if stored := _stored(folder, card):
        return stored
    cases = {case.id: case for case in manifest.cases}
    splits = load_or_make_splits(folder / "splits.json", manifest.cases, config)
    tables = tables_of(cases, card.features)
    with repeatable():
        results = _models(tables, splits, cases, config.seed)
    results |= _scores(splits, cases)
    write_predictions(folder, cases, results, _PREFIX)
    metrics = _evaluate(folder)
    for name, figures in metrics["arms"].items():
        for fold in figures["folds"]:
            fold["settings"] = results[name, fold["fold"]].settings
    metrics["left_out"] = [name for name in tables if name not in metrics["arms"]]
    metrics["model"] = card.digest
    write_json(folder / RESULT, metrics)
    return metrics


def _stored(folder: Path, card: ModelCard) -> dict[str, Any] | None:
    """Return the comparison of this very model, if it was finished: its file is written last."""
    path = folder / RESULT
    metrics: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    return metrics if metrics.get("model") == card.digest else None


def _models(tables: Mapping[Comparator, Learn], splits: Splits, cases: Mapping[str, Case], seed: int) -> _Results:
    results: _Results = {}
    for name, learn in tables.items():
        try:
            own: _Results = {
                (name, number): _model(name, learn, inner, splits.test, cases, (seed + number) % 2**32)
                for number, inner in splits.outer.items()
            }
        except ValueError:  # of scikit-learn, or our own
            continue
        results |= own
    return results


def _model(
    name: Comparator, learn: Learn, inner: Sequence[Fold], test: Sequence[str], cases: Mapping[str, Case], seed: int
) -> _Result:
    def labels(ids: Sequence[str]) -> Any:
        return np.array([cases[case].label for case in ids], dtype=np.int64)

    def parts(fold: Fold) -> tuple[Part, Part]:
        encode = learn(fold.fit)
        return (encode(fold.fit), labels(fold.fit)), (encode(fold.validation), labels(fold.validation))

    settings = choose(name, [parts(fold) for fold in inner], seed)
    known = inner[0].fit + inner[0].validation
    encode = learn(known)
    model = train(name, settings, (encode(known), labels(known)), seed)

    def predicted(ids: Sequence[str]) -> dict[str, float]:
        return dict(zip(ids, model.predict_proba(encode(ids))[:, 1].tolist(), strict=True)) if ids else {}

    return _Result(predicted(inner[0].held_out), predicted(test), settings)


def _scores(splits: Splits, cases: Mapping[str, Case]) -> _Results:
    return {
        (key, number): _Result(
            {case: points[case] for case in inner[0].held_out}, {case: points[case] for case in splits.test}, {}
        )
        for key, points in points_of(cases).items()
        for number, inner in splits.outer.items()
    }


def _evaluate(folder: Path) -> dict[str, Any]:
    oof, test = read_predictions(folder, _PREFIX)
    net_oof, net_test = read_predictions(folder)
    nets, plain = (table["arm"].drop_duplicates().tolist() for table in (net_oof, oof))
    pairs = [(net, name) for net in nets for name in plain]
    return {
        "arms": figures_of(oof, test),
        "comparisons": {
            "oof": compare_all(pd.concat((net_oof, oof)), pairs),
            "test": compare_all(pd.concat((net_test, test)), pairs),
        },
    }
