"""What one app knows of a patient and another needs: the CRF tells, imaging asks, and neither imports the other."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from apps.patients.models import Patient


@dataclass(frozen=True)
class Facts:
    """A patient's age in years, sex (M or F) and day of admission, as far as they are known."""

    age: float | None = None
    sex: str = ""
    admission: date | None = None


Source = Callable[[Patient], Facts]
_sources: list[Source] = []


def tell(source: Source) -> None:
    """Name who knows: `source(patient)` returns the facts."""
    if source not in _sources:
        _sources.append(source)


def facts_of(patient: Patient) -> Facts:
    """Return what is known of a patient; empty facts where no form was filled in."""
    return _sources[0](patient) if _sources else Facts()
