"""Preprocessing of one head CT: its time, and what memory it needs beside the scan itself."""

from __future__ import annotations

import dataclasses
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from ml.preprocessing import preprocess
from ml.simulation import PhantomSpec, SpacingPattern, simulate_ct
from ml.volumes import Volume, read_series
from tests.bench.table import median_seconds, show

ROOT = Path(__file__).resolve().parents[2]
TARGET_S, TARGET_MB = 0.15, 600
SLICES = 60
PEAK = """
import dataclasses, pickle, sys
import numpy as np
from ml.preprocessing.pipeline import preprocess
volume = dataclasses.replace(pickle.load(open(sys.argv[1], "rb")), hu=np.load(sys.argv[1] + ".npy"))
if sys.argv[2] == "yes":
    preprocess(volume)
# Not ru_maxrss: that counts what the parent held when it started this process.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def run() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = Path(os.environ.get("ICHOR_TEST_DATA", ROOT.parent / "shared" / "data"))
        real = data / "head-ct-tilted" / "dicom"
        if real.is_dir():
            _time("real CT", read_series(real.iterdir()))
        else:
            simulate_ct(folder / "tilted", spec=PhantomSpec(volume_ml=30.0, gantry_tilt_degrees=18.0), seed=1)
            _time("phantom", read_series((folder / "tilted").iterdir()))
        volume = _phantom(folder / "thin")
        _time("phantom", volume)
        _memory(volume, folder / "volume")


def _phantom(folder: Path) -> Volume:
    """A head in slices of 2.5 mm of which the lowest, of the neck, are left out."""
    spec = PhantomSpec(volume_ml=30.0, ivh=True, spacing=SpacingPattern.UNIFORM_2_5MM)
    simulate_ct(folder, spec=spec, seed=1)
    volume = read_series(folder.iterdir())
    top = slice(max(0, len(volume.hu) - SLICES), None)
    return dataclasses.replace(
        volume,
        hu=volume.hu[top].copy(),
        positions=volume.positions[top],
        sop_instance_uids=volume.sop_instance_uids[top],
    )


def _time(name: str, volume: Volume) -> None:
    size = " x ".join(str(n) for n in volume.shape)
    show(f"preprocess, {name}, {size}", median_seconds(lambda: preprocess(volume), 9), target=TARGET_S)


def _memory(volume: Volume, file: Path) -> None:
    """Peak memory of a process that preprocesses, less that of one that only has the program and the scan."""
    if not Path("/proc/self/status").exists():
        print("  its peak memory: only where /proc tells it")
        return
    # The voxels in a file of their own: read straight to their place, they leave no room that could be used again.
    np.save(f"{file}.npy", volume.hu)
    file.write_bytes(pickle.dumps(dataclasses.replace(volume, hu=np.zeros((len(volume.hu), 1, 1), dtype=np.float32))))
    size = " x ".join(str(n) for n in volume.shape)
    peaks = [_peak(file, work) for work in ("no", "yes")]
    used = (peaks[1] - peaks[0]) / 1024
    aim = "met   " if used <= TARGET_MB else "MISSED"
    print(
        f"{f'  its peak memory beside the scan, {size}':<52}{used:9.1f} MB  target {aim} ({TARGET_MB} MB)", flush=True
    )


def _peak(file: Path, work: str) -> int:
    """Return the largest resident size, KiB."""
    command = [sys.executable, "-c", PEAK, str(file), work]
    return int(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
