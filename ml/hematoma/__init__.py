"""Measurements of the hematoma."""

from ml.hematoma.planimetry import abc2_ml, slice_diameters, volume_ml

__all__ = ["abc2_ml", "slice_diameters", "volume_ml"]
