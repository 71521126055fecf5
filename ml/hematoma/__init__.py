"""Measurements of the hematoma, and a first outline of it."""

from typing import TYPE_CHECKING

from ml.hematoma.comparison import Comparison, compare
from ml.hematoma.features import FEATURES, FEATURES_VERSION, hematoma_features
from ml.hematoma.labels import Label, areas_mm2, volumes_ml
from ml.hematoma.laterality import lateral_extent_mm, side_of
from ml.hematoma.location import CENTER, Landmarks, Location, center_mm, location_of
from ml.hematoma.planimetry import abc2_ml, slice_diameters, volume_ml
from ml.hematoma.version import SUGGESTION_VERSION
from ml.lazy import lazy

if TYPE_CHECKING:
    from ml.hematoma.suggestion import Suggestion, suggest

__all__ = [
    "CENTER",
    "FEATURES",
    "FEATURES_VERSION",
    "SUGGESTION_VERSION",
    "Comparison",
    "Label",
    "Landmarks",
    "Location",
    "Suggestion",
    "abc2_ml",
    "areas_mm2",
    "center_mm",
    "compare",
    "hematoma_features",
    "lateral_extent_mm",
    "location_of",
    "side_of",
    "slice_diameters",
    "suggest",
    "volume_ml",
    "volumes_ml",
]

__getattr__ = lazy(__name__, {"Suggestion": "suggestion", "suggest": "suggestion"})
