"""A CT in the store, as its upload leaves it."""

from collections.abc import Sequence

from apps.accounts.models import User
from apps.imaging.ingest.receive import receive
from apps.imaging.models import Series
from apps.patients.models import Patient


def take_in(actor: User, patient: Patient, files: Sequence[bytes]) -> Series:
    """Store a CT of one series."""
    (series,) = receive(actor=actor, patient=patient, files=files).series
    return series
