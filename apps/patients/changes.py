"""Telling later apps that a patient's data changed, without knowing them: CRF and CT announce, predictions listens."""

from collections.abc import Callable

from django.db import transaction

from apps.patients.models import Patient

Listener = Callable[[Patient], object]
_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """Call `listener(patient)` after each commit that changed a patient's CRF, CT or mask."""
    if listener not in _listeners:
        _listeners.append(listener)


def announce(patient: Patient) -> None:
    """Tell the listeners once the current transaction is committed."""
    for listener in _listeners:
        transaction.on_commit(lambda listener=listener: listener(patient))  # type: ignore[misc]
