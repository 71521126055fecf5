"""``predict``: P(poor outcome) of one patient."""

import argparse
import json
import time
from pathlib import Path

HELP = "Predict the outcome of one patient from a CT series and, where given, the clinical record."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("series", type=Path, metavar="SERIES_DIR", help="folder with the DICOM files of one CT series")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="folder of a finished training run")
    parser.add_argument("--clinical", type=Path, metavar="FILE.json", help="values by feature name, null where missing")
    parser.add_argument("--arm", choices=("imaging", "fusion"), help="by default fusion where the record is complete")
    parser.add_argument(
        "--impute-missing", action="store_true", help="fill in missing values from the training patients"
    )
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu (default), cuda, ...")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """Print the probability, what it was made from, and how long each step took."""
    from ml.cli.inputs import read_folder, read_object
    from ml.inference import load_model
    from ml.preprocessing import preprocess

    clinical = read_object(options.clinical, "the clinical record") if options.clinical else None
    model = load_model(options.model, options.device)
    start = time.perf_counter()
    volume = read_folder(options.series)
    read = time.perf_counter()
    image = preprocess(volume).image
    preprocessed = time.perf_counter()
    may_impute = model.missing({}) if options.impute_missing else ()
    prediction = model.predict(image, clinical, arm=options.arm, may_impute=may_impute)
    answer = {
        "probability": prediction.probability,
        "arm": prediction.arm,
        "per_fold": list(prediction.per_fold),
        "gate_mean": prediction.gate_mean,
        "imputed": list(prediction.imputed),
        "engine": prediction.engine,
        "precision": list(prediction.precision),
        "missing": list(prediction.missing),
        "seconds": {"read": read - start, "preprocess": preprocessed - read, "network": prediction.seconds},
        "model": model.digest,
    }
    if options.json:
        print(json.dumps(answer))
        return
    members = len(prediction.per_fold)
    print(f"P(poor outcome) {prediction.probability:.3f}  ({prediction.arm} arm, mean of {members} models)")
    if prediction.missing:
        print(f"The fusion arm was not used; missing: {', '.join(prediction.missing)}")
