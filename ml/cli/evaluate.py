"""``evaluate``: the figures of a finished run, computed again from its predictions."""

import argparse
import json
from pathlib import Path
from typing import Any

from ml.errors import MLError

HELP = (
    "Compute AUCs, intervals and DeLong's test of a finished run from its predictions; of a simulated cohort also how "
    "far each model, and each comparator of `compare`, is from the best possible AUC."
)

_PARTS = (("oof", "out of fold"), ("test", "test"))
_BEST = "best_probability"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="folder of a finished training run")
    parser.add_argument("--truth", type=Path, metavar="FILE.csv", help="truth.csv of a simulated cohort")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """Print the figures."""
    from ml.training.evaluation import evaluate_run

    metrics = evaluate_run(options.run_dir)
    if options.truth:
        metrics["best_possible"] = best_possible(metrics, options.run_dir, options.truth)
    if options.json:
        print(json.dumps(metrics))
    else:
        show(metrics)
        show_best(metrics.get("best_possible", {}))


def show(metrics: dict[str, Any]) -> None:
    """Print figures by arm, then the tests of arms against each other."""
    width = max(map(len, metrics["arms"]))
    for arm, figures in metrics["arms"].items():
        for label, (part, title) in zip((arm, ""), _PARTS, strict=True):
            if figures[part]["n"]:  # else there is no test split
                print(f"{label:{width}}  {title:11}  {_line(figures[part])}")
    for part, title in _PARTS:
        for test in metrics["comparisons"][part]:
            pair = f"{test['a']} - {test['b']}, {title}"
            print(f"{pair}: {test['difference']:+.3f}, DeLong P = {test['p']:.3g}, n = {test['n']}")


def show_best(best: dict[str, Any]) -> None:
    """Print the best possible AUC and how far each model is from it."""
    for part, title in _PARTS:
        if best.get(part, {}).get("auc") is not None:
            print(f"best possible  {title}  {_line(best[part])}")
            for arm, below in best[part]["below"].items():
                print(f"  {arm}: {below:.3f} below")


def best_possible(metrics: dict[str, Any], run_dir: Path, truth: Path) -> dict[str, Any]:
    """Return the figures of the true P(poor | form, CT) on the run's patients, for ``oof`` and ``test``.

    ``below`` in each says by how much the AUC of every arm, and of every comparator where there are any, is less.

    Raises
    ------
    MLError
        ``bad_truth``: the file cannot be read, or lacks a case of the run. ``no_predictions``.
    """
    from ml.comparators.run import RESULT
    from ml.training.evaluation import figures_of, read_predictions

    known = _read_truth(truth)
    tables = []
    for predictions in read_predictions(run_dir):
        cases = predictions.drop_duplicates("id")
        if not cases["id"].isin(known.index).all():
            raise MLError("bad_truth", "The truth lacks cases of the run; use the file written with its manifest.")
        tables.append(cases.assign(arm=_BEST, probability=cases["id"].map(known)))
    figures: dict[str, Any] = figures_of(tables[0], tables[1])[_BEST]
    compared = run_dir / RESULT
    arms = metrics["arms"] | (json.loads(compared.read_bytes())["arms"] if compared.exists() else {})
    best = {}
    for part, _ in _PARTS:
        areas = {arm: own[part]["auc"] for arm, own in arms.items() if own[part]["auc"] is not None}
        best[part] = figures[part] | {"below": {arm: figures[part]["auc"] - area for arm, area in areas.items()}}
    return best


def _read_truth(path: Path) -> Any:
    import pandas as pd

    try:
        known = pd.read_csv(path, dtype={"id": str}).set_index("id")[_BEST].astype(float)
    except (OSError, ValueError, KeyError) as error:
        raise MLError("bad_truth", f"The truth cannot be read; it needs the columns id and {_BEST}.") from error
    if not known.index.is_unique:
        raise MLError("bad_truth", "The truth names a case twice; use the file written with the run's manifest.")
    return known


def _line(figures: dict[str, Any]) -> str:
    counts = f"n = {figures['n']} ({figures['n_poor']} poor)"
    if figures["auc"] is None:
        return f"AUC not defined, {counts}"
    interval = figures["ci_delong"] or figures["ci_exact"]
    return f"AUC {figures['auc']:.3f} (95 % CI {interval[0]:.3f}-{interval[1]:.3f}), {counts}"
