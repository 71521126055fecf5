"""What preprocessing found out about a scan, for the person who must trust it and for the record."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Finding:
    """One thing worth knowing about a scan.

    Attributes
    ----------
    code
        Stable identifier.
    level
        ``warn``: a person should look at the result; ``info``: dealt with, said for the record.
    sentence
        For the user; holds no identifier.
    """

    code: str
    level: Literal["info", "warn"]
    sentence: str


@dataclass(frozen=True)
class PreprocessingReport:
    """The record of one run of `ml.preprocessing.preprocess`.

    Attributes
    ----------
    version
        ``PREPROCESSING_VERSION``.
    brain_volume_ml
        Volume of the brain mask: brain and cerebrospinal fluid inside the skull, above the foramen magnum.
    foramen_magnum_z, foramen_magnum_offset_mm, foramen_magnum_lps
        Its center: fractional slice index, mm along the normal of the slices, point in mm; None where it was not found.
    foramen_magnum_area_cm2, foramen_magnum_confidence
        Area of the ring; share (0..1) of the directions around its center in which bone closes it (0 if not found).
    tilt_degrees
        Angle of the slices to the patient's axial plane.
    gaps
        Runs of equal distance between slices from foot to head: (count, mm).
    base_covered, vertex_covered
        Whether the scan reaches the foramen magnum, and the top of the brain.
    skull_enclosure
        Share (0..1) of the brain's surface with bone beside it.
    affine
        Output image indices (x, y, z) to LPS mm, four rows of four; brings maps back to the patient.
    """

    version: str
    findings: tuple[Finding, ...]
    brain_volume_ml: float
    foramen_magnum_z: float | None
    foramen_magnum_offset_mm: float | None
    foramen_magnum_lps: tuple[float, float, float] | None
    foramen_magnum_area_cm2: float | None
    foramen_magnum_confidence: float
    tilt_degrees: float
    gaps: tuple[tuple[int, float], ...]
    base_covered: bool
    vertex_covered: bool
    skull_enclosure: float
    affine: tuple[tuple[float, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values that JSON can hold."""
        return asdict(self)
