"""Running the rules: nothing is opened twice, a correction closes, and what a person found right stays closed."""

from __future__ import annotations

from collections import Counter

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent
from apps.audit.verification import Verification
from apps.core.jobs import run_job
from apps.core.models import Job
from apps.crf.models import CrfForm, CrfValue
from apps.crf.queries.models import Query, QueryMessage, RuleRun
from apps.crf.queries.running import run_rules
from apps.crf.queries.services import answer_query, close_query, open_query, request_run
from apps.patients.models import Patient
from tests.crf.queries.conftest import DOUBTFUL, Save, query_on
from tests.factories import PatientFactory

pytestmark = pytest.mark.django_db
Users = dict[Role, User]
COMA = "inconsistent.coma_fits_gcs"


def threads(query: Query) -> list[str]:
    return list(query.messages.values_list("action", flat=True))


def test_a_run_opens_and_a_second_changes_nothing(doubtful: Patient) -> None:
    counts = run_rules()
    assert counts["forms"] == 1
    assert counts["opened"] == Query.objects.count() == QueryMessage.objects.count()
    assert query_on(COMA).about == {"coma": True, "gcs": 15}
    assert query_on("range").about == {"systolic_bp": 300}
    assert query_on("blank", "sex").about == {"sex": None}
    assert not Query.objects.exclude(opened_by=None, state="open").exists()
    events = AuditEvent.objects.filter(action="run_rules")
    assert (events.count(), events.get().object_id) == (1, str(doubtful.pk))
    before = list(Query.objects.values())
    assert run_rules() == Counter(forms=1)
    assert (list(Query.objects.values()), events.count()) == (before, 1)


@pytest.mark.django_db(transaction=True)  # the chain is closed at commit
def test_the_trail_vouches_for_the_threads(doubtful: Patient, save: Save) -> None:
    run_rules()
    save(doubtful, {"gcs": 7})
    assert list(Verification().faults()) == []


def test_a_message_is_never_changed(doubtful: Patient) -> None:
    run_rules()
    with pytest.raises(IntegrityError), transaction.atomic():
        QueryMessage.objects.update(text="other")


def test_the_database_refuses_a_second_of_one_identity(doubtful: Patient) -> None:
    run_rules()
    query = query_on(COMA)
    with pytest.raises(IntegrityError), transaction.atomic():
        Query.objects.create(patient=doubtful, form=query.form, rule=COMA, variable=query.variable)


def test_a_correction_closes_and_is_named_in_the_thread(doubtful: Patient, save: Save, users: Users) -> None:
    run_rules()
    query = query_on(COMA)
    answer_query(actor=users[Role.COORDINATOR], query=query, text="looking for the letter")
    save(doubtful, {"gcs": 7})
    query.refresh_from_db()
    assert (query.state, query.closed_by) == ("closed", None)
    assert threads(query) == ["opened", "answered", "resolved"]
    last = query.messages.last()
    assert last is not None
    assert (last.about, last.author) == ({"coma": True, "gcs": 7}, users[Role.COORDINATOR])
    assert query_on("range").state == "open"
    assert query_on("blank", "sex").state == "open"
    save(doubtful, {"sex": "male"})
    assert query_on("blank", "sex").state == "closed"


def test_a_finding_that_comes_back_reopens_the_same_query(doubtful: Patient, save: Save) -> None:
    run_rules()
    save(doubtful, {"gcs": 7})
    save(doubtful, {"gcs": 14})
    assert query_on(COMA).state == "closed"
    run_rules()
    query = query_on(COMA)
    assert (query.state, query.about, query.closed_at) == ("open", {"coma": True, "gcs": 14}, None)
    assert threads(query) == ["opened", "resolved", "reopened"]


def test_what_a_person_found_right_stays_closed_while_it_is_the_same(
    doubtful: Patient, save: Save, users: Users
) -> None:
    run_rules()
    close_query(actor=users[Role.DATA_MANAGER], query=query_on("range"), text="measured twice")
    run_rules()
    assert query_on("range").state == "closed"
    save(doubtful, {"age": 61})
    run_rules()
    assert query_on("range").state == "closed"
    save(doubtful, {"systolic_bp": 310})
    run_rules()
    query = query_on("range")
    assert (query.state, query.about, threads(query)) == (
        "open", {"systolic_bp": 310}, ["opened", "closed", "reopened"]
    )  # fmt: skip


def test_another_value_that_is_still_wrong_asks_again(doubtful: Patient, save: Save, users: Users) -> None:
    run_rules()
    save(doubtful, {"systolic_bp": 320})
    assert (query_on("range").about, threads(query_on("range"))) == ({"systolic_bp": 320}, ["opened", "updated"])
    answer_query(actor=users[Role.COORDINATOR], query=query_on("range"), text="as measured")
    save(doubtful, {"systolic_bp": 330})
    assert query_on("range").state == "open"
    assert threads(query_on("range"))[-1] == "reopened"


def test_a_correction_answers_what_a_person_asked(doubtful: Patient, save: Save, users: Users) -> None:
    query = open_query(actor=users[Role.MONITOR], patient=doubtful, variable="age", text="Is this the age at onset?")
    save(doubtful, {"gcs": 14})
    query.refresh_from_db()
    assert query.state == "open"
    save(doubtful, {"age": 59})
    query.refresh_from_db()
    assert (query.state, threads(query)) == ("answered", ["opened", "corrected"])


