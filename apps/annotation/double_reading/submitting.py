"""What a submitted mask means for the double reading of its CT."""

from django.utils import timezone

from apps.accounts.models import User
from apps.annotation.double_reading.blinding import open_readings, refuse_others
from apps.annotation.models import DoubleReading, Mask
from apps.annotation.selectors import load_hematoma
from apps.audit.services import record
from apps.imaging import geometry
from apps.imaging.models import Series
from ml.hematoma import compare


def lock_reading(actor: User, series: Series) -> DoubleReading | None:
    """Return the open double reading of a series, locked; refuse a mask by anybody but the two."""
    reading = open_readings().select_for_update(of=("self",)).filter(series=series).first()
    refuse_others(actor, reading)
    return reading


def note_submission(reading: DoubleReading, mask: Mask) -> None:
    """Take a version for what its author has read; with the second one the reading closes and is measured."""
    if mask.uploaded_by_id == reading.first_id:
        reading.first_mask = mask
    else:
        reading.second_mask = mask
    if reading.first_mask is not None and reading.second_mask is not None:
        _close(reading, reading.first_mask, reading.second_mask)
    reading.save()


def _close(reading: DoubleReading, first: Mask, second: Mask) -> None:
    grid = geometry.from_json(reading.series.geometry)
    found = compare(load_hematoma(first), load_hematoma(second), grid)
    reading.dice, reading.hd95_mm, reading.closed_at = found.dice, found.hd95_mm, timezone.now()
    record(
        actor=None, action="close_double_reading", target=reading, center=reading.patient.center,
        changes={"dice": [None, f"{found.dice:.3f}"]},
    )  # fmt: skip
