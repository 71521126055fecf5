"""Measurements of the hematoma."""

from ml.hematoma.features import FEATURES, FEATURES_VERSION, hematoma_features
from ml.hematoma.laterality import lateral_extent_mm, side_of
from ml.hematoma.planimetry import abc2_ml, slice_diameters, volume_ml

__all__ = [
    "FEATURES",
    "FEATURES_VERSION",
    "abc2_ml",
    "hematoma_features",
    "lateral_extent_mm",
    "side_of",
    "slice_diameters",
    "volume_ml",
]
