"""What the canvas in the browser must know of a series: where its voxels lie, and where its bytes are."""

from typing import Any

from django.urls import reverse

from apps.annotation.labels import LABELS
from apps.imaging import geometry
from apps.imaging.models import Series


def canvas_data(series: Series, urls: dict[str, str], **more: Any) -> dict[str, Any]:
    """Return the JSON of frontend/islands/annotator: geometry in mm on the slices' own axes, labels, addresses."""
    grid = geometry.from_json(series.geometry)
    slices, rows, columns = grid.shape
    return {
        "slices": slices,
        "rows": rows,
        "columns": columns,
        "spacing": list(grid.pixel_spacing),
        "extents": grid.slice_extents.tolist(),
        "offsets": (grid.positions @ grid.normal).tolist(),
        "rowShift": (grid.positions @ grid.column_direction).tolist(),
        "columnShift": (grid.positions @ grid.row_direction).tolist(),
        # What lies at the left and the right of a slice on the screen.
        "sides": ["R", "L"] if grid.row_direction[0] > 0 else ["L", "R"],
        "labels": [
            {"label": int(label), "name": str(words.name), "color": list(words.color)}
            for label, words in LABELS.items()
        ],
        "urls": {
            "ct": f"{reverse('imaging:hu', args=[series.patient.study_id, series.pk])}?revision={series.revision}",
            **urls,
        },
        **more,
    }
