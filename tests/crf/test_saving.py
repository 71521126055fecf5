"""Saving a form: events, the current values, merge and conflict, permissions, the trail."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import close_old_connections, connection
from django.http import Http404
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent
from apps.core.errors import Conflict, Refusal
from apps.crf.computed import stale_values
from apps.crf.conditions import Value
from apps.crf.dictionary import load_dictionary
from apps.crf.missing import Answer
from apps.crf.models import CrfForm, CrfValue
from apps.crf.rules import applicable, replay
from apps.crf.selectors import form_of, last_changes, values_at, values_for_display
from apps.crf.services import FormConflict, FormErrors, ReasonRefused, SaveResult, save_form
from apps.patients import changes
from apps.patients.models import Patient
from tests.factories import PatientFactory

pytestmark = pytest.mark.django_db
Users = dict[Role, User]


def save(
    actor: User,
    patient: Patient,
    values: Mapping[str, object],
    version: int | None = None,
    reason: str = "typing error",
) -> SaveResult:
    patient = Patient.objects.get(pk=patient.pk)
    read = form_of(patient).version if version is None else version
    return save_form(actor=actor, patient=patient, read_version=read, values=values, reason=reason)


def stored(patient: Patient) -> dict[str, Value]:
    return dict(CrfForm.objects.get(patient=patient).values)


def test_a_save_is_events_current_values_and_one_audit_row(users: Users, patient: Patient) -> None:
    actor = users[Role.COORDINATOR]
    result = save_form(
        actor=actor, patient=patient, read_version=0, values={"age": "67", "gcs": 9, "nihss": ""}, reason=" source "
    )
    assert result.changed == ("age", "gcs")
    assert (result.form.version, result.form.dictionary_version) == (1, "ich-1")
    assert stored(patient) == {"age": 67, "gcs": 9}
    assert set(CrfValue.objects.values_list("variable", "value", "form_version", "reason")) == {
        ("age", 67, 1, "source"),
        ("gcs", 9, 1, "source"),
    }
    event = AuditEvent.objects.get()
    assert (event.actor, event.action, event.center, event.reason) == (actor, "save_form", patient.center, "source")
    assert event.changes == {"age": [None, 67], "gcs": [None, 9]}


def test_a_correction_keeps_the_old_value(users: Users, patient: Patient) -> None:
    save(users[Role.COORDINATOR], patient, {"age": "67"})
    save(users[Role.DATA_MANAGER], patient, {"age": "76"})
    assert [e.value for e in CrfValue.objects.filter(variable="age")] == [67, 76]
    assert AuditEvent.objects.first().changes == {"age": [67, 76]}  # type: ignore[union-attr]
    form = CrfForm.objects.get(patient=patient)
    assert values_at(form, 1) == {"age": 67}
    assert last_changes(form)["age"][1] == users[Role.DATA_MANAGER].full_name


@pytest.mark.parametrize("values", [{}, {"age": ""}, {"age": None, "ivh": ""}])
def test_nothing_changed_writes_nothing(users: Users, patient: Patient, values: dict[str, object]) -> None:
    assert save(users[Role.COORDINATOR], patient, values).changed == ()
    assert not CrfForm.objects.exists()
    assert not AuditEvent.objects.exists()


def test_the_same_values_again_write_nothing(users: Users, patient: Patient) -> None:
    save(users[Role.COORDINATOR], patient, {"age": "67", "ivh": True})
    again = save(users[Role.COORDINATOR], patient, {"age": 67, "ivh": "true"})
    assert (again.changed, again.form.version) == ((), 1)
    assert CrfValue.objects.count() == 2


def test_one_refused_value_stores_nothing(users: Users, patient: Patient) -> None:
    with pytest.raises(FormErrors) as caught:
        save(users[Role.COORDINATOR], patient, {"age": "67", "gcs": "2", "color": "red", "ivh": "maybe"})
    assert set(caught.value.errors) == {"gcs", "color", "ivh"}
    assert caught.value.status == 422
    assert not CrfForm.objects.exists()
    assert not CrfValue.objects.exists()


def test_a_broken_hard_rule_is_said_at_the_values_that_were_changed(users: Users, patient: Patient) -> None:
    save(users[Role.COORDINATOR], patient, {"systolic_bp": 150})
    with pytest.raises(FormErrors) as caught:
        save(users[Role.COORDINATOR], patient, {"diastolic_bp": 160})
    assert list(caught.value.errors) == ["diastolic_bp"]
    assert stored(patient) == {"systolic_bp": 150}


def test_a_soft_rule_is_stored_with_a_warning(users: Users, patient: Patient) -> None:
    result = save(users[Role.COORDINATOR], patient, {"coma": True, "gcs": 14, "age": 101})
    assert {finding.rule for finding in result.warnings} == {"coma_fits_gcs", "usual_age"}
    assert stored(patient)["coma"] is True


def test_a_variable_that_no_longer_applies_is_cleared_by_an_event(users: Users, patient: Patient) -> None:
    actor = users[Role.COORDINATOR]
    save(actor, patient, {"treatment": "cc", "operation_date": "2024-01-01"})
    # The browser may still send the field that has just gone out of sight.
    result = save(actor, patient, {"treatment": "cmt", "operation_date": "2024-01-01"})
    assert set(result.changed) == {"treatment", "operation_date"}
    assert stored(patient) == {"treatment": "cmt"}
    last = CrfValue.objects.filter(variable="operation_date").last()
    assert last is not None
    assert last.value is None


def test_a_new_value_of_a_variable_that_does_not_apply_is_refused(users: Users, patient: Patient) -> None:
    with pytest.raises(FormErrors) as caught:
        save(users[Role.COORDINATOR], patient, {"treatment": "cmt", "operation_date": "2024-01-01"})
    assert "Treatment" in caught.value.errors["operation_date"]


def test_changes_of_other_variables_merge(users: Users, patient: Patient) -> None:
    save(users[Role.COORDINATOR], patient, {"age": 60, "gcs": 10})
    save(users[Role.DATA_MANAGER], patient, {"age": 61}, version=1)
    # The coordinator's page still shows 60 and sends it with everything else.
    save(users[Role.COORDINATOR], patient, {"age": 60, "gcs": 11}, version=1)
    assert stored(patient) == {"age": 61, "gcs": 11}


def test_the_same_variable_changed_meanwhile_is_a_conflict(users: Users, patient: Patient) -> None:
    save(users[Role.COORDINATOR], patient, {"age": 60, "gcs": 10})
    save(users[Role.DATA_MANAGER], patient, {"age": 61}, version=1)
    with pytest.raises(FormConflict) as caught:
        save(users[Role.COORDINATOR], patient, {"age": 62, "gcs": 11}, version=1)
    assert (list(caught.value.errors), caught.value.mine, caught.value.status) == (["age"], {"age", "gcs"}, 409)
    assert isinstance(caught.value, Conflict)
    assert stored(patient) == {"age": 61, "gcs": 10}


def test_two_people_who_enter_the_same_value_agree(users: Users, patient: Patient) -> None:
    save(users[Role.COORDINATOR], patient, {"age": 60})
    save(users[Role.DATA_MANAGER], patient, {"age": 61}, version=1)
    assert save(users[Role.COORDINATOR], patient, {"age": 61}, version=1).changed == ()


def test_a_merge_is_held_to_the_rules(users: Users, patient: Patient) -> None:
    save(users[Role.COORDINATOR], patient, {"systolic_bp": 150, "diastolic_bp": 90})
    save(users[Role.DATA_MANAGER], patient, {"systolic_bp": 100}, version=1)
    with pytest.raises(FormErrors) as caught:
        save(users[Role.COORDINATOR], patient, {"diastolic_bp": 110}, version=1)
    assert list(caught.value.errors) == ["diastolic_bp"]


def test_a_date_entered_meanwhile_is_not_cleared_unseen(users: Users, patient: Patient) -> None:
    save(users[Role.COORDINATOR], patient, {"treatment": "cc", "operation_date": "2024-01-01"})
    save(users[Role.DATA_MANAGER], patient, {"operation_date": "2024-01-02"}, version=1)
    with pytest.raises(FormConflict):
        save(users[Role.COORDINATOR], patient, {"treatment": "cmt"}, version=1)


@pytest.mark.parametrize("version", [-1, 2, 10**12])
def test_a_version_that_never_was_is_refused(users: Users, patient: Patient, version: int) -> None:
    save(users[Role.COORDINATOR], patient, {"age": 60})
    with pytest.raises(Refusal) as caught:
        save(users[Role.COORDINATOR], patient, {"age": 61}, version=version)
    assert caught.value.code == "form_version"


@pytest.mark.parametrize(
    ("first", "change"),
    [({"age": 60}, {"age": 61}), ({"age": 60}, {"age": None}), ({"age": 60, "gcs": 9}, {"gcs": 8, "ivh": True})],
    ids=["changed", "cleared", "among others"],
)
@pytest.mark.parametrize("reason", ["", "   "])
def test_a_change_of_what_was_saved_needs_a_reason(
    users: Users, patient: Patient, first: dict[str, object], change: dict[str, object], reason: str
) -> None:
    save(users[Role.COORDINATOR], patient, first, reason="")
    with pytest.raises(ReasonRefused, match="Say why") as caught:
        save(users[Role.DATA_MANAGER], patient, change, reason=reason)
    assert (caught.value.code, caught.value.status) == ("form_reason", 422)
    assert stored(patient) == first
    assert save(users[Role.DATA_MANAGER], patient, change, reason="source checked").changed == tuple(change)


def test_a_first_entry_needs_no_reason(users: Users, patient: Patient) -> None:
    save(users[Role.COORDINATOR], patient, {"age": 60}, reason="")
    assert save(users[Role.COORDINATOR], patient, {"age": "60", "gcs": 9}, reason="").changed == ("gcs",)
    # Somebody else entered it meanwhile: to say the same is no change.
    assert save(users[Role.DATA_MANAGER], patient, {"gcs": 9}, version=1, reason="").changed == ()


def test_what_was_cleared_and_is_entered_again_is_a_change(users: Users, patient: Patient) -> None:
    save(users[Role.COORDINATOR], patient, {"age": 60}, reason="")
    save(users[Role.COORDINATOR], patient, {"age": None}, reason="typing error")
    with pytest.raises(ReasonRefused):
        save(users[Role.COORDINATOR], patient, {"age": 60}, reason="")


def test_a_value_that_goes_with_its_branch_carries_the_reason(users: Users, patient: Patient) -> None:
    save(users[Role.COORDINATOR], patient, {"treatment": "cc", "operation_date": "2024-01-01"}, reason="")
    save(users[Role.COORDINATOR], patient, {"treatment": "cmt"}, reason="new source data")
    assert set(CrfValue.objects.filter(form_version=2).values_list("variable", "reason")) == {
        ("treatment", "new source data"),
        ("operation_date", "new source data"),
    }


@pytest.mark.parametrize("reason", ["a" * 501, "line\x00"])
def test_a_bad_reason_is_refused(users: Users, patient: Patient, reason: str) -> None:
    with pytest.raises(Refusal) as caught:
        save_form(actor=users[Role.COORDINATOR], patient=patient, read_version=0, values={"age": 60}, reason=reason)
    assert caught.value.code == "form_reason"
    assert not CrfForm.objects.exists()


CLINICAL: dict[str, object] = {"age": 60}
OUTCOME: dict[str, object] = {"gos_discharge": 4}
MAY_SAVE = {  # role: (clinical variables, outcome variables)
    Role.COORDINATOR: (True, True),
    Role.ANNOTATOR: (False, False),
    Role.REVIEWER: (False, False),
    Role.ASSESSOR: (False, True),
    Role.DATA_MANAGER: (True, False),
    Role.PI: (False, False),
    Role.SCIENTIST: (False, False),
    Role.MONITOR: (False, False),
    Role.ADMINISTRATOR: (False, False),
}


@pytest.mark.parametrize("role", list(Role))
def test_who_may_save_what(users: Users, patient: Patient, role: Role) -> None:
    clinical, outcome = MAY_SAVE[role]
    for allowed, values in ((clinical, CLINICAL), (outcome, OUTCOME)):
        if allowed:
            assert save(users[role], patient, values).changed
        else:
            with pytest.raises(FormErrors if clinical or outcome else Http404) as caught:
                save(users[role], patient, values)
            if isinstance(caught.value, FormErrors):
                assert caught.value.status == 403


def test_a_foreign_coordinator_and_nobody_may_save_nothing(patient: Patient, foreign_coordinator: User) -> None:
    for actor in (foreign_coordinator, AnonymousUser()):
        with pytest.raises(Http404):
            save(actor, patient, CLINICAL)  # type: ignore[arg-type]
    assert not CrfForm.objects.exists()


def test_the_assessor_may_send_the_clinical_values_back_unchanged(users: Users, patient: Patient) -> None:
    save(users[Role.COORDINATOR], patient, CLINICAL)
    assert save(users[Role.ASSESSOR], patient, {**CLINICAL, **OUTCOME}).changed == ("gos_discharge",)


def test_a_change_is_announced_after_the_commit(
    users: Users, patient: Patient, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: object
) -> None:
    heard: list[Patient] = []
    monkeypatch.setattr(changes, "_listeners", [heard.append])
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        save(users[Role.COORDINATOR], patient, CLINICAL)
        save(users[Role.COORDINATOR], patient, CLINICAL)
    assert heard == [patient]


def test_the_display_leaves_out_what_does_not_apply(users: Users, patient: Patient) -> None:
    save(users[Role.COORDINATOR], patient, {"treatment": "cmt", "gcs": 9})
    shown = {item.variable.name: item for part in values_for_display(form_of(patient)) for item in part.values}
    assert "operation_date" not in shown
    assert (shown["gcs"].text, shown["gcs"].changed_by) == ("9", users[Role.COORDINATOR].full_name)
    assert shown["age"].text == ""


NAMES = ["age", "gcs", "gcs_eye", "gcs_verbal", "gcs_motor", "ivh", "treatment", "operation_date", "systolic_bp",
         "diastolic_bp"]  # fmt: skip
TEXTS = ["", "1", "3", "9", "60", "90", "120", "true", "false", "cc", "cmt", "2024-01-01", "2024-02-02"]
ENTRIES = st.lists(
    st.fixed_dictionaries(
        {
            "values": st.dictionaries(st.sampled_from(NAMES), st.sampled_from(TEXTS)),
            "missing": st.dictionaries(
                st.sampled_from(NAMES), st.sampled_from(["", "unknown", "not_done"]), max_size=2
            ),
            "units": st.dictionaries(st.just("systolic_bp"), st.sampled_from(["", "kPa"])),
            # How many saves ago the page was loaded: what others changed since is merged, or a conflict.
            "lag": st.integers(0, 3),
        }
    ),
    max_size=8,
)


@given(entries=ENTRIES)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_events_always_give_the_current_answers(
    users: Users, patient: Patient, entries: list[dict[str, Any]]
) -> None:
    """And every answer that a save took stands among them for ever."""
    subject = PatientFactory(center=patient.center, enrolled_by=users[Role.COORDINATOR])
    taken: list[tuple[str, Answer, int]] = []
    for entry in entries:
        fresh = Patient.objects.get(pk=subject.pk)
        version = max(0, form_of(fresh).version - entry["lag"])
        given = {name: entry[name] for name in ("values", "missing", "units")}
        try:
            result = save_form(
                actor=users[Role.COORDINATOR], patient=fresh, read_version=version, reason="typing error", **given
            )
        except (FormErrors, FormConflict):
            continue
        taken += [(name, result.form.answers.get(name), result.form.version) for name in result.changed]
    form = form_of(Patient.objects.get(pk=subject.pk))
    events = list(CrfValue.objects.filter(form__patient=subject))
    assert replay((event.variable, event.answer) for event in events) == form.answers
    assert [(event.variable, event.answer, event.form_version) for event in events] == taken
    assert {event.form_version for event in events} == set(range(1, form.version + 1))
    assert set(form.answers) <= applicable_names(form)
    assert not stale_values(load_dictionary(), form.answers)


def applicable_names(form: CrfForm) -> set[str]:
    from apps.crf.dictionary import load_dictionary

    return set(applicable(load_dictionary(), form.values))


@pytest.mark.django_db(transaction=True)
def test_two_saves_at_the_same_moment_lose_nothing(users: Users, patient: Patient) -> None:
    """Both create the form, with different variables: the later one merges. With the same variable, one conflicts."""
    results: list[str] = []

    def enter(values: dict[str, object]) -> None:
        try:
            gate.wait()
            save_form(actor=users[Role.COORDINATOR], patient=patient, read_version=0, values=values)
            results.append("saved")
        except FormConflict:
            results.append("conflict")
        finally:
            close_old_connections()
            connection.close()

    for pair in (({"age": 60}, {"gcs": 9}), ({"ivh": True}, {"ivh": False})):
        gate = threading.Barrier(2)
        threads = [threading.Thread(target=enter, args=(values,)) for values in pair]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert sorted(results) == ["conflict", "saved", "saved", "saved"]
    values = stored(patient)
    assert (values["age"], values["gcs"]) == (60, 9)
    events = CrfValue.objects.values_list("variable", "value")
    assert replay(events) == values
    assert CrfForm.objects.get(patient=patient).version == 3
