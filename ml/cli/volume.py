"""``volume``: hematoma volume of one mask."""

import argparse
import json
from pathlib import Path

HELP = "Measure a hematoma mask on its CT: planimetry and ABC/2 in mL, slice gaps and tilt."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("series", type=Path, metavar="SERIES_DIR", help="folder with the DICOM files of one CT series")
    parser.add_argument(
        "mask", type=Path, metavar="MASK", help="mask (.nii, .nii.gz, .nrrd, .mha) on the grid of the series"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """Print the volumes and the geometry they rest on."""
    from ml.cli.inputs import read_folder
    from ml.hematoma import Label, abc2_ml, volume_ml
    from ml.volumes import describe_gaps, read_mask

    volume = read_folder(options.series)
    mask = read_mask(options.mask, volume)
    if any(label in mask for label in Label):
        # Of the labels that are known the hematoma alone; another program writes it under a number of its own.
        mask = mask == Label.PARENCHYMAL
    gaps = describe_gaps(volume)
    measured = {
        "planimetry_ml": round(volume_ml(mask, volume), 2),
        "abc2_ml": round(abc2_ml(mask, volume), 2),
        "tilt_degrees": round(volume.tilt_degrees, 2),
        "gaps": [{"count": count, "mm": round(gap, 3)} for count, gap in gaps],
    }
    if options.json:
        print(json.dumps(measured))
        return
    runs = ", ".join(f"{count} x {gap:.2f}" for count, gap in gaps)
    print(f"planimetry  {measured['planimetry_ml']:.2f} mL\nABC/2       {measured['abc2_ml']:.2f} mL")
    print(f"slice gaps  {runs} mm (foot to head)\ntilt        {measured['tilt_degrees']:.2f} degrees")
