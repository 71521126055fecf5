"""CT series and hematoma masks with their true geometry."""

from ml.volumes.difference import Block, GridDifference, grid_difference
from ml.volumes.errors import MaskError, SeriesError
from ml.volumes.geometry import Geometry, describe_gaps
from ml.volumes.headers import read_geometry
from ml.volumes.masks import read_mask, write_mask
from ml.volumes.series import read_series
from ml.volumes.volume import Volume

__all__ = [
    "Block",
    "Geometry",
    "GridDifference",
    "MaskError",
    "SeriesError",
    "Volume",
    "describe_gaps",
    "grid_difference",
    "read_geometry",
    "read_mask",
    "read_series",
    "write_mask",
]
