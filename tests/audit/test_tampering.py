"""Any sequence of saves is whole and holds every value; any one row altered behind the platform's back is found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.db.migrations.executor import MigrationExecutor
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.audit.chain import FIELDS, digest_of, next_chain
from apps.audit.models import AuditEvent, AuditLink
from apps.core.errors import Refusal
from apps.crf.models import CrfForm, CrfValue
from apps.crf.selectors import form_of
from apps.crf.services import save_form
from apps.patients.models import Patient
from tests.audit.trails import faults, head, overwrite, settle
from tests.factories import PatientFactory
from tests.protection import unprotected

pytestmark = pytest.mark.django_db
Users = dict[Role, User]
FEW = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}

VALUES = {
    "age": ["", "60", "61"],
    "gcs": ["", "3", "9", "99"],
    "ivh": ["", "true", "false"],
    "onset_to_ct_hours": ["", "2.5", "3"],
    "treatment": ["", "cc", "cmt"],
    "operation_date": ["", "2024-01-01", "2024-02-02"],
    "gos_discharge": ["", "3"],
}
FORMS = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in VALUES.items()})
SAVES = st.lists(
    st.tuples(st.sampled_from([Role.COORDINATOR, Role.DATA_MANAGER]), st.integers(0, 1), FORMS), min_size=1, max_size=8
)


def enter(users: Users, patients: list[Patient], saves: list[Any]) -> list[tuple[int, str, object]]:
    """Make the saves (who, for which patient, what); return (patient, variable, value) of all that was changed."""
    entered = []
    for role, which, values in saves:
        patient = Patient.objects.get(pk=patients[which].pk)
        try:
            result = save_form(
                actor=users[role],
                patient=patient,
                read_version=form_of(patient).version,
                values=values,
                reason="typing",
            )
        except Refusal:
            continue
        entered += [(patient.pk, name, result.form.values.get(name)) for name in result.changed]
    return entered


def place(entry: tuple[int, str, object]) -> tuple[int, str]:
    """Patient and variable; what is sorted by it keeps the order in time."""
    return entry[0], entry[1]


@given(saves=SAVES)
@settings(max_examples=50, **FEW)
def test_every_value_ever_entered_stays_and_is_vouched_for(users: Users, patient: Patient, saves: list[Any]) -> None:
    with transaction.atomic():
        patients = [patient, PatientFactory(center=patient.center, enrolled_by=users[Role.COORDINATOR])]
        entered = enter(users, patients, saves)
        history = list(CrfValue.objects.order_by("pk").values_list("form__patient_id", "variable", "value"))
        assert history == entered
        forms = dict(CrfForm.objects.values_list("pk", "patient_id"))
        in_trail = [
            (forms[int(form)], name, new)
            for form, changes in AuditEvent.objects.order_by("pk").values_list("object_id", "changes")
            for name, (_, new) in changes.items()
        ]
        assert sorted(in_trail, key=place) == sorted(entered, key=place)
        assert faults() == []
        transaction.set_rollback(True)


def another(field: models.Field[Any, Any], value: Any, choice: int) -> Any:
    """Return a value of the column's type that is not the one that stands there."""
    if field.null and value is not None and choice == 0:
        return None
    if isinstance(field, models.DateTimeField):
        return value + timedelta(microseconds=1 + choice)
    if isinstance(field, models.JSONField):
        return [value, choice] if choice % 2 else {"x": value}
    if isinstance(field, models.CharField | models.TextField):
        text = str(value)
        return text + "x" if choice % 2 or not text else text[:-1] + ("0" if text[-1] != "0" else "1")
    return (value or 0) + 1000 + choice


