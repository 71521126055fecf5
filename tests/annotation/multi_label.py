"""Outlines with all six labels, of which each slice and each axis looks different."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import highdicom as hd
import numpy as np

from apps.annotation.labels import LABELS
from ml.hematoma import Label
from ml.simulation import PhantomSpec, SpacingPattern, simulate_ct


def blocks(shape: tuple[int, int, int]) -> np.ndarray:
    """Return labels (z, y, x) on every slice, the ends too: a block a label, wider from slice to slice, one cut off."""
    slices, rows, columns = shape
    labels = np.zeros(shape, np.uint8)
    height = rows // 8
    for label in map(int, Label):
        for z in range(slices):
            left = columns // 8 + label
            right = left + columns // 8 + label + z * columns // (2 * slices)
            labels[z, label * height : label * height + height - label, left:right] = label
    labels[slices // 2, :, columns // 4 :] = 0
    return labels


def specks(shape: tuple[int, int, int], seed: int = 3) -> np.ndarray:
    """Return labels (z, y, x) that any flip, shift or swap of axes or slices would change, one slice without any."""
    labels = np.random.default_rng(seed).integers(0, len(Label) + 1, shape).astype(np.uint8)
    labels[1, :, shape[2] // 2 :] = 0
    labels[-1, shape[1] // 3 :] = 0
    labels[shape[0] // 2] = 0
    return labels


def phantom(folder: Path, *, tilt: float, spacing: SpacingPattern, descending: bool = False) -> list[bytes]:
    """Return the files of a small simulated head."""
    spec = PhantomSpec(rows=64, columns=72, gantry_tilt_degrees=tilt, spacing=spacing, descending=descending)
    simulate_ct(folder, spec=spec, seed=5)
    return [path.read_bytes() for path in folder.iterdir()]


def label_of(segment: hd.seg.SegmentDescription) -> int:
    """Return the label that a segment means by its codes, and by its name where two labels share the codes."""
    (region,) = segment.anatomic_regions
    said = (segment.segmented_property_type.value, region.value, segment.segment_label)
    meanings = {
        (words.finding.value, words.region.value, words.dicom_name): int(label) for label, words in LABELS.items()
    }
    return meanings[said]


def standard_errors(file: Path) -> list[str]:
    """Return what the standard's checker, dciodvfy, calls an error in a Segmentation."""
    done = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True, check=False, errors="replace")
    lines = (done.stdout + done.stderr).splitlines()
    assert "Segmentation" in lines
    return [line for line in lines if line.startswith("Error")]


def has_checker() -> bool:
    return shutil.which("dciodvfy") is not None
