"""Any sequence of saves and publications keeps every value ever entered; two at the same moment do not cross."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from django.db import close_old_connections, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent
from apps.core.errors import Refusal
from apps.core.jobs import JobHandle
from apps.crf.conditions import Value
from apps.crf.dictionary import load_dictionary
from apps.crf.models import CrfForm, CrfValue, DictionaryVersion
from apps.crf.rules import replay
from apps.crf.selectors import form_of
from apps.crf.services import save_form
from apps.crf.versions.current import DictionaryChanged, forget_published, look_again
from apps.crf.versions.services import draft_version, perform_publication, publish_version, set_moves
from apps.crf.versions.writing import dictionary_to_yaml
from apps.patients.models import Patient
from tests.audit.trails import faults, settle
from tests.crf.versions.conftest import Data, shipped, text, variable
from tests.factories import PatientFactory

pytestmark = pytest.mark.django_db
Users = dict[Role, User]
Amendment = Callable[[Data], Data]
FEW: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


def rename(data: Data) -> Data:
    """Give the variable on alcohol its other name."""
    known = {each["name"] for section in data["sections"] for each in section["variables"]}
    old, new = ("alcohol", "alcohol_use") if "alcohol" in known else ("alcohol_use", "alcohol")
    variable(data, old)["name"] = new
    return {new: {"source": old}}


def turn_round(data: Data) -> Data:
    """Count the eye response the other way."""
    for choice in variable(data, "gcs_eye")["choices"]:
        choice["value"] = 5 - choice["value"]
    return {"gcs_eye": {"recode": {str(code): 5 - code for code in (1, 2, 3, 4)}}}


def ask_less(data: Data) -> Data:
    """Ask for the date of the operation after a craniotomy alone."""
    variable(data, "operation_date")["show_if"] = {"variable": "treatment", "one_of": ["cc"]}
    return {}


def yes_or_no_as_choice(data: Data) -> Data:
    """Make a choice of smoking, or a yes or no again."""
    found = variable(data, "smoking")
    if found["type"] == "yesno":
        label = {"en": "x", "zh-Hans": "x"}
        found.update(type="choice", choices=[{"value": word, "label": label} for word in ("never", "ever")])
        return {"smoking": {"recode": {"true": "ever", "false": "never"}}}
    found.update(type="yesno")
    del found["choices"]
    return {"smoking": {"recode": {"ever": True, "never": False}}}


AMENDMENTS = [rename, turn_round, ask_less, yes_or_no_as_choice]
TYPED = {
    "alcohol": ["", "true", "false"],
    "alcohol_use": ["", "true", "false"],
    "gcs_eye": ["", "1", "4"],
    "gcs_verbal": ["", "2"],
    "smoking": ["", "true", "ever"],
    "treatment": ["", "cc", "mia"],
    "operation_date": ["", "2024-01-01"],
}
FORMS = st.fixed_dictionaries({}, optional={name: st.sampled_from(texts) for name, texts in TYPED.items()})
STEPS = st.lists(
    st.one_of(st.tuples(st.integers(0, 1), FORMS), st.sampled_from(AMENDMENTS)), min_size=2, max_size=8
)  # fmt: skip


def enter(actor: User, patient: Patient, values: dict[str, str]) -> None:
    patient = Patient.objects.get(pk=patient.pk)
    try:
        save_form(
            actor=actor, patient=patient, read_version=form_of(patient).version, values=values, reason="source"
        )  # fmt: skip
    except Refusal:
        return


def amend(actor: User, amendment: Amendment) -> None:
    data: Data = yaml.safe_load(dictionary_to_yaml(load_dictionary()))
    moves = amendment(data)
    draft = draft_version(actor=actor, content=text(data))
    set_moves(actor=actor, version=draft, moves=moves)
    publish_version(actor=actor, version=draft, reason="amendment")
    perform_publication(_Job(), DictionaryVersion.objects.get(pk=draft.pk))


class _Job(JobHandle):
    """A worker's handle whose reports nobody reads."""

    def __init__(self) -> None:
        super().__init__(job_id=0, claim="")

    def report(self, stage: str, progress: float) -> None:
        pass


@given(steps=STEPS)
@settings(max_examples=15, **FEW)
def test_any_sequence_keeps_every_value(users: Users, patient: Patient, steps: list[Any]) -> None:
    with transaction.atomic():
        patients = [patient, PatientFactory(center=patient.center, enrolled_by=users[Role.COORDINATOR])]
        before: list[tuple[Any, ...]] = []
        for step in steps:
            if callable(step):
                known = _answers()
                amend(users[Role.DATA_MANAGER], step)
                assert _answered(_answers()) == _answered(known) or step is ask_less
            else:
                enter(users[Role.COORDINATOR], patients[step[0]], step[1])
            now = list(CrfValue.objects.order_by("pk").values_list("pk", "form", "variable", "value", "form_version"))
            assert now[: len(before)] == before, "what was entered stays as it was"
            before = now
        for form in CrfForm.objects.all():
            events = CrfValue.objects.filter(form=form)
            assert replay((event.variable, event.answer) for event in events) == form.answers
            assert set(form.values) <= set(load_dictionary().variables)
        settle()
        assert faults() == []
        transaction.set_rollback(True)
    forget_published()


def _answers() -> dict[int, dict[str, Value]]:
    return {form.pk: dict(form.values) for form in CrfForm.objects.order_by("pk")}


def _answered(forms: dict[int, dict[str, Value]]) -> dict[int, int]:
    """Return how many variables have a value in each form: no amendment here but one takes any away."""
    return {key: len(values) for key, values in forms.items()}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time by itself.")
@pytest.mark.django_db(transaction=True)
def test_a_save_at_the_moment_of_a_publication_is_before_or_after_it(users: Users, patient: Patient) -> None:
    """Each save is moved or refused; none lands under the old questions after the forms were moved."""
    data = shipped()
    variable(data, "alcohol")["name"] = "alcohol_use"
    actor = users[Role.DATA_MANAGER]
    draft = draft_version(actor=actor, content=text(data))
    set_moves(actor=actor, version=draft, moves={"alcohol_use": {"source": "alcohol"}})
    publish_version(actor=actor, version=draft, reason="amendment")
    patients = [PatientFactory(center=patient.center, enrolled_by=users[Role.COORDINATOR]) for _ in range(24)]
    gate, saved, refused = threading.Barrier(5), [], []

    def enter_all(mine: list[Patient]) -> None:
        try:
            gate.wait(30)
            for each in mine:
                look_again()  # a request of its own
                try:
                    save_form(
                        actor=users[Role.COORDINATOR], patient=each, read_version=0, values={"alcohol": "true"}
                    )  # fmt: skip
                    saved.append(each.pk)
                except (DictionaryChanged, Refusal):
                    refused.append(each.pk)
        finally:
            close_old_connections()
            connection.close()

    def publish() -> None:
        try:
            gate.wait(30)
            perform_publication(_Job(), DictionaryVersion.objects.get(pk=draft.pk))
        finally:
            connection.close()

    threads = [threading.Thread(target=enter_all, args=(patients[start::4],)) for start in range(4)]
    threads.append(threading.Thread(target=publish))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(saved + refused) == sorted(each.pk for each in patients)
    values = dict(CrfForm.objects.values_list("patient_id", "values"))
    assert values == {key: {"alcohol_use": True} for key in saved}
    moved = AuditEvent.objects.filter(action="migrate_form").count()
    assert moved == len(saved), "whatever was saved under the old questions was moved"
