"""``simulate``: an artificial cohort, with CTs on request."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.errors import MLError

if TYPE_CHECKING:
    from ml.simulation import SimulatedStudy

HELP = (
    "Write a simulated cohort (cohort.csv) and, on request, head CTs of its first patients with true masks, or all "
    "that training needs (manifest.json, config.json, images, truth.csv)."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("output", type=Path, metavar="OUT", help="new or empty folder")
    parser.add_argument("--n", type=int, required=True, help="number of patients")
    parser.add_argument("--seed", type=int, required=True, help="the same seed gives the same cohort")
    parser.add_argument(
        "--images", type=int, default=0, metavar="K", help="draw CTs of the first K patients (default 0)"
    )
    parser.add_argument(
        "--train-images", type=int, nargs=3, metavar=("Z", "Y", "X"),
        help="preprocess a coarse CT of every patient and write images of this many voxels, with manifest.json and "
        "config.json for training and truth.csv for evaluation; about 0.3 s a patient",
    )  # fmt: skip


def run(options: argparse.Namespace) -> None:
    """Write ``cohort.csv``, ``ct/<number>/*.dcm``, ``masks/<number>.nii.gz``, ``truth.json`` and the training set."""
    from ml.simulation import simulate_study

    if options.output.exists() and (not options.output.is_dir() or any(options.output.iterdir())):
        raise MLError("not_empty", "The output folder is not empty; name a new one.")
    if not 0 <= options.images <= options.n:
        raise MLError("bad_number", "--images must lie between 0 and the number of patients.")
    study = simulate_study(options.n, seed=options.seed)
    options.output.mkdir(parents=True, exist_ok=True)
    study.forms.to_csv(options.output / "cohort.csv", index_label="number")
    patients = zip(study.forms.head(options.images).to_dict("records"), study.truth["imaging_severity"], strict=False)
    truth = {
        f"{number:05d}": _draw(options.output, number, patient, severity, options.seed)
        for number, (patient, severity) in enumerate(patients)
    }
    (options.output / "truth.json").write_text(json.dumps(truth, indent=1), encoding="utf-8")
    if options.train_images:
        _write_training_set(options, study)
    print(f"{options.n} patients, {options.images} CTs")
    _print_best(study)


def _write_training_set(options: argparse.Namespace, study: "SimulatedStudy") -> None:
    import sys

    from ml.simulation.training_set import write_training_set

    def report(done: int) -> None:
        if done % 50 == 0 or done == options.n:
            print(f"{done} of {options.n} images", file=sys.stderr, flush=True)

    write_training_set(options.output, study, seed=options.seed, shape=tuple(options.train_images), report=report)


def _print_best(study: "SimulatedStudy") -> None:
    """Say how good a predictor can be at all, in the population and for these very patients."""
    from ml.simulation import best_auc
    from ml.statistics import auc

    best = best_auc()
    print("Simulated data: no real patient, no real result. The best possible AUC:")
    for label, whole, column in (
        ("form", best.form, "form_probability"),
        ("form and CT", best.everything, "best_probability"),
    ):
        line = f"{label:<12} {whole:.3f} in the population"
        poor = study.forms["poor_outcome"].astype(int)
        if min(poor.sum(), len(poor) - poor.sum()) > 1:
            own = auc(poor, study.truth[column])
            line += f", {own.value:.3f} in this sample (95 % CI {own.ci_delong[0]:.3f}-{own.ci_delong[1]:.3f})"
        print(line)


def _draw(output: Path, number: int, patient: Mapping[Any, Any], severity: float, seed: int) -> dict[str, float]:
    from ml.cli.inputs import read_folder
    from ml.simulation import phantom_of, simulate_ct
    from ml.simulation.training_set import patient_draw, scanned
    from ml.volumes import write_mask

    draw = patient_draw(seed, number)
    folder = output / "ct" / f"{number:05d}"
    truth = simulate_ct(folder, spec=scanned(phantom_of(patient, severity), draw), seed=draw.getrandbits(31))
    masks = output / "masks"
    masks.mkdir(exist_ok=True)
    write_mask(masks / f"{number:05d}.nii.gz", truth.hematoma_mask, read_folder(folder))
    return {
        "hematoma_ml": truth.hematoma_ml,
        "ivh_ml": truth.ivh_ml,
        "midline_shift_mm": truth.midline_shift_mm,
        "tilt_degrees": truth.tilt_degrees,
    }
