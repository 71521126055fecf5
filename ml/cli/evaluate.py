"""``evaluate``: the figures of a finished run, computed again from its predictions."""

import argparse
import json
from pathlib import Path
from typing import Any

HELP = "Compute AUCs, intervals and DeLong's test of a finished run from its predictions."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="folder of a finished training run")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """Print the figures."""
    from ml.training.evaluation import evaluate_run

    metrics = evaluate_run(options.run_dir)
    if options.json:
        print(json.dumps(metrics))
    else:
        show(metrics)


def show(metrics: dict[str, Any]) -> None:
    """Print figures by arm, then the tests of arms against each other."""
    width = max(map(len, metrics["arms"]))
    for arm, figures in metrics["arms"].items():
        print(
            f"{arm:{width}}  out of fold  {_line(figures['oof'])}\n{'':{width}}  test         {_line(figures['test'])}"
        )
    for part, title in (("oof", "out of fold"), ("test", "test")):
        for test in metrics["comparisons"][part]:
            pair = f"{test['a']} - {test['b']}, {title}"
            print(f"{pair}: {test['difference']:+.3f}, DeLong P = {test['p']:.3g}, n = {test['n']}")


def _line(figures: dict[str, Any]) -> str:
    counts = f"n = {figures['n']} ({figures['n_poor']} poor)"
    if figures["auc"] is None:
        return f"AUC not defined, {counts}"
    interval = figures["ci_delong"] or figures["ci_exact"]
    return f"AUC {figures['auc']:.3f} (95 % CI {interval[0]:.3f}-{interval[1]:.3f}), {counts}"
