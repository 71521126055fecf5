"""``preprocess``: from a CT series to the networks' input."""

import argparse
import json
from pathlib import Path

HELP = "Clip, strip, window and resample a CT series to 80 x 192 x 192; write image, brain mask and report."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("series", type=Path, metavar="SERIES_DIR", help="folder with the DICOM files of one CT series")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE.npz",
        help="gets arrays 'image' (80, 192, 192) and 'brain_mask' (slices, rows, columns) and the text 'report' (JSON)",
    )


def run(options: argparse.Namespace) -> None:
    """Write the arrays and print the report as JSON."""
    import numpy as np

    from ml.cli.inputs import check_writable, read_folder
    from ml.preprocessing import preprocess

    check_writable(options.output)
    result = preprocess(read_folder(options.series))
    report = json.dumps(result.report.to_dict())
    with options.output.open("wb") as stream:
        np.savez_compressed(stream, image=result.image, brain_mask=result.brain_mask, report=np.array(report))
    print(report)
