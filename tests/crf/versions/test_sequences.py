"""Any sequence of saves, second entries and publications keeps every value; two at the same moment do not cross."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
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
from apps.crf.double_entry.comparing import compare, differing
from apps.crf.double_entry.models import SecondEntry, SecondValue
from apps.crf.double_entry.services import give_up_second_entry
from apps.crf.missing import as_data
from apps.crf.models import CrfForm, CrfValue, DictionaryVersion
from apps.crf.rules import replay
from apps.crf.selectors import form_of
from apps.crf.services import save_form
from apps.crf.values import RefusedValueError, parse_value
from apps.crf.versions.current import DictionaryChanged, forget_published, look_again
from apps.crf.versions.services import draft_version, perform_publication, publish_version, set_moves
from apps.crf.versions.writing import dictionary_to_yaml
from apps.patients.models import Patient
from tests.audit.trails import faults, settle
from tests.crf.double_entry.steps import colleague, decide, keep, start, submit
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
    "age": ["60", "61"],
    "sex": ["male", "female"],
    "alcohol": ["", "true", "false"],
    "alcohol_use": ["", "true", "false"],
    "gcs_eye": ["", "1", "4"],
    "gcs_verbal": ["", "2"],
    "smoking": ["", "true", "ever"],
    "treatment": ["", "cc", "mia"],
    "operation_date": ["", "2024-01-01"],
}
FORMS = st.fixed_dictionaries({}, optional={name: st.sampled_from(texts) for name, texts in TYPED.items()})
# Saving what was read some versions ago is a merge, or a conflict.
SAVE = st.tuples(st.just("save"), st.integers(0, 1), FORMS, st.integers(0, 2))
VERBS = ["start", "keep", "submit", "submit", "give up", "first", "second"]
AGAIN = st.tuples(st.sampled_from(VERBS), st.just(0), FORMS.map(lambda form: {"age": "61", **form}))
STEPS = st.lists(st.one_of(SAVE, AGAIN, AGAIN, AGAIN, st.sampled_from(AMENDMENTS)), min_size=8, max_size=16)


def enter(actor: User, patient: Patient, values: dict[str, str], late: int = 0) -> None:
    version = max(0, form_of(patient).version - late)
    save_form(actor=actor, patient=patient, read_version=version, values=values, reason="source")


def enter_again(users: Users, second: User, patient: Patient, step: str, values: dict[str, str]) -> None:
    """Do one step of a second entry; "first" and "second" reconcile, and say whose value is kept."""
    form = form_of(patient)
    if not form.pk:
        return
    entry = form.second_entries.last()
    if step == "start":
        start(second, form)
    elif entry is None:
        return
    elif step == "give up":
        give_up_second_entry(actor=second, entry=entry)
    elif step in ("keep", "submit"):
        asked = {name: values[name] for name in values if name in entry.variables}
        (keep if step == "keep" else submit)(second, entry, **asked)
    elif entry.state == SecondEntry.State.SUBMITTED:
        names = [row.variable.name for row in differing(compare(entry, form))]
        decide(users[Role.PI], entry, **dict.fromkeys(names, step))


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
        second = colleague(patient.center, name="again")
        take(users, second, patients, ("save", 0, {"age": "60", "sex": "male"}, 0))
        before = _history()
        for step in [("start", 0, {}), *steps]:
            known, done = _answers(), True
            try:
                with transaction.atomic():
                    take(users, second, patients, step)
            except Refusal:
                done = False
            if callable(step):
                assert _answered(_answers()) == _answered(known) or step is ask_less
            now = _history()
            assert [new[: len(old)] for old, new in zip(before, now, strict=True)] == before, "what was entered stays"
            if done and not callable(step) and step[0] in ("save", "keep", "submit"):
                _check_kept(step, patients, now[0] if step[0] == "save" else now[1])
            before = now
        for form in CrfForm.objects.all():
            events = CrfValue.objects.filter(form=form)
            assert replay((event.variable, event.answer) for event in events) == form.answers
            assert set(form.values) <= set(load_dictionary().variables)
        settle()
        assert faults() == []
        transaction.set_rollback(True)
    forget_published()


def take(users: Users, second: User, patients: list[Patient], step: Any) -> None:
    if callable(step):
        amend(users[Role.DATA_MANAGER], step)
        return
    patient = Patient.objects.get(pk=patients[step[1]].pk)
    if step[0] == "save":
        enter(users[Role.COORDINATOR], patient, asked_now(step[2]), late=step[3])
    else:
        enter_again(users, second, patient, step[0], asked_now(step[2]))


def asked_now(values: dict[str, str]) -> dict[str, str]:
    """Leave out what is no answer to the questions as they are by now."""
    variables, kept = load_dictionary().variables, {}
    for name in set(values) & set(variables):
        with suppress(RefusedValueError):
            parse_value(variables[name], values[name])
            kept[name] = values[name]
    return kept


def _history() -> list[list[tuple[Any, ...]]]:
    """Return every value that was ever entered: in forms, and in second entries."""
    forms = CrfValue.objects.order_by("pk").values_list("pk", "form", "variable", "value", "form_version")
    entries = SecondValue.objects.order_by("pk").values_list("pk", "entry", "variable", "value", "entry_version")
    return [list(forms), list(entries)]


def _check_kept(step: Any, patients: list[Patient], rows: list[tuple[Any, ...]]) -> None:
    """What was typed and accepted is in the history of its form, or of its second entry."""
    variables = load_dictionary().variables
    form = form_of(Patient.objects.get(pk=patients[step[1]].pk))
    if not form.pk:
        return  # nothing but blanks
    entry = form.second_entries.last()
    owner = form if step[0] == "save" else entry
    if owner is None:
        return
    kept = {(variable, value) for _pk, key, variable, value, _version in rows if key == owner.pk}
    for name, typed in asked_now(step[2]).items():
        if typed and (owner is form or name in entry.variables):
            assert (name, as_data(parse_value(variables[name], typed))) in kept, (name, typed)


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
