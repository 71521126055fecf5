"""``compare``: plain models on the folds of a finished run."""

import argparse
import json
from pathlib import Path

HELP = "Hold a run's networks against clinical scores and plain models of form and hematoma, on the run's own folds."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("manifest", type=Path, metavar="MANIFEST", help="the manifest that the run was trained on")
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="folder of a finished training run")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """Print the figures."""
    from ml.cli.evaluate import show
    from ml.comparators import run_comparators
    from ml.training import ModelCard

    metrics = run_comparators(options.manifest, options.run_dir, ModelCard.read(options.run_dir).config)
    if options.json:
        print(json.dumps(metrics))
    else:
        show(metrics)
