"""The sentences of the report."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ml.preprocessing.box import SHAPE, VOXEL_MM
from ml.preprocessing.report import Finding

TILT_DEGREES = 1.0
SAME_GAP_MM = 0.1
WIDE_GAP_MM = 10.0
USUAL_ML = (950.0, 1850.0)
SURE = 0.95
CLOSED_SKULL = 0.95


def collect_findings(
    *,
    tilt_degrees: float,
    gaps: tuple[tuple[int, float], ...],
    volume_ml: float,
    foramen_confidence: float,
    vertex_covered: bool,
    enclosure: float,
    size_mm: NDArray[np.float64],
) -> tuple[Finding, ...]:
    """Say what a person should know, from the report's values and ``size_mm``, the brain's extent (x, y, z)."""
    return (
        *_coverage(foramen_confidence, vertex_covered),
        *_brain(volume_ml, enclosure, size_mm),
        *_geometry(tilt_degrees, gaps),
    )


def _coverage(foramen_confidence: float, vertex_covered: bool) -> Iterator[Finding]:
    if foramen_confidence == 0.0:
        yield Finding(
            "foramen_magnum_not_found",
            "warn",
            "The foramen magnum was not found, most likely because the scan ends above it; nothing was clipped below.",
        )
    elif foramen_confidence < SURE:
        yield Finding(
            "foramen_magnum_unsure",
            "warn",
            f"Bone closes only {foramen_confidence:.0%} of the ring taken for the foramen magnum; check low slices.",
        )
    if not vertex_covered:
        yield Finding(
            "vertex_missing", "warn", "The scan ends below the top of the brain; what lies above it is missing."
        )


def _brain(volume_ml: float, enclosure: float, size_mm: NDArray[np.float64]) -> Iterator[Finding]:
    if not USUAL_ML[0] <= volume_ml <= USUAL_ML[1]:
        yield Finding(
            "unusual_brain_volume",
            "warn",
            f"The brain mask holds {volume_ml:.0f} mL, outside the usual {USUAL_ML[0]:.0f}-{USUAL_ML[1]:.0f} mL; "
            "check the mask.",
        )
    if enclosure < CLOSED_SKULL:
        yield Finding(
            "skull_open",
            "warn",
            f"Bone covers only {enclosure:.0%} of the brain's surface (surgery or fracture?); check the mask.",
        )
    field = np.array(SHAPE[::-1]) * np.array(VOXEL_MM[::-1])
    if (size_mm > field).any():
        yield Finding(
            "larger_than_field",
            "warn",
            f"The brain exceeds the field of {field[0]:.0f} x {field[1]:.0f} x {field[2]:.0f} mm; its edge is cut.",
        )


def _geometry(tilt_degrees: float, gaps: tuple[tuple[int, float], ...]) -> Iterator[Finding]:
    if abs(tilt_degrees) >= TILT_DEGREES:
        yield Finding("tilted", "info", f"The slices are tilted by {tilt_degrees:.1f} degrees; this was corrected.")
    sizes = [size for _, size in gaps]
    if max(sizes) - min(sizes) > SAME_GAP_MM:
        runs = ", ".join(f"{count} x {size:g} mm" for count, size in gaps[:6]) + (", ..." if len(gaps) > 6 else "")
        yield Finding("mixed_gaps", "info", f"The distances between slices differ ({runs}); true positions were used.")
    if max(sizes) > WIDE_GAP_MM:
        yield Finding(
            "wide_gap", "warn", f"Neighboring slices are up to {max(sizes):g} mm apart; small bleeds may be missed."
        )
