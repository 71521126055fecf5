"""A form entered twice: who may, what is compared, and that no value ever entered is lost."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.http import Http404
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent
from apps.core.errors import Conflict, Refusal
from apps.crf.double_entry import services
from apps.crf.double_entry.comparing import Verdict, compare, same
from apps.crf.double_entry.models import SecondEntry, SecondValue
from apps.crf.double_entry.selectors import awaiting, stand_of
from apps.crf.missing import Absent, Missing
from apps.crf.models import CrfForm, CrfValue, Part
from apps.crf.places import Place
from apps.crf.services import FormErrors
from apps.crf.signatures.locks import FormLocked, lock_of
from apps.crf.signatures.selectors import signatures_of
from apps.crf.signatures.services import lock_form, sign_form, unlock_form
from apps.patients.models import Patient
from tests.audit.trails import faults, overwrite
from tests.crf.double_entry.steps import Users, colleague, decide, enter, keep, start, submit
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db
State = SecondEntry.State


@pytest.fixture
def second(two_centers: tuple[Center, Center]) -> User:
    return colleague(two_centers[0])


@pytest.fixture
def form(users: Users, patient: Patient) -> CrfForm:
    return enter(users[Role.COORDINATOR], patient, age=60, sex="male", gcs=12)


def code_of(error: pytest.ExceptionInfo[Refusal]) -> str:
    return error.value.code


def test_the_form_offers_a_second_entry_to_whom_the_worklist_does(users: Users, second: User, form: CrfForm) -> None:
    def check() -> list[bool]:
        people = [*users.values(), second]
        offered = [stand_of(person, form, lock_of(form)).can_start for person in people]
        assert offered == [awaiting(person).filter(pk=form.pk).exists() for person in people]
        return offered

    assert any(check())
    lock_form(actor=users[Role.DATA_MANAGER], form=form)
    assert not any(check())
    unlock_form(actor=users[Role.DATA_MANAGER], form=form, reason="typing error")
    assert any(check())
    start(second, form)
    assert not any(check())


def test_equal_entries_are_reconciled_by_themselves(second: User, form: CrfForm) -> None:
    entry = submit(second, start(second, form), age="60", sex="male", gcs=12.0)
    assert (entry.state, entry.differences, entry.reconciled_by) == (State.RECONCILED, 0, None)
    assert entry.first["age"][0] == 60 and "age" not in entry.kept
    actions = AuditEvent.objects.order_by("pk").values_list("action", flat=True)
    assert list(actions)[-3:] == ["start_second_entry", "save_second_entry", "submit_second_entry"]
    assert faults() == []


def test_a_data_manager_keeps_one_of_both_or_another_value(users: Users, second: User, form: CrfForm) -> None:
    entry = submit(second, start(second, form), age=61, sex="female", gcs=13)
    assert (entry.state, entry.differences) == (State.SUBMITTED, 3)
    decide(users[Role.DATA_MANAGER], entry, age="first", sex="second", gcs="11")
    form.refresh_from_db()
    assert form.values == {"age": 60, "sex": "female", "gcs": 11} and form.version == 2
    entry.refresh_from_db()
    assert entry.kept == {"age": "first", "sex": "second", "gcs": "other"} and entry.state == State.RECONCILED
    event = AuditEvent.objects.get(action="reconcile")
    assert event.reason == "reconciled" and event.changes == {"age": [60, 61, 60], "sex": ["male", "female", "female"],
                                                             "gcs": [12, 13, 11]}  # fmt: skip
    assert CrfValue.objects.filter(form=form, reason="reconciled").count() == 2
    assert faults() == []


def test_reasons_for_missing_values_are_compared_and_kept(users: Users, second: User, form: CrfForm) -> None:
    enter(users[Role.COORDINATOR], form.patient, nihss="!unknown")
    entry = submit(second, start(second, form), age=60, sex="male", gcs="!not_done", nihss="!unknown")
    form.refresh_from_db()
    verdicts = {row.variable.name: row.verdict for row in compare(entry, form)}
    assert verdicts == {"age": Verdict.EQUAL, "sex": Verdict.EQUAL, "gcs": Verdict.DIFFERENT, "nihss": Verdict.EQUAL}
    decide(users[Role.PI], entry, gcs="second")
    form.refresh_from_db()
    assert form.missing == {"gcs": "not_done", "nihss": "unknown"} and faults() == []


@pytest.mark.parametrize(
    ("first", "again", "equal"),
    [
        (60, 60.0, True), (1.5, 1.50, True), ("Wang  fang", "WANG Fang ", True), ("a", "b", False), (True, 1, False),
        (True, True, True), (None, 0, False), (0, False, False), (Absent(Missing.UNKNOWN), "unknown", False),
        (Absent(Missing.UNKNOWN), Absent(Missing.UNKNOWN), True),
        (Absent(Missing.UNKNOWN), Absent(Missing.REFUSED), False),
    ],
)  # fmt: skip
def test_what_counts_as_the_same(first: Any, again: Any, equal: bool) -> None:
    assert same(first, again) is equal and same(again, first) is equal


def test_who_may_enter_a_second_time(users: Users, second: User, form: CrfForm, foreign_coordinator: User) -> None:
    with pytest.raises(Refusal) as error:
        start(users[Role.COORDINATOR], form)
    assert code_of(error) == "own_first_entry"
    for role in (Role.MONITOR, Role.PI, Role.SCIENTIST):
        with pytest.raises(Http404):
            start(users[role], form)
    with pytest.raises(Http404):
        start(foreign_coordinator, form)
    entry = start(second, form)
    with pytest.raises(Refusal) as error:
        start(users[Role.DATA_MANAGER], form)
    assert code_of(error) == "second_entry_exists"
    with pytest.raises(Http404):
        keep(users[Role.DATA_MANAGER], entry, age=60)
    services.give_up_second_entry(actor=second, entry=entry)
    assert start(users[Role.DATA_MANAGER], form).entered_by == users[Role.DATA_MANAGER]


def test_an_entry_that_was_left_behind_is_ended_by_who_locks_forms(
    users: Users, second: User, form: CrfForm, two_centers: tuple[Center, Center]
) -> None:
    entry = keep(second, start(second, form), age=61)
    for role in (Role.COORDINATOR, Role.PI):
        with pytest.raises(Http404):
            services.give_up_second_entry(actor=users[role], entry=entry)
    second.memberships.all().delete()
    gone = User.objects.get(pk=second.pk)
    with pytest.raises(Http404):
        keep(gone, entry, age=62)
    services.give_up_second_entry(actor=users[Role.DATA_MANAGER], entry=entry)
    assert AuditEvent.objects.get(action="give_up_second_entry").actor == users[Role.DATA_MANAGER]
    assert start(colleague(two_centers[0], name="third"), form).state == State.OPEN and faults() == []


def test_nothing_is_compared_where_nothing_was_entered(second: User, patient: Patient, form: CrfForm) -> None:
    with pytest.raises(Refusal) as error:
        services.start_second_entry(actor=second, form=CrfForm(patient=patient, name="main"))
    assert code_of(error) == "nothing_to_compare"
    with pytest.raises(Refusal) as error:
        submit(second, start(second, form))
    assert code_of(error) == "second_entry_empty"


def test_each_is_asked_what_his_role_may_enter(users: Users, second: User, form: CrfForm) -> None:
    everything = start(second, form)
    assert "gos_discharge" in everything.variables and "age" in everything.variables
    services.give_up_second_entry(actor=second, entry=everything)
    outcomes = start(users[Role.ASSESSOR], form)
    assert "gos_discharge" in outcomes.variables and "age" not in outcomes.variables


def test_a_second_entry_of_a_further_form(users: Users, second: User, patient: Patient) -> None:
    place = Place("follow_up", "month_3")
    form = enter(users[Role.COORDINATOR], patient, place, fu_status="alive", fu_mrs=2)
    entry = submit(second, start(second, form), fu_status="alive", fu_mrs=3)
    decide(users[Role.DATA_MANAGER], entry, fu_mrs="second")  # an outcome, which he could not enter alone
    form.refresh_from_db()
    assert form.values["fu_mrs"] == 3


def test_a_value_out_of_range_or_without_its_branch_is_refused(second: User, form: CrfForm) -> None:
    entry = start(second, form)
    with pytest.raises(FormErrors) as error:
        keep(second, entry, age=300, nonsense=1)
    assert set(error.value.errors) == {"age", "nonsense"}
    assert not SecondValue.objects.exists()


def test_the_same_entry_in_two_windows_and_submitted_twice(second: User, form: CrfForm) -> None:
    entry = keep(second, start(second, form), age=61)
    with pytest.raises(Conflict) as error:
        services.save_second_entry(actor=second, entry=entry, read_version=0, values={"age": 62})
    assert code_of(error) == "second_entry_changed"
    submit(second, entry)
    with pytest.raises(Conflict) as error:
        services.submit_second_entry(actor=second, entry=entry, read_version=1)
    assert code_of(error) == "second_entry_ended"


def test_the_comparison_is_made_again_when_the_first_value_changes(users: Users, second: User, form: CrfForm) -> None:
    entry = submit(second, start(second, form), age=61, sex="female", gcs=12)
    version = CrfForm.objects.get(pk=form.pk).version
    enter(users[Role.COORDINATOR], form.patient, sex="female")
    entry.refresh_from_db()
    assert (entry.state, entry.differences) == (State.SUBMITTED, 1)
    with pytest.raises(Conflict) as error:
        services_reconcile(users[Role.DATA_MANAGER], entry, version)
    assert code_of(error) == "form_changed"
    enter(users[Role.COORDINATOR], form.patient, age=61)
    entry.refresh_from_db()
    assert (entry.state, entry.differences, entry.reconciled_by) == (State.RECONCILED, 0, None)
    with pytest.raises(Conflict) as error:
        decide(users[Role.DATA_MANAGER], entry)
    assert code_of(error) == "reconciled_already"
    assert faults() == []


def services_reconcile(actor: User, entry: SecondEntry, version: int) -> None:
    from apps.crf.double_entry.reconciling import Choice, reconcile

    reconcile(actor=actor, entry=entry, read_version=version, choices={"age": Choice("first")})


def test_who_reconciles_entered_neither(users: Users, second: User, form: CrfForm, two_centers: Any) -> None:
    entry = submit(second, start(second, form), age=61, sex="male", gcs=12)
    for one_of_the_two in (second, users[Role.COORDINATOR]):
        with pytest.raises(Refusal) as error:
            decide(one_of_the_two, entry, age="first")
        assert code_of(error) == "one_of_the_two"
    with pytest.raises(Http404):
        decide(users[Role.MONITOR], entry, age="first")
    with pytest.raises(FormErrors) as errors:
        decide(users[Role.DATA_MANAGER], entry, sex="first")
    assert set(errors.value.errors) == {"age", "sex"}
    third = colleague(two_centers[0], name="third")
    assert decide(third, entry, age="62").reconciled_by == third


def test_a_reconciled_value_must_pass_the_rules(users: Users, second: User, form: CrfForm) -> None:
    entry = submit(second, start(second, form), age=61, sex="male", gcs=12)
    with pytest.raises(FormErrors) as errors:
        decide(users[Role.DATA_MANAGER], entry, age="400")
    assert set(errors.value.errors) == {"age"}
    entry.refresh_from_db()
    assert entry.state == State.SUBMITTED and entry.kept == {}


def test_no_lock_and_no_signature_before_both_agree(users: Users, second: User, form: CrfForm) -> None:
    entry = start(second, form)
    for code in ("second_entry_open", "not_reconciled"):
        with pytest.raises(Conflict) as error:
            lock_form(actor=users[Role.DATA_MANAGER], form=form)
        assert code_of(error) == code
        with pytest.raises(Conflict) as error:
            sign(users[Role.PI], form)
        assert code_of(error) == code
        if code == "second_entry_open":
            submit(second, entry, age=61)
    decide(users[Role.DATA_MANAGER], entry, age="first", sex="first", gcs="first")
    sign(users[Role.PI], form)
    lock_form(actor=users[Role.DATA_MANAGER], form=form)


def sign(actor: User, form: CrfForm) -> None:
    form = CrfForm.objects.get(pk=form.pk)
    sign_form(
        actor=actor, form=form, part=Part.FORM, meaning="approved", read_version=form.version,
        username=actor.username, password=PASSWORD,
    )  # fmt: skip


def test_a_reconciliation_voids_the_signature_that_was_there(users: Users, second: User, form: CrfForm) -> None:
    sign(users[Role.PI], form)
    entry = submit(second, start(second, form), age=61, sex="male", gcs=12)
    assert signatures_of(CrfForm.objects.get(pk=form.pk))[0].is_valid
    decide(users[Role.DATA_MANAGER], entry, age="second")
    assert not signatures_of(CrfForm.objects.get(pk=form.pk))[0].is_valid


def test_a_locked_form_is_not_entered_again(users: Users, second: User, form: CrfForm) -> None:
    lock_form(actor=users[Role.DATA_MANAGER], form=form)
    with pytest.raises(FormLocked):
        start(second, form)


def test_rows_of_a_second_entry_can_not_be_altered_unseen(second: User, form: CrfForm) -> None:
    entry = keep(second, start(second, form), age=61)
    with pytest.raises(DatabaseError), transaction.atomic():
        SecondValue.objects.filter(entry=entry)._raw_delete("default")
    overwrite(entry, "version", 5)
    assert any("crf_secondentry" in str(fault) for fault in faults())


STEPS = st.lists(
    st.sampled_from(["first", "start", "keep", "submit", "give up", "reconcile", "edit"]), min_size=1, max_size=12
)
VALUES = st.fixed_dictionaries({"age": st.integers(18, 90), "gcs": st.integers(3, 15)})


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, data=st.data())
def test_every_value_ever_entered_stays(
    users: Users, two_centers: Any, patient: Patient, steps: list[str], data: st.DataObject
) -> None:
    with transaction.atomic():
        entered: list[tuple[str, int]] = []
        second = colleague(two_centers[0], name="again")
        form = enter(users[Role.COORDINATOR], patient, age=40, sex="male")
        entry: SecondEntry | None = None
        for step in steps:
            values = data.draw(VALUES)
            try:
                if step in ("first", "edit"):
                    enter(users[Role.COORDINATOR], patient, **values)
                elif step == "start":
                    entry = start(second, form)
                elif entry is not None and step in ("keep", "submit"):
                    (keep if step == "keep" else submit)(second, entry, **values)
                elif entry is not None and step == "give up":
                    services.give_up_second_entry(actor=second, entry=SecondEntry.objects.get(pk=entry.pk))
                elif entry is not None and step == "reconcile":
                    rows = compare(SecondEntry.objects.get(pk=entry.pk), CrfForm.objects.get(pk=form.pk))
                    names = [row.variable.name for row in rows if row.verdict is not Verdict.EQUAL]
                    word = data.draw(st.sampled_from(["first", "second"]))
                    decide(users[Role.PI], entry, **dict.fromkeys(names, word))
                else:
                    continue
                if step in ("first", "edit", "keep", "submit"):
                    entered += values.items()
            except (Refusal, FormErrors):
                continue
        kept = set(CrfValue.objects.values_list("variable", "value"))
        kept |= set(SecondValue.objects.values_list("variable", "value"))
        assert set(entered) <= kept
        assert faults() == []
        transaction.set_rollback(True)
