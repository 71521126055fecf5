"""Bodies whose measures geometry gives, drawn on slices with any gaps and tilt."""

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from ml.volumes import Geometry, Volume, read_geometry
from tests.ml.dicom_factory import ROW, make_series, table_positions, tilted_column

EVEN = [2.5] * 31
MIXED = [2.0] * 12 + [1.08] + [3.5] * 12
Radii = tuple[float, float, float]


def geometry_of(gaps: list[float], tilt: float = 0.0, spacing: tuple[float, float] = (0.5, 0.5)) -> Geometry:
    datasets = make_series(
        np.zeros((len(gaps) + 1, 200, 240)),
        table_positions(gaps, tilt=tilt),
        ROW,
        tilted_column(tilt),
        spacing,
        PixelData=None,
    )
    return read_geometry(datasets)


def scan(geometry: Geometry, hu: npt.ArrayLike = 60.0) -> Volume:
    """A CT with this geometry and these densities."""
    fields = {field.name: getattr(geometry, field.name) for field in dataclasses.fields(Geometry)}
    del fields["matrix"]
    return Volume(**fields, hu=np.broadcast_to(np.asarray(hu, dtype=np.float32), geometry.shape))


def ellipsoid(geometry: Geometry, radii: Radii, turn: float = 0.0) -> npt.NDArray[np.bool_]:
    """Voxels inside an ellipsoid whose third axis runs along the normal and whose first is turned within the slice."""
    center = geometry.voxel_to_lps(geometry.shape[0] // 2, 100, 120) + np.array([0.1, 0.2, 0.3])
    first = math.cos(turn) * geometry.row_direction + math.sin(turn) * geometry.column_direction
    axes = np.stack([first, np.cross(geometry.normal, first), geometry.normal])
    # Nothing lies farther from the middle than that.
    z, y, x = np.ogrid[: geometry.shape[0], 10:190, 55:185]
    places = geometry.voxel_to_lps(z, y, x)
    inside = np.zeros(geometry.shape, dtype=np.bool_)
    inside[:, 10:190, 55:185] = (((places - center) @ axes.T / np.array(radii)) ** 2).sum(axis=-1) <= 1
    return inside
