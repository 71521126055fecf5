"""``train``: nested cross-validation."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ml.training import Event

HELP = (
    "Train and validate the models by nested cross-validation; run again to continue after an interruption. "
    "On several GPUs: torchrun --nproc-per-node N -m ml train ..."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("manifest", type=Path, metavar="MANIFEST", help="manifest of a cohort snapshot (JSON)")
    parser.add_argument(
        "--run-dir", type=Path, required=True, metavar="DIR", help="gets models, predictions and figures"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--config", type=Path, metavar="FILE.json", help="settings; what is left out is the study's")
    which.add_argument("--small", action="store_true", help="the small-image settings, for a trial without a GPU")
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda, cuda:1, ...; by default CUDA where there is one")


def run(options: argparse.Namespace) -> None:
    """Train; progress goes to stderr, the figures to stdout as JSON.

    Started by ``torchrun``, its processes share each batch, and the first one speaks for all.
    """
    from ml.training import TrainingConfig, distributed, read_config, run_cross_validation

    config = TrainingConfig.small() if options.small else TrainingConfig()
    if options.config:
        config = read_config(options.config)
    with distributed.joined(options.device) as device:
        metrics = run_cross_validation(options.manifest, options.run_dir, config, _report, device=device)
        if distributed.leads():
            print(json.dumps(metrics, indent=1))


def _report(event: "Event") -> None:
    if event.stage == "verify" and event.progress > 0:
        return
    parts = [f"{event.progress:4.0%}", event.stage]
    parts += [f"{event.arm} fold {event.fold}-{event.inner}"] if event.arm else []
    parts += [f"epoch {event.epoch}"] if event.epoch else []
    parts += [f"loss {event.loss:.4f}"] if event.loss is not None else []
    parts += [f"AUC {event.auc:.3f}"] if event.auc is not None else []
    parts += [event.sentence] if event.sentence else []
    print("  ".join(parts), file=sys.stderr, flush=True)
