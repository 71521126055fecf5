"""A form with something to ask about, and short names for what the tests do to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.crf.queries.models import Query
from apps.crf.selectors import form_of
from apps.crf.services import save_form
from apps.patients.models import Patient

Save = Callable[..., None]
# Coma with a GCS of 15 contradicts the dictionary's rule coma_fits_gcs; a systolic pressure of 300 is above 260.
DOUBTFUL = {"age": 60, "coma": True, "gcs": 15, "systolic_bp": 300}


@pytest.fixture
def save(users: dict[Role, User]) -> Save:
    def enter(patient: Patient, values: Mapping[str, object], role: Role = Role.COORDINATOR) -> None:
        patient = Patient.objects.get(pk=patient.pk)
        version = form_of(patient).version
        save_form(actor=users[role], patient=patient, read_version=version, values=values, reason="new source data")

    return enter


@pytest.fixture
def doubtful(patient: Patient, save: Save) -> Patient:
    save(patient, DOUBTFUL)
    return patient


def query_on(rule: str, variable: str = "") -> Query:
    """Return the one query of a rule."""
    found = Query.objects.filter(rule=rule)
    return found.get(variable=variable) if variable else found.get()