def tamper(data: st.DataObject) -> None:
    """Alter, delete, add or swap one row of the trail or of the value history."""
    model = data.draw(st.sampled_from([AuditEvent, AuditLink, CrfValue]), label="table")
    rows = list(model._default_manager.order_by("pk"))
    row = data.draw(st.sampled_from(rows), label="row")
    how = data.draw(st.sampled_from(["alter", "delete", "add", "swap"]), label="how")
    columns = [field.attname for field in model._meta.concrete_fields]
    if how == "alter":
        column = data.draw(st.sampled_from(columns), label="column")
        value = another(model._meta.get_field(column), getattr(row, column), data.draw(st.integers(0, 3)))
        assume(value != getattr(row, column))
        if column == "digest" or column == "chain":
            value = value[:64] if value[:64] != getattr(row, column) else "0" * 64
        overwrite(row, column, value)
    elif how == "delete":
        with connection.cursor() as cursor:
            cursor.execute(f'DELETE FROM {model._meta.db_table} WHERE "{model._meta.pk.column}" = %s', [row.pk])
    elif how == "add":
        add_copy(row)
    else:
        other = data.draw(st.sampled_from(rows), label="other")
        swap(row, other)


def add_copy(row: models.Model) -> None:
    columns = {field.column: getattr(row, field.attname) for field in row._meta.concrete_fields}
    fields = {field.column: field for field in row._meta.concrete_fields}
    columns[row._meta.pk.column] = row.pk + 5000
    if isinstance(row, CrfValue):
        columns["form_version"] += 50
    if isinstance(row, AuditLink):
        columns["event_id"] += 5000
    names = ", ".join(f'"{name}"' for name in columns)
    values = [fields[name].get_db_prep_save(value, connection) for name, value in columns.items()]
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {row._meta.db_table} ({names}) VALUES ({', '.join(['%s'] * len(values))})", values)


def swap(row: models.Model, other: models.Model) -> None:
    """Exchange what two rows say, and leave where they stand; of two links, what they stand for."""
    kept = {"id", "sequence", "form_id", "variable", "form_version"}
    columns = [field.attname for field in row._meta.concrete_fields if field.attname not in kept]
    mine, others = ({name: getattr(one, name) for name in columns} for one in (row, other))
    assume(json.dumps(mine, default=str) != json.dumps(others, default=str))
    if isinstance(row, AuditLink):
        overwrite(row, "event_id", 9000)
    for name in columns:
        overwrite(other, name, mine[name])
    for name in columns:
        overwrite(row, name, others[name])


@given(saves=SAVES, data=st.data())
@settings(max_examples=120, **FEW)
def test_any_one_row_altered_is_found(users: Users, patient: Patient, saves: list[Any], data: st.DataObject) -> None:
    with transaction.atomic():
        patients = [patient, PatientFactory(center=patient.center, enrolled_by=users[Role.COORDINATOR])]
        enter(users, patients, [(Role.COORDINATOR, 0, {"age": "70", "gcs": "12"}), *saves])
        settle()
        try:
            with unprotected(), transaction.atomic():
                tamper(data)
        except IntegrityError:
            reject()  # the database itself does not take such a row
        assert faults() != []
        transaction.set_rollback(True)


def some_saves(users: Users, patient: Patient) -> CrfForm:
    for version, values in enumerate([{"age": 60, "gcs": 9}, {"age": 61}, {"gcs": 8}]):
        form = save(users[Role.COORDINATOR], patient, version, values)
    settle()
    return form


def save(actor: User, patient: Patient, version: int, values: Mapping[str, object]) -> CrfForm:
    return save_form(actor=actor, patient=patient, read_version=version, values=values, reason="typing error").form


def test_the_row_is_named(users: Users, patient: Patient) -> None:
    some_saves(users, patient)
    event = AuditEvent.objects.order_by("pk")[1]
    value = CrfValue.objects.filter(form_version=3).get()
    with unprotected():
        overwrite(event, "at", event.at - timedelta(days=1))
        overwrite(value, "value", 15)
    found = faults()
    assert f"event {event.pk} (place 2 in the chain): its content is not what was written." in found
    event_of_value = AuditEvent.objects.order_by("pk")[2]
    assert (
        f"row {value.pk} of crf_crfvalue, written with event {event_of_value.pk}: its content is not what was written."
        in found
    )


