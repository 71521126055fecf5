"""A patient of whom there is everything, with the CT of a simulated head that went through the platform's own door."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from apps.accounts.models import Center
from apps.annotation.services import store_mask
from apps.imaging.models import Series
from apps.patients.changes import announce
from apps.patients.models import Patient
from ml.simulation import PhantomSpec, simulate_ct
from tests.annotation.approving import approved
from tests.cohorts import factory
from tests.factories import PatientFactory
from tests.imaging.factory import receive_series

Capture = Callable[..., Any]
ROW = factory.simulated_rows(3, 3)[0]
# Of the made-up CTs of tests/cohorts: the box of the network around their two slices.
AFFINE = [[1.0, 0, 0, -80], [0, 1.0, 0, -80], [0, 0, 2.0, -80], [0, 0, 0, 1.0]]


def scanned_patient(center: Center, folder: Path, capture: Capture, *, seed: int = 3) -> Patient:
    """Enroll a patient in hospital with form, CT and mask, and let the workers finish."""
    patient: Patient = PatientFactory(
        study_id=f"{center.code}-0900", center=center, enrolled_by=factory.coordinator_of(center)
    )
    factory.fill_form(patient, factory.values_of(ROW, discharged=False))
    truth = simulate_ct(folder, spec=PhantomSpec(rows=128, columns=128, volume_ml=30.0), seed=seed)
    with capture(execute=True):
        files = [path.read_bytes() for path in sorted(folder.iterdir())]
        series = receive_series(actor=factory.coordinator_of(center), patient=patient, files=files)
    factory.run_waiting(capture)
    series.refresh_from_db()
    assert series.state == Series.State.READY, series.preprocessing_report
    labels = np.asarray(truth.hematoma_mask).astype(np.uint8)
    approved(store_mask(actor=factory.coordinator_of(center), series=series, mask=labels))
    with capture(execute=True):
        announce(patient)
    factory.run_waiting(capture)
    return patient


def give_affine(patient: Patient) -> None:
    """Say of a made-up CT where its image lies, as preprocessing does of a real one."""
    patient.series.update(preprocessing_report={"affine": AFFINE})
