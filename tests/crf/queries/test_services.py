"""Opening, answering, closing, reopening and assigning: what each step leaves, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.http import Http404
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent
from apps.audit.selectors import in_words
from apps.audit.verification import Verification
from apps.core.errors import Conflict, Refusal
from apps.crf.models import Part
from apps.crf.places import MAIN_PLACE, Place
from apps.crf.queries import services
from apps.crf.queries.models import Query, QueryMessage
from apps.crf.queries.running import run_rules
from apps.crf.queries.selectors import count_waiting, counts_for, open_by_variable, people_for
from apps.crf.selectors import form_of
from apps.crf.services import save_form
from apps.crf.signatures.services import lock_form, sign_form
from apps.patients.models import Patient
from tests.crf.queries.conftest import Save
from tests.factories import PASSWORD, PatientFactory

pytestmark = pytest.mark.django_db
Users = dict[Role, User]


def ask(users: Users, patient: Patient, variable: str = "age") -> Query:
    return services.open_query(actor=users[Role.DATA_MANAGER], patient=patient, variable=variable, text="Is it right?")


@pytest.mark.django_db(transaction=True)  # the chain is closed at commit
def test_from_question_to_closure(users: Users, doubtful: Patient) -> None:
    query = ask(users, doubtful)
    assert (query.state, query.about, query.opened_by) == ("open", {"age": 60}, users[Role.DATA_MANAGER])
    services.answer_query(actor=users[Role.COORDINATOR], query=query, text=" Yes, by\n identity card ")
    services.reopen_query(actor=users[Role.DATA_MANAGER], query=query, text="Of which day?")
    services.answer_query(actor=users[Role.COORDINATOR], query=query, text="2 March")
    query = services.close_query(actor=users[Role.DATA_MANAGER], query=query)
    assert (query.state, query.closed_by) == ("closed", users[Role.DATA_MANAGER])
    assert list(query.messages.values_list("action", "text", "author__username")) == [
        ("opened", "Is it right?", "data_manager-c1"),
        ("answered", "Yes, by identity card", "coordinator-c1"),
        ("reopened", "Of which day?", "data_manager-c1"),
        ("answered", "2 March", "coordinator-c1"),
        ("closed", "", "data_manager-c1"),
    ]
    events = AuditEvent.objects.filter(object_type="crf.query").order_by("pk")
    assert [(event.action, event.changes) for event in events] == [
        ("open_query", {"state": [None, "open"]}),
        ("answer_query", {"state": ["open", "answered"]}),
        ("reopen_query", {"state": ["answered", "open"]}),
        ("answer_query", {"state": ["open", "answered"]}),
        ("close_query", {"state": ["answered", "closed"]}),
    ]
    words = in_words(list(events))
    assert {shown.study_id for shown in words} == {"C1-0001"}
    assert str(words[1].action.sentence) == "Answered a query"
    assert (words[1].changes[0].old, words[1].changes[0].new) == ("open", "answered")
    assert list(Verification().faults()) == []


@pytest.mark.parametrize(
    ("step", "states"),
    [("answer", {"open"}), ("close", {"open", "answered"}), ("reopen", {"answered", "closed"}),
     ("assign", {"open", "answered"})],
)  # fmt: skip
def test_a_step_out_of_order_is_refused(step: str, states: set[str], users: Users, patient: Patient) -> None:
    query = ask(users, patient)
    steps: dict[str, Callable[[], Query]] = {
        "answer": lambda: services.answer_query(actor=users[Role.COORDINATOR], query=query, text="yes"),
        "close": lambda: services.close_query(actor=users[Role.DATA_MANAGER], query=query),
        "reopen": lambda: services.reopen_query(actor=users[Role.DATA_MANAGER], query=query, text="why"),
        "assign": lambda: services.assign_query(actor=users[Role.DATA_MANAGER], query=query, to=None),
    }
    allowed = set()
    for state in Query.State.values:
        Query.objects.update(state=state)
        before = QueryMessage.objects.count()
        try:
            steps[step]()
            allowed.add(state)
        except Conflict as refusal:
            assert refusal.code == "query_state"
            assert QueryMessage.objects.count() == before
    assert allowed == states


# (opens, answers, manages)
MAY = {
    Role.COORDINATOR: (False, True, False),
    Role.ANNOTATOR: (False, False, False),
    Role.REVIEWER: (False, False, False),
    Role.ASSESSOR: (False, True, False),
    Role.DATA_MANAGER: (True, False, True),
    Role.PI: (True, False, False),
    Role.SCIENTIST: (False, False, False),
    Role.MONITOR: (True, False, False),
    Role.ADMINISTRATOR: (False, False, False),
}


@pytest.mark.parametrize("role", list(Role))
def test_who_may(role: Role, users: Users, patient: Patient) -> None:
    actor, query = users[role], ask(users, patient)

    def can(act: Callable[[], object]) -> bool:
        try:
            act()
        except Http404:
            return False
        return True

    assert (
        can(lambda: services.open_query(actor=actor, patient=patient, variable="gcs", text="why")),
        can(lambda: services.answer_query(actor=actor, query=query, text="yes")),
        can(lambda: services.close_query(actor=actor, query=query)),
    ) == MAY[role]
    assert can(lambda: services.request_run(actor=actor)) == MAY[role][2]


def test_a_coordinator_of_another_center_may_not(users: Users, patient: Patient, foreign_coordinator: User) -> None:
    with pytest.raises(Http404):
        services.answer_query(actor=foreign_coordinator, query=ask(users, patient), text="yes")


@pytest.mark.parametrize(
    ("text", "variable"), [("  ", "age"), ("x" * 1001, "age"), ("a\x00b", "age"), ("Is it right?", "color")]
)
def test_questions_that_cant_be_stored(text: str, variable: str, users: Users, patient: Patient) -> None:
    with pytest.raises(Refusal):
        services.open_query(actor=users[Role.PI], patient=patient, variable=variable, text=text)
    assert not Query.objects.exists()


def test_many_patients_are_asked_the_same_or_none(users: Users, doubtful: Patient, foreign_patient: Patient) -> None:
    ids = ["c1-0001", "C2-0001", "C1-0001"]
    actor = users[Role.DATA_MANAGER]
    opened = services.open_queries(actor=actor, study_ids=ids, variable="age", text="At onset?")
    assert {(query.patient.study_id, query.about["age"]) for query in opened} == {("C1-0001", 60), ("C2-0001", None)}
    assert AuditEvent.objects.filter(action="open_queries").count() == 2
    with pytest.raises(Refusal, match="C1-9999"):
        services.open_queries(actor=actor, study_ids=["C1-0001", "C1-9999"], variable="", text="At onset?")
    with pytest.raises(Refusal, match="Name the study ids"):
        services.open_queries(actor=actor, study_ids=[], variable="", text="At onset?")
    assert Query.objects.count() == 2


def test_foreign_patients_are_unknown_ones(
    users: Users, foreign_patient: Patient, two_centers: tuple[Center, ...]
) -> None:
    monitor = users[Role.MONITOR]
    monitor.memberships.update(center=two_centers[0])
    with pytest.raises(Refusal, match="C2-0001"):
        services.open_queries(actor=monitor, study_ids=["C2-0001"], variable="", text="why")


def test_asking_many_costs_no_database_query_more_each_but_the_event(users: Users, patient: Patient) -> None:
    def cost(n: int) -> int:
        made = [PatientFactory(center=patient.center, enrolled_by=users[Role.COORDINATOR]) for _ in range(n)]
        with CaptureQueriesContext(connection) as captured:
            services.open_queries(
                actor=users[Role.DATA_MANAGER], study_ids=[each.study_id for each in made], variable="", text="why"
            )
        # the trail: an event and its place in the chain for each patient
        return sum("audit_" not in entry["sql"] for entry in captured)

    cost(1)  # reads the memberships
    assert cost(2) == cost(12)


def test_several_are_closed_or_none(users: Users, patient: Patient) -> None:
    queries = [ask(users, patient, variable) for variable in ("age", "gcs", "sex")]
    services.close_query(actor=users[Role.DATA_MANAGER], query=queries[2])
    with pytest.raises(Conflict):
        services.close_queries(actor=users[Role.DATA_MANAGER], queries=queries, text="seen")
    assert Query.objects.filter(state="open").count() == 2
    services.close_queries(actor=users[Role.DATA_MANAGER], queries=queries[:2], text="seen")
    assert set(QueryMessage.objects.filter(action="closed").values_list("text", flat=True)) == {"", "seen"}


def test_what_is_assigned_waits_for_one_person(users: Users, patient: Patient, two_centers: tuple[Center, ...]) -> None:
    colleague = User.objects.create(username="colleague", full_name="Col League", email="c@example.org")
    colleague.memberships.create(role=Role.COORDINATOR, center=two_centers[0])
    query = ask(users, patient)
    assert [count_waiting(each) for each in (users[Role.COORDINATOR], colleague, users[Role.DATA_MANAGER])] == [1, 1, 0]
    services.assign_query(actor=users[Role.DATA_MANAGER], query=query, to=colleague)
    assert [count_waiting(users[Role.COORDINATOR]), count_waiting(colleague)] == [0, 1]
    assert AuditEvent.objects.get(action="assign_query").changes == {"assigned_to": [None, "colleague"]}
    services.answer_query(actor=colleague, query=query, text="yes")
    assert [count_waiting(each) for each in (colleague, users[Role.DATA_MANAGER], users[Role.PI])] == [0, 1, 0]
    counts = counts_for(users[Role.PI])
    assert (counts.waiting, counts.open, counts.answered, counts.closed) == (0, 0, 1, 0)


def test_nobody_is_given_what_he_cant_see(users: Users, patient: Patient, foreign_coordinator: User) -> None:
    query = ask(users, patient)
    for person in (foreign_coordinator, users[Role.ASSESSOR], users[Role.ANNOTATOR], users[Role.PI]):
        with pytest.raises(Refusal, match="can't see"):
            services.assign_query(actor=users[Role.DATA_MANAGER], query=query, to=person)
    outcome = ask(users, patient, "gos_discharge")
    services.assign_query(actor=users[Role.DATA_MANAGER], query=outcome, to=users[Role.ASSESSOR])
    people = people_for(Center.objects.filter(pk=patient.center_id))
    assert set(people) == {users[role] for role in (Role.COORDINATOR, Role.ASSESSOR, Role.DATA_MANAGER)}


def test_one_run_at_a_time(users: Users, doubtful: Patient, save: Save) -> None:
    services.request_run(actor=users[Role.DATA_MANAGER])
    with pytest.raises(Conflict, match="running already"):
        services.request_run(actor=users[Role.DATA_MANAGER])


def test_a_question_about_a_visit_is_of_that_visit(users: dict[Role, User], patient: Patient, client_as: Any) -> None:
    """The same variable at another visit has no mark, and the correction that answers is that of the visit."""
    three, six = Place("follow_up", "month_3"), Place("follow_up", "month_6")
    manager, coordinator = users[Role.DATA_MANAGER], users[Role.COORDINATOR]
    query = services.open_query(actor=manager, patient=patient, variable="fu_mrs", text="Who rated it?", place=three)
    assert [open_by_variable(coordinator, form_of(patient, place)) for place in (three, six)] == [{"fu_mrs": 1}, {}]
    values = {"fu_status": "alive", "fu_mrs": 2}
    save_form(actor=coordinator, patient=patient, read_version=0, values=values, place=six)
    query.refresh_from_db()
    assert query.state == Query.State.OPEN
    save_form(actor=coordinator, patient=patient, read_version=0, values=values, place=three)
    query.refresh_from_db()
    assert query.state == Query.State.ANSWERED
    page = client_as(coordinator).get(f"/queries/{query.pk}/").content.decode()
    assert f"/patients/{patient.study_id}/crf/follow_up/month_3/1/" in page and "Follow-up, 3 months" in page
    with pytest.raises(Refusal):
        services.open_query(actor=manager, patient=patient, variable="age", text="why", place=three)


def test_rules_judge_every_form_by_its_own_questions(users: dict[Role, User], patient: Patient) -> None:
    values = {"fu_status": "alive", "fu_date": "2026-06-02", "fu_gos": 4, "fu_gose": 8}
    place = Place("follow_up", "month_12")
    save_form(actor=users[Role.COORDINATOR], patient=patient, read_version=0, values=values, place=place)
    run_rules()
    found = set(Query.objects.values_list("rule", "variable"))
    assert found == {("inconsistent.follow_up_gos_fits_gose", "fu_gos"), ("blank", "fu_source"), ("blank", "fu_mrs")}


def test_a_question_before_the_first_save_is_answered_by_it(users: dict[Role, User], patient: Patient) -> None:
    query = ask(users, patient)
    save_form(actor=users[Role.COORDINATOR], patient=patient, read_version=0, values={"age": 61})
    query.refresh_from_db()
    assert query.state == Query.State.ANSWERED


@pytest.mark.django_db(transaction=True)  # the chain is closed at commit
@pytest.mark.parametrize("place", [MAIN_PLACE, Place("follow_up", "month_3")])
def test_a_form_that_was_only_asked_about_is_empty(users: Users, patient: Patient, place: Place) -> None:
    """No rule asks for its blanks, and nobody signs or locks it."""
    variable = "age" if place.is_main else "fu_mrs"
    services.open_query(actor=users[Role.PI], patient=patient, variable=variable, text="When?", place=place)
    run_rules()
    assert Query.objects.count() == 1
    form = form_of(Patient.objects.get(pk=patient.pk), place)
    with pytest.raises(Refusal) as refused:
        sign_form(
            actor=users[Role.PI], form=form, part=Part.FORM, meaning="approved", read_version=0,
            username=users[Role.PI].username, password=PASSWORD,
        )  # fmt: skip
    assert refused.value.code == "nothing_to_sign"
    with pytest.raises(Conflict) as refused:
        lock_form(actor=users[Role.DATA_MANAGER], form=form)
    assert refused.value.code == "nothing_to_lock"
    assert list(Verification().faults()) == []
