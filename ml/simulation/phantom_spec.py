"""What a phantom shall be: the validated description of one simulated head CT."""

import math
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from ml.errors import MLError


class Site(StrEnum):
    """Where the hematoma lies."""

    BASAL_GANGLIA = "basal_ganglia"
    THALAMUS = "thalamus"
    LOBAR_FRONTAL = "lobar_frontal"
    LOBAR_TEMPORAL = "lobar_temporal"
    LOBAR_PARIETAL = "lobar_parietal"
    LOBAR_OCCIPITAL = "lobar_occipital"
    CEREBELLUM = "cerebellum"
    BRAINSTEM = "brainstem"

    @property
    def infratentorial(self) -> bool:
        """Whether the site lies below the tentorium."""
        return self in (Site.CEREBELLUM, Site.BRAINSTEM)


class Side(StrEnum):
    """The patient's side; a brainstem hematoma is drawn slightly to this side of the midline."""

    LEFT = "left"
    RIGHT = "right"


class SpacingPattern(StrEnum):
    """Distances between neighboring slice planes, along their normal."""

    UNIFORM_5MM = "uniform_5mm"
    UNIFORM_2_5MM = "uniform_2_5mm"
    MIXED_4_7MM = "mixed_4_7mm"
    """4 mm through the posterior fossa, one gap of 1.08 mm where the scanner changes protocol, 7 mm above."""


MAX_VOLUME_ML = MappingProxyType(
    {
        Site.BASAL_GANGLIA: 130.0,
        Site.THALAMUS: 60.0,
        Site.LOBAR_FRONTAL: 110.0,
        Site.LOBAR_TEMPORAL: 100.0,
        Site.LOBAR_PARIETAL: 110.0,
        Site.LOBAR_OCCIPITAL: 100.0,
        Site.CEREBELLUM: 45.0,
        Site.BRAINSTEM: 18.0,
    }
)
"""Largest hematoma (mL) that the phantom's anatomy holds at each site."""

FIELD_OF_VIEW_MM = 240.0


@dataclass(frozen=True)
class PhantomSpec:
    """One simulated head CT.

    Parameters
    ----------
    site, side
        Where the hematoma lies (members of `Site` and `Side`, or their values).
    volume_ml
        Parenchymal hematoma volume, mL: 0.3 to `MAX_VOLUME_ML` of the site, or 0 for a head without hemorrhage.
    ivh
        Blood in the ventricles.
    edema
        Width of the edema rim relative to the usual one for the volume; 0 to 3.
    mass_effect
        Displacement relative to the usual one for site and volume; 0 to 1.5.
    liquid
        How much of the clot has not set: darker patches in it, as a swirl sign; 0 to 1.
    lobulated
        Irregular outline instead of a plain ellipsoid.
    calcification
        Physiological calcification of pineal gland, choroid plexus and pallidum.
    rows, columns
        Matrix, 64 to 1024.
    pixel_spacing_mm
        Square pixel, mm; by default a field of view of 240 mm.
    gantry_tilt_degrees
        DICOM Gantry/Detector Tilt, -30 to 30; positive lowers the posterior end of the slice.
    spacing
        Pattern of the distances between slices.
    descending
        Instance numbers run from head to foot.
    noise_hu
        Standard deviation of the noise inside the head, HU, 0 to 30.

    Raises
    ------
    MLError
        ``bad_phantom``: a value is out of its range.
    """

    site: Site = Site.BASAL_GANGLIA
    side: Side = Side.LEFT
    volume_ml: float = 20.0
    ivh: bool = False
    edema: float = 1.0
    mass_effect: float = 1.0
    liquid: float = 0.0
    lobulated: bool = True
    calcification: bool = False
    rows: int = 512
    columns: int = 512
    pixel_spacing_mm: float | None = None
    gantry_tilt_degrees: float = 0.0
    spacing: SpacingPattern = SpacingPattern.UNIFORM_5MM
    descending: bool = False
    noise_hu: float = 3.5

    def __post_init__(self) -> None:
        for name, kind in (("site", Site), ("side", Side), ("spacing", SpacingPattern)):
            object.__setattr__(self, name, _member(kind, getattr(self, name), name))
        if self.volume_ml != 0:
            _within("volume_ml", self.volume_ml, 0.3, MAX_VOLUME_ML[self.site])
        _within("edema", self.edema, 0.0, 3.0)
        _within("mass_effect", self.mass_effect, 0.0, 1.5)
        _within("liquid", self.liquid, 0.0, 1.0)
        _within("rows", self.rows, 64, 1024)
        _within("columns", self.columns, 64, 1024)
        if self.pixel_spacing_mm is not None:
            _within("pixel_spacing_mm", self.pixel_spacing_mm, 0.2, 4.0)
        _within("gantry_tilt_degrees", self.gantry_tilt_degrees, -30.0, 30.0)
        _within("noise_hu", self.noise_hu, 0.0, 30.0)

    @property
    def pixel_mm(self) -> float:
        """Edge of a pixel, mm."""
        return FIELD_OF_VIEW_MM / self.columns if self.pixel_spacing_mm is None else self.pixel_spacing_mm


def _member(kind: type[StrEnum], value: str, name: str) -> StrEnum:
    try:
        return kind(value)
    except ValueError:
        choices = ", ".join(kind)
        raise MLError("bad_phantom", f"The phantom's {name} is not known; choose one of {choices}.") from None


def _within(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise MLError("bad_phantom", f"The phantom's {name} is {value:g}; choose a value from {low:g} to {high:g}.")