def test_an_outlier_is_judged_again_by_the_cohort_that_it_was_found_in(
    patient: Patient, save: Save, users: Users
) -> None:
    """Twenty forms with NIHSS 0..19 and one of 42: median 10, MAD 5, 0.6745 * 32 / 5 = 4.32."""
    for number in range(20):
        save(PatientFactory(center=patient.center, enrolled_by=users[Role.COORDINATOR]), {"nihss": number})
    save(patient, {"nihss": 42})
    run_rules()
    query = query_on("outlier")
    assert (query.patient, query.about) == (patient, {"nihss": 42})
    assert query.facts == {"median": 10.0, "mad": 5.0, "n": 21}
    save(patient, {"nihss": 24})
    assert query_on("outlier").state == "closed"


STEPS = st.lists(
    st.one_of(
        st.just("run"),
        st.just("accept"),
        st.just("answer"),
        st.tuples(st.sampled_from(["gcs"]), st.sampled_from([3, 8, 9, 15])),
        st.tuples(st.sampled_from(["systolic_bp"]), st.sampled_from([150, 290, 300, None])),
        st.tuples(st.sampled_from(["coma"]), st.sampled_from([True, False, None])),
        st.tuples(st.sampled_from(["treatment"]), st.sampled_from(["cc", "cmt"])),
    ),
    max_size=12,
)


@given(steps=STEPS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_order_of_edits_and_runs_opens_a_query_twice(
    steps: list[str | tuple[str, object]], two_centers: object, users: Users, save: Save, patient: Patient
) -> None:
    subject = PatientFactory(center=patient.center, enrolled_by=users[Role.COORDINATOR])
    save(subject, DOUBTFUL)
    for step in [*steps, "run"]:
        queries = Query.objects.filter(patient=subject)
        if step == "run":
            run_rules(patients=Patient.objects.filter(pk=subject.pk))
        elif step == "accept" and (query := queries.exclude(state="closed").first()):
            close_query(actor=users[Role.DATA_MANAGER], query=query)
        elif step == "answer" and (query := queries.filter(state="open").first()):
            answer_query(actor=users[Role.COORDINATOR], query=query, text="so it is")
        elif isinstance(step, tuple):
            save(subject, dict([step]))
    found = Query.objects.filter(patient=subject)
    identities = Counter(found.values_list("form", "rule", "variable"))
    assert max(identities.values()) == 1
    values = CrfForm.objects.get(patient=subject).values
    open_rules = set(found.exclude(state="closed").values_list("rule", flat=True))
    accepted = set(found.exclude(closed_by=None).values_list("rule", flat=True))
    is_contradictory = values.get("coma") is True and values["gcs"] > 8
    assert (COMA in open_rules) == is_contradictory or COMA in accepted
    assert ("range" in open_rules) == ((values.get("systolic_bp") or 0) > 260) or "range" in accepted
    assert not found.filter(state="closed", closed_by=None, rule=COMA).exists() or not is_contradictory


def test_the_number_of_database_queries_does_not_grow_with_the_forms(
    patient: Patient, save: Save, users: Users
) -> None:
    def quiet_run() -> int:
        run_rules()
        with CaptureQueriesContext(connection) as captured:
            run_rules()
        return len(captured)

    save(patient, DOUBTFUL)
    few = quiet_run()
    for _ in range(5):
        save(PatientFactory(center=patient.center, enrolled_by=users[Role.COORDINATOR]), DOUBTFUL)
    assert quiet_run() == few


def test_a_run_is_a_job_over_the_centers_of_who_asked(
    users: Users,
    doubtful: Patient,
    foreign_patient: Patient,
    foreign_coordinator: User,
    two_centers: tuple[object, ...],
) -> None:
    form = CrfForm.objects.create(
        patient=foreign_patient, main_of=foreign_patient, dictionary_version="ich-1", values=DOUBTFUL
    )
    users[Role.DATA_MANAGER].memberships.update(center=two_centers[0])
    asked = request_run(actor=User.objects.get(pk=users[Role.DATA_MANAGER].pk))
    run_job(job_id=asked.job_id)
    asked = RuleRun.objects.get()
    assert Job.objects.get(pk=asked.job_id).state == Job.State.SUCCEEDED
    assert (asked.forms, asked.opened) == (1, Query.objects.count())
    assert not Query.objects.filter(form=form).exists()
    assert not QueryMessage.objects.exclude(author=None).exists()


def test_the_command_runs_one_patient_or_all(doubtful: Patient, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("run_rules", patient=doubtful.study_id)
    assert capsys.readouterr().out.startswith(f"1 forms: {Query.objects.count()} queries opened, 0 reopened")
    call_command("run_rules")
    assert "0 queries opened" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no patient C9-0001"):
        call_command("run_rules", patient="C9-0001")


def test_a_save_without_queries_asks_the_database_once_more(patient: Patient, save: Save) -> None:
    save(patient, {"age": 60})
    with CaptureQueriesContext(connection) as captured:
        save(patient, {"age": 61})
    assert CrfValue.objects.count() == 2
    assert sum("crf_query" in entry["sql"] for entry in captured) == 1
