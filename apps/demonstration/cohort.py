"""The demonstration's patients, entered the way a center would: enroll, fill the form, send CT and mask, review it."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pandas as pd
from django.core.management.base import CommandError

from apps.accounts.models import Center, User
from apps.annotation.models import Mask
from apps.annotation.review import approve_mask
from apps.annotation.selectors import approved_mask
from apps.annotation.services import receive_mask
from apps.crf.dictionary import load_dictionary
from apps.crf.models import CrfForm
from apps.crf.services import save_form
from apps.demonstration.double_reading import outline_twice
from apps.demonstration.people import CENTERS, COORDINATORS, REVIEWER
from apps.demonstration.phantoms import Phantom, draw_phantoms
from apps.imaging.ingest.receive import receive
from apps.imaging.models import Series
from apps.imaging.selectors import current_series
from apps.patients.models import Patient
from apps.patients.services import enroll_patient
from ml.simulation import simulate_study

SEED = 2023
DRAWN = 2000
# Enough that the agreement of the two is estimated; of every center some.
OUTLINED_TWICE = range(20, 32)
FIRST_ADMISSION = date(2023, 1, 9)


def build_cohort(*, analysed: int, in_hospital: int, report: Callable[[str, float], None]) -> None:
    """Create `analysed` patients with outcome and `in_hospital` without one; what an earlier call did stays."""
    rows = simulated_rows(analysed + in_hospital)
    entered = list(Patient.objects.select_related("center").order_by("pk")[: len(rows)])
    if any(patient.center.code != row["center"] for patient, row in zip(entered, rows, strict=False)):
        raise CommandError(
            "This study was filled with other patients. Ask for as many as before, or start with an empty ICHOR_VAR."
        )
    done = set(Mask.objects.filter(state=Mask.State.APPROVED).values_list("patient_id", flat=True))
    todo = [number for number in range(len(rows)) if number >= len(entered) or entered[number].pk not in done]
    scans = [rows[number] | {"study_date": f"{admission_day(number):%Y%m%d}"} for number in todo]
    phantoms = draw_phantoms(scans, [SEED + number for number in todo])
    for number, phantom in zip(todo, phantoms, strict=True):
        patient = entered[number] if number < len(entered) else _enroll(rows[number]["center"])
        values = form_values(rows[number], number, discharged=number < analysed)
        _enter(patient, values, phantom, outline_twice if number in OUTLINED_TWICE else _outline)
        report("patients", (number + 1) / len(rows))


def simulated_rows(n: int) -> list[dict[str, Any]]:
    """Return the first `n` simulated patients, of each center in turn, so that each has patients for its own curves.

    The simulated centers differ in size; more are drawn than are taken, and of each center the first are taken. Beside
    the form's values each row holds what only the simulation knows; that becomes a CT, and is entered nowhere.
    """
    study = simulate_study(DRAWN, seed=SEED, centers=tuple(CENTERS))
    drawn = study.forms.join(study.truth)
    by_center = {code: drawn[drawn["center"] == code].to_dict("records") for code in CENTERS}
    turns = zip(*by_center.values(), strict=False)
    rows = [{str(name): value for name, value in row.items()} for turn in turns for row in turn]
    if n > len(rows):
        raise CommandError(f"The demonstration has at most {len(rows)} patients.")
    return rows[:n]


def best_probabilities(n: int) -> dict[str, float]:
    """Return the true P(poor outcome | form, CT) of the `n` patients of :func:`build_cohort` by study ID."""
    entered = Patient.objects.order_by("pk").values_list("study_id", flat=True)[:n]
    return {study_id: float(row["best_probability"]) for study_id, row in zip(entered, simulated_rows(n), strict=True)}


def _enroll(code: str) -> Patient:
    return enroll_patient(actor=_coordinator(code), center=Center.objects.get(code=code))


def _coordinator(code: str) -> User:
    return User.objects.get(username=COORDINATORS[code])


def _enter(
    patient: Patient, values: dict[str, object], phantom: Phantom, outline: Callable[[Series, bytes], Mask]
) -> None:
    """Enter what the patient lacks; an earlier demonstration may have been stopped at any step."""
    actor = _coordinator(patient.center.code)
    if not CrfForm.objects.filter(main_of=patient).exists():
        save_form(actor=actor, patient=patient, read_version=0, values=values)
    series = current_series(patient) or receive(actor=actor, patient=patient, files=phantom.files).series[0]
    if approved_mask(series) is None:
        approve_mask(actor=User.objects.get(username=REVIEWER), mask=outline(series, phantom.mask))


def _outline(series: Series, content: bytes) -> Mask:
    actor = _coordinator(series.patient.center.code)
    return series.masks.first() or receive_mask(actor=actor, series=series, content=content)


def admission_day(number: int) -> date:
    """Return the day on which a simulated patient is admitted, and scanned."""
    return FIRST_ADMISSION + timedelta(days=2 * number)


def form_values(row: dict[str, Any], number: int, *, discharged: bool) -> dict[str, object]:
    """Return a simulated row as the form takes it, with the dates that the simulation leaves open."""
    dictionary = load_dictionary()
    admitted = admission_day(number)
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
        # Still in hospital; the dictionary says which variables are the outcome.
        outcome = {name for name, variable in dictionary.variables.items() if variable.outcome}
        values = {name: value for name, value in values.items() if name not in outcome | {"discharge_date"}}
    return values


def _plain(value: Any) -> Any:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return None
    return value.item() if hasattr(value, "item") else value
