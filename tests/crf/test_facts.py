"""What the form tells imaging of a patient."""

from datetime import date

import pytest

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.crf.selectors import form_of
from apps.crf.services import save_form
from apps.patients.facts import Facts, facts_of
from apps.patients.models import Patient

pytestmark = pytest.mark.django_db


def test_a_patient_without_form_has_no_facts(patient: Patient) -> None:
    assert facts_of(patient) == Facts(age=None, sex="", admission=None)


@pytest.mark.parametrize(("sex", "code"), [("male", "M"), ("female", "F")])
def test_facts_are_what_the_form_holds_now(sex: str, code: str, users: dict[Role, User], patient: Patient) -> None:
    actor = users[Role.COORDINATOR]
    entered: dict[str, object] = {"age": "67", "sex": sex, "admission_date": "2024-03-31"}
    save_form(actor=actor, patient=patient, read_version=0, values=entered)
    assert facts_of(patient) == Facts(age=67.0, sex=code, admission=date(2024, 3, 31))
    assert form_of(patient).version == 1  # the form is cached on this patient from here on
    again = Patient.objects.get(pk=patient.pk)
    values = {"age": "68", "sex": "", "admission_date": ""}
    save_form(actor=actor, patient=again, read_version=1, values=values, reason="typing error")
    assert facts_of(patient) == Facts(age=68.0, sex="", admission=None)