def test_the_current_values_are_held_against_the_history(users: Users, patient: Patient) -> None:
    form = some_saves(users, patient)
    CrfForm.objects.filter(pk=form.pk).update(values={"age": 60, "gcs": 8})
    assert faults() == [f"row {form.pk} of crf_crfform: its values are not those that its history gives."]


def test_a_trail_cut_short_is_found_by_the_head_noted_earlier(users: Users, patient: Patient) -> None:
    """Without the head it can't be: what is left is what was there a while ago."""
    form = some_saves(users, patient)
    noted = head()
    save(users[Role.COORDINATOR], patient, 3, {"gcs": 7})
    assert faults(noted) == []
    with unprotected(), connection.cursor() as cursor:
        for table, key in (("audit_auditlink", "sequence"), ("audit_auditevent", "id")):
            cursor.execute(f"DELETE FROM {table} WHERE {key} > (SELECT max({key}) - 2 FROM {table})")
        cursor.execute("DELETE FROM crf_crfvalue WHERE form_version > 2")
    CrfForm.objects.filter(pk=form.pk).update(values={"age": 61, "gcs": 9}, version=2)
    assert faults() == []
    assert faults(noted) == [
        "the chain: the head noted earlier is not part of it: events were removed or replaced since then."
    ]


def test_a_rewritten_trail_is_found_by_the_head_noted_earlier(users: Users, patient: Patient) -> None:
    some_saves(users, patient)
    noted = head()
    event, link = AuditEvent.objects.order_by("pk").last(), AuditLink.objects.last()
    assert event is not None and link is not None
    before = AuditLink.objects.get(sequence=link.sequence - 1).chain
    content = {name: getattr(event, name) for name in FIELDS} | {"reason": "another reason"}
    with unprotected():
        overwrite(event, "reason", "another reason")
        overwrite(event, "digest", digest_of(content))
        overwrite(link, "chain", next_chain(before, digest_of(content), event.pk))
    assert faults() == []
    assert len(faults(noted)) == 1


def test_what_cannot_be_read_is_a_fault(users: Users, patient: Patient) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL keeps the types of its columns.")
    some_saves(users, patient)
    with unprotected(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE audit_auditevent SET at = '2026-13-01 00:00:00' WHERE id = (SELECT max(id) FROM audit_auditevent)"
        )
    assert any("can't be read" in fault for fault in faults())


def as_migrated(app: str, name: str) -> tuple[Any, Any]:
    """Return a migration's module, and the models as they were when it runs."""
    state = MigrationExecutor(connection).loader.project_state((app, name))
    return import_module(f"apps.{app}.migrations.{name}"), state.apps


def test_the_events_of_before_are_chained_in_their_order(users: Users, patient: Patient) -> None:
    """The migration's step, on events as the version before it left them: without digest and without place."""
    some_saves(users, patient)
    with unprotected(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_auditlink")
        cursor.execute("UPDATE audit_auditevent SET digest = ''")
        assert len(faults()) > 3
        migration, apps = as_migrated("audit", "0003_chain_earlier_events")
        migration.fill(apps, None)
    assert faults() == []
    keys = AuditEvent.objects.order_by("pk").values_list("pk", flat=True)
    assert list(AuditLink.objects.values_list("sequence", "event_id")) == list(enumerate(keys, start=1))


def test_the_values_of_before_are_taken_into_the_trail(users: Users, patient: Patient) -> None:
    """The migration's step, on values that no event vouches for."""
    form = some_saves(users, patient)
    with unprotected(), connection.cursor() as cursor:
        for table in ("audit_auditlink", "audit_auditevent"):
            cursor.execute(f"DELETE FROM {table}")
    assert len(faults()) == 4
    now = datetime.now().astimezone()
    migration, apps = as_migrated("crf", "0002_values_in_the_trail")
    migration.take_in(apps, type("Editor", (), {"connection": connection}))
    assert faults() == []
    event = AuditEvent.objects.get()
    assert (event.action, event.object_id, event.actor_id) == ("take_into_trail", str(form.pk), None)
    assert set(event.rows["digests"]) == {str(key) for key in CrfValue.objects.values_list("pk", flat=True)}
    assert event.at >= now
