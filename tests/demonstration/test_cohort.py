"""The demonstration's people and patients: what it enters is what a center could have entered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.access import has_permission_everywhere, roles_of
from apps.accounts.models import Center, Membership, User
from apps.accounts.policy import Permission, Role
from apps.annotation.models import Mask
from apps.core.models import Job
from apps.crf.dictionary import load_dictionary
from apps.crf.models import CrfForm
from apps.crf.selectors import model_features, outcome_of
from apps.demonstration.cohort import best_probabilities, build_cohort, form_values, simulated_rows
from apps.demonstration.people import CENTERS, COORDINATORS, PASSWORD, create_people, sign_in_table
from apps.demonstration.phantoms import draw_phantom, scanned
from apps.imaging.models import Instance, Series
from apps.patients.models import Patient
from ml.simulation import MAX_VOLUME_ML, TRUTH_COLUMNS, Side
from ml.simulation.training_set import FEATURES
from ml.training import Feature
from tests.cohorts.factory import fill_form
from tests.factories import PatientFactory

pytestmark = pytest.mark.slow

ROWS = simulated_rows(200)


@pytest.fixture
def people(db: None) -> None:
    create_people()


def test_it_refuses_to_fill_a_study_that_is_no_demonstration(db: None, settings: Any) -> None:
    settings.DEMONSTRATION = False
    with pytest.raises(CommandError, match="ICHOR_DEMONSTRATION"):
        call_command("demo", "--no-serve")
    assert not User.objects.exists() and not Center.objects.exists()


def test_people_are_created_once(people: None) -> None:
    before = {user.username: user.password for user in User.objects.all()}
    memberships = list(Membership.objects.order_by("pk").values())
    create_people()
    assert {user.username: user.password for user in User.objects.all()} == before
    assert list(Membership.objects.order_by("pk").values()) == memberships
    assert set(Center.objects.values_list("code", flat=True)) == set(CENTERS)


def test_each_role_can_sign_in(people: None) -> None:
    table = sign_in_table()
    assert [role for role, _, _ in table] == [str(role.label) for role in Role]
    for role, (_, username, password) in zip(Role, table, strict=True):
        user = User.objects.get(username=username)
        assert user.check_password(password) and password == PASSWORD and roles_of(user) == [role]
    for code, username in COORDINATORS.items():
        membership = User.objects.get(username=username).memberships.get()
        assert membership.center is not None and (membership.center.code, membership.role) == (code, Role.COORDINATOR)
    scientist = User.objects.get(username="scientist")
    assert has_permission_everywhere(scientist, Permission.RUN_EXPERIMENTS)


def test_the_accounts_stand_on_the_sign_in_page_of_a_demonstration_alone(
    people: None, client: Any, settings: Any
) -> None:
    settings.DEMONSTRATION = True
    assert PASSWORD in client.get("/account/login/").content.decode()
    assert PASSWORD not in client.get("/account/password/reset/").content.decode()
    settings.DEMONSTRATION = False
    assert PASSWORD not in client.get("/account/login/").content.decode()


def test_200_simulated_forms_pass_every_check_and_are_complete(people: None) -> None:
    centers = {center.code: center for center in Center.objects.all()}
    for number, row in enumerate(ROWS):
        patient = PatientFactory(center=centers[row["center"]])
        form = fill_form(patient, form_values(row, number, discharged=True))
        assert form.is_complete
        assert outcome_of(form.values) is bool(row["poor_outcome"])
        assert date.fromisoformat(form.values["discharge_date"]) < date(2024, 6, 1)


def test_a_patient_in_hospital_has_no_outcome_and_nothing_else_missing(people: None) -> None:
    form = fill_form(PatientFactory(center=Center.objects.get(code="C1")), form_values(ROWS[0], 0, discharged=False))
    full = form_values(ROWS[0], 0, discharged=True)
    left_out = {"gos_discharge", "mrs_discharge", "outcome_assessor", "outcome_date", "discharge_date"}
    assert {name for name, value in full.items() if value is not None} - set(form.values) == left_out
    assert outcome_of(form.values) is None and not form.is_complete


def test_what_only_the_simulation_knows_is_entered_nowhere(people: None) -> None:
    assert set(TRUTH_COLUMNS) <= set(ROWS[0])
    assert not set(TRUTH_COLUMNS) & set(load_dictionary().variables)
    assert not set(TRUTH_COLUMNS) & set(form_values(ROWS[0], 0, discharged=True))


def test_the_simulated_training_set_has_the_features_of_the_dictionary() -> None:
    assert [Feature.model_validate(feature) for feature in model_features()] == list(FEATURES)


def test_each_patients_best_probability_is_that_of_his_row(people: None) -> None:
    for row in ROWS[:7]:
        PatientFactory(center=Center.objects.get(code=row["center"]))
    found = best_probabilities(6)
    entered = list(Patient.objects.order_by("pk").values_list("study_id", flat=True))
    assert [found[study_id] for study_id in entered[:6]] == [row["best_probability"] for row in ROWS[:6]]
    assert len(found) == 6, "a seventh patient is none of the demonstration's"


def test_the_phantom_of_200_rows_fits_into_a_head() -> None:
    sides = set()
    for row in ROWS:
        spec = scanned(row)
        assert 0.3 <= spec.volume_ml <= MAX_VOLUME_ML[spec.site]
        assert spec.site.infratentorial == (row["location"] == "infratentorial")
        assert row["bleed_side"] == "midline" or spec.side == Side(row["bleed_side"])
        sides.add(row["bleed_side"])
    assert sides == {"left", "right", "midline"}, "all of them were tried"


def test_the_same_row_gives_the_same_files() -> None:
    row = ROWS[0] | {"study_date": "20230109"}
    first, again = draw_phantom(row, 5), draw_phantom(row, 5)
    assert first.files == again.files
    assert draw_phantom(row, 6).files != first.files


def test_a_demonstration_that_was_stopped_goes_on(
    people: None, files: Callable[[], set[str]], django_capture_on_commit_callbacks: Any
) -> None:
    seen: list[tuple[str, float]] = []
    rows = simulated_rows(2)

    class StoppedError(Exception):
        pass

    def stop_after_one(what: str, fraction: float) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        build_cohort(analysed=1, in_hospital=1, report=stop_after_one)
    assert (Patient.objects.count(), Mask.objects.count()) == (1, 1)
    # As if it had been stopped after the form, before the CT.
    for model in (Mask, Instance, Series):
        model.objects.all().delete()
    kept = CrfForm.objects.values().get()

    build_cohort(analysed=1, in_hospital=1, report=lambda what, fraction: seen.append((what, fraction)))
    assert seen == [("patients", 0.5), ("patients", 1.0)]
    assert [patient.center.code for patient in Patient.objects.order_by("pk")] == [row["center"] for row in rows]
    found = Series.objects.filter(modality="CT", is_chosen=True)
    assert (CrfForm.objects.count(), found.count(), Mask.objects.count()) == (2, 2, 2)
    assert CrfForm.objects.values().get(pk=kept["id"]) == kept
    for number, mask in enumerate(Mask.objects.order_by("pk")):
        assert float(mask.volume_ml) == pytest.approx(rows[number]["hematoma_volume_ml"], rel=0.01, abs=0.05)
    assert [outcome_of(form.values) is None for form in CrfForm.objects.order_by("pk")] == [False, True]

    jobs, names = Job.objects.count(), files()
    build_cohort(analysed=1, in_hospital=1, report=lambda what, fraction: seen.append((what, fraction)))
    assert len(seen) == 2 and Job.objects.count() == jobs and files() == names


def test_a_study_with_other_patients_is_left_alone(people: None, files: Callable[[], set[str]]) -> None:
    other = next(code for code in CENTERS if code != simulated_rows(2)[0]["center"])
    PatientFactory(center=Center.objects.get(code=other))
    with pytest.raises(CommandError, match="filled with other patients"):
        build_cohort(analysed=1, in_hospital=1, report=lambda what, fraction: None)
    assert not CrfForm.objects.exists() and not Series.objects.exists() and not files()
