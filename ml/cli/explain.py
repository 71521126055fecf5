"""``explain``: what the prediction of one patient rests on."""

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ml.cli import predict
from ml.errors import MLError

if TYPE_CHECKING:
    from ml.explanation import Explanation

HELP = "Explain the prediction of one patient: a map on the CT, the weight of the image, the share of each value."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: those of ``predict``, and where the map goes."""
    predict.add_arguments(parser)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="MAP.nii.gz",
        help="gets the map on the grid of the series: 0 (no evidence for a poor outcome) to 255 (most)",
    )


def run(options: argparse.Namespace) -> None:
    """Print what the prediction rests on, and write the map."""
    import numpy as np

    from ml.cli.inputs import check_writable, read_folder, read_object
    from ml.explanation import explain, map_on_ct
    from ml.inference import load_model
    from ml.preprocessing import preprocess
    from ml.volumes import write_mask

    if options.out:
        check_writable(options.out)
        if not options.out.name.endswith((".nii", ".nii.gz")):
            raise MLError("not_nifti", "The map is written as NIfTI; give --out a name that ends with .nii.gz.")
    clinical = read_object(options.clinical, "the clinical record") if options.clinical else None
    model = load_model(options.model, options.device)
    volume = read_folder(options.series)
    preprocessed = preprocess(volume)
    may_impute = model.missing({}) if options.impute_missing else ()
    start = time.perf_counter()
    found = explain(model, preprocessed.image, clinical, arm=options.arm, may_impute=may_impute)
    seconds = time.perf_counter() - start
    if options.out:
        if found.map is None:
            raise MLError("no_map", "This model reads no image, so there is no map; leave --out out.")
        on_ct = map_on_ct(found.map, preprocessed.report.affine, volume)
        write_mask(options.out, np.rint(on_ct * 255).astype(np.uint8), volume)
    if options.json:
        print(json.dumps(_answer(found) | {"seconds": seconds, "model": model.digest}))
    else:
        _print(found)


def _answer(found: "Explanation") -> dict[str, object]:
    return {
        "probability": found.probability,
        "arm": found.arm,
        "gate_mean": found.gate_mean,
        "baseline_logit": found.baseline_logit,
        "contributions": [vars(entry) for entry in found.contributions],
        "method": found.method,
    }


def _print(found: "Explanation") -> None:
    print(f"P(poor outcome) {found.probability:.3f}  ({found.arm} arm; {found.method})")
    if found.gate_mean is not None:
        print(f"Weight of the image, 0 to 1: {found.gate_mean:.2f}")
    if found.contributions:
        print("Shares of the logit against the typical training patient, above 0 towards a poor outcome:")
    for entry in found.contributions:
        value = "missing" if entry.value is None else entry.value
        print(f"{entry.logit:+8.3f}  {entry.feature} = {value}")
