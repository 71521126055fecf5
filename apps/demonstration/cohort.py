"""The demonstration's patients, entered the way a center would: enroll, fill the form, send the CT, send the mask."""

import tempfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from apps.accounts.models import Center, User
from apps.annotation.services import receive_mask
from apps.crf.dictionary import load_dictionary
from apps.crf.services import save_form
from apps.demonstration.people import CENTERS, COORDINATORS
from apps.imaging.services import receive_series
from apps.patients.models import Patient
from apps.patients.services import enroll_patient
from ml.simulation import PhantomSpec, Side, Site, SpacingPattern, simulate_cohort, simulate_ct
from ml.volumes import read_geometry, write_mask

SEED = 2023
MATRIX = 256
# One scanner a center: its tilt and the distances between its slices.
SCANNERS: dict[str, tuple[float, SpacingPattern]] = {
    "C1": (0.0, SpacingPattern.UNIFORM_5MM),
    "C2": (18.0, SpacingPattern.MIXED_4_7MM),
    "C3": (-15.0, SpacingPattern.UNIFORM_5MM),
    "C4": (10.0, SpacingPattern.UNIFORM_5MM),
    "C5": (20.0, SpacingPattern.MIXED_4_7MM),
}
# Left out of the forms of patients who are still in hospital; the dictionary says which they are.
FIRST_ADMISSION = date(2025, 1, 6)


def build_cohort(*, analysed: int, in_hospital: int, report: Callable[[str, float], None]) -> None:
    """Create `analysed` patients with outcome and `in_hospital` without one; those that exist are skipped."""
    rows = simulate_cohort(analysed + in_hospital, seed=SEED, centers=tuple(CENTERS)).to_dict("records")
    done = Patient.objects.count()
    for number, row in enumerate(rows[done:], start=done):
        _add_patient({str(name): value for name, value in row.items()}, number, discharged=number < analysed)
        report("patients", (number + 1) / len(rows))


def _add_patient(row: dict[str, Any], number: int, *, discharged: bool) -> None:
    center = Center.objects.get(code=row["center"])
    actor = User.objects.get(username=COORDINATORS[center.code])
    patient = enroll_patient(actor=actor, center=center)
    save_form(actor=actor, patient=patient, read_version=0, values=form_values(row, number, discharged=discharged))
    with tempfile.TemporaryDirectory(prefix="ichor-phantom-") as name:
        folder = Path(name)
        truth = simulate_ct(folder, spec=phantom_of(row), seed=SEED + number)
        files = sorted(folder.iterdir())
        series = receive_series(actor=actor, patient=patient, files=[file.read_bytes() for file in files])
        mask = folder / "mask.nii.gz"
        write_mask(mask, truth.hematoma_mask, read_geometry(files))
        receive_mask(actor=actor, series=series, content=mask.read_bytes())


def phantom_of(row: dict[str, Any]) -> PhantomSpec:
    """Return the head that a simulated form describes, as its center's scanner takes it."""
    tilt, spacing = SCANNERS[row["center"]]
    return PhantomSpec(
        site=Site(row["bleed_site"]),
        side=Side.RIGHT if row["bleed_side"] == "right" else Side.LEFT,
        volume_ml=float(row["hematoma_volume_ml"]),
        ivh=bool(row["ivh"]),
        rows=MATRIX,
        columns=MATRIX,
        gantry_tilt_degrees=tilt,
        spacing=spacing,
    )


def form_values(row: dict[str, Any], number: int, *, discharged: bool) -> dict[str, object]:
    """Return a simulated row as the form takes it, with the dates that the simulation leaves open."""
    dictionary = load_dictionary()
    admitted = FIRST_ADMISSION + timedelta(days=2 * number)
    discharge = admitted + timedelta(days=7 + number % 15)
    values: dict[str, object] = {name: _plain(value) for name, value in row.items() if name in dictionary.variables}
    values["admission_date"] = admitted.isoformat()
    if row["treatment"] != "cmt":
        values["operation_date"] = (admitted + timedelta(days=1)).isoformat()
    if row["withdrawal_of_care"]:
        values["withdrawal_date"] = (admitted + timedelta(days=3)).isoformat()
    values |= {
        "discharge_date": discharge.isoformat(),
        "outcome_date": discharge.isoformat(),
        "outcome_assessor": "OA1",
    }
    if not discharged:
        outcome = {name for name, variable in dictionary.variables.items() if variable.outcome}
        values = {name: value for name, value in values.items() if name not in outcome | {"discharge_date"}}
    return values


def _plain(value: Any) -> Any:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return None
    return value.item() if hasattr(value, "item") else value
