"""Telling later apps that a patient's data changed, without knowing them: CRF and CT announce, predictions listens."""

from collections.abc import Callable
from functools import partial

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
        # A listener's fault is logged; what was committed stays committed, and its page is shown.
        transaction.on_commit(partial(listener, patient), robust=True)
