"""``simulate``: an artificial cohort, with CTs on request."""

import argparse
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.errors import MLError

if TYPE_CHECKING:
    from ml.simulation import PhantomSpec

HELP = "Write a simulated cohort (cohort.csv) and, on request, head CTs of its first patients with true masks."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("output", type=Path, metavar="OUT", help="new or empty folder")
    parser.add_argument("--n", type=int, required=True, help="number of patients")
    parser.add_argument("--seed", type=int, required=True, help="the same seed gives the same cohort")
    parser.add_argument(
        "--images", type=int, default=0, metavar="K", help="draw CTs of the first K patients (default 0)"
    )


def run(options: argparse.Namespace) -> None:
    """Write ``cohort.csv``, ``ct/<number>/*.dcm``, ``masks/<number>.nii.gz`` and ``truth.json``."""
    from ml.simulation.cohort import simulate_cohort

    if options.output.exists() and (not options.output.is_dir() or any(options.output.iterdir())):
        raise MLError("not_empty", "The output folder is not empty; name a new one.")
    if not 0 <= options.images <= options.n:
        raise MLError("bad_number", "--images must lie between 0 and the number of patients.")
    cohort = simulate_cohort(options.n, seed=options.seed)
    options.output.mkdir(parents=True, exist_ok=True)
    cohort.to_csv(options.output / "cohort.csv", index_label="number")
    truth = {
        f"{number:05d}": _draw(options.output, number, patient, options.seed)
        for number, patient in enumerate(cohort.head(options.images).to_dict("records"))
    }
    (options.output / "truth.json").write_text(json.dumps(truth, indent=1), encoding="utf-8")
    print(f"{options.n} patients, {options.images} CTs")


def _draw(output: Path, number: int, patient: Mapping[Any, Any], seed: int) -> dict[str, float]:
    from ml.cli.inputs import read_folder
    from ml.simulation import simulate_ct
    from ml.volumes import write_mask

    # A seed of its own for each patient, so that the first K are the same whatever K is.
    draw = random.Random(f"{seed}/{number}")
    folder = output / "ct" / f"{number:05d}"
    truth = simulate_ct(folder, spec=phantom_of(patient, draw), seed=draw.getrandbits(31))
    masks = output / "masks"
    masks.mkdir(exist_ok=True)
    write_mask(masks / f"{number:05d}.nii.gz", truth.hematoma_mask, read_folder(folder))
    return {
        "hematoma_ml": truth.hematoma_ml,
        "ivh_ml": truth.ivh_ml,
        "midline_shift_mm": truth.midline_shift_mm,
        "tilt_degrees": truth.tilt_degrees,
    }


def phantom_of(patient: Mapping[Any, Any], draw: random.Random) -> "PhantomSpec":
    """Describe the CT of a simulated patient; scanner settings are drawn.

    The hematoma is as large as the record says, but no larger than the phantom's anatomy holds at its site.
    """
    from ml.simulation import MAX_VOLUME_ML, PhantomSpec, Side, Site, SpacingPattern

    site = Site(patient["bleed_site"])
    midline = patient["bleed_side"] not in list(Side)
    return PhantomSpec(
        site=site,
        side=draw.choice(list(Side)) if midline else Side(patient["bleed_side"]),
        volume_ml=min(max(float(patient["hematoma_volume_ml"]), 0.3), MAX_VOLUME_ML[site]),
        ivh=bool(patient["ivh"]),
        calcification=draw.random() < 0.3,
        gantry_tilt_degrees=draw.choice((0.0, 0.0, 8.0, 15.0, 18.5)),
        spacing=draw.choice(list(SpacingPattern)),
        descending=draw.random() < 0.5,
    )
