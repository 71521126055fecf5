"""A series' geometry as JSON in its row, so that masks and pages need not read the DICOM files again."""

from typing import Any

import numpy as np

from ml.volumes import Geometry, describe_gaps


def to_json(geometry: Geometry) -> dict[str, Any]:
    """Return everything of a geometry but its UIDs, with what pages show of it."""
    return {
        "slices": geometry.shape[0],
        "rows": geometry.matrix[0],
        "columns": geometry.matrix[1],
        "pixel_spacing": list(geometry.pixel_spacing),
        "positions": geometry.positions.tolist(),
        "row_direction": geometry.row_direction.tolist(),
        "column_direction": geometry.column_direction.tolist(),
        "gaps": [[count, gap] for count, gap in describe_gaps(geometry)],
        "tilt_degrees": round(geometry.tilt_degrees, 1),
        "offsets": geometry.offsets.round(2).tolist(),
        "extents": geometry.slice_extents.round(3).tolist(),
    }


def from_json(stored: dict[str, Any]) -> Geometry:
    """Return the geometry of a series' row."""
    return Geometry(
        positions=np.array(stored["positions"], dtype=np.float64),
        row_direction=np.array(stored["row_direction"], dtype=np.float64),
        column_direction=np.array(stored["column_direction"], dtype=np.float64),
        pixel_spacing=(stored["pixel_spacing"][0], stored["pixel_spacing"][1]),
        sop_instance_uids=("",) * int(stored["slices"]),
        series_instance_uid="",
        study_instance_uid="",
        matrix=(stored["rows"], stored["columns"]),
    )
