"""What people do with queries. Each step is a message in the thread and an event of the audit trail."""

from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.access import centers_with, has_permission, require
from apps.accounts.models import Center, User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.core import jobs
from apps.core.errors import Conflict, Refusal
from apps.core.models import Job
from apps.crf.dictionary import Questions, load_dictionary
from apps.crf.double_entry.blinding import refuse_if_blinded
from apps.crf.models import CrfForm
from apps.crf.places import MAIN_PLACE, Place
from apps.crf.queries.models import Query, QueryMessage, RuleRun
from apps.crf.queries.selectors import people_for, queries_visible_to
from apps.crf.queries.thread import Action, State, Step, write_step, write_steps
from apps.crf.rows import get_row, main_rows
from apps.crf.selectors import questions_of
from apps.crf.values import RefusedValueError, clean_text
from apps.patients.models import Patient

TEXT_LENGTH = 1000
AUDIT_ACTIONS = {
    Action.ANSWERED: "answer_query",
    Action.CLOSED: "close_query",
    Action.REOPENED: "reopen_query",
    Action.ASSIGNED: "assign_query",
}
# What each step needs, and the states that it may be taken in.
NEEDED = {
    Action.ANSWERED: Permission.ANSWER_QUERIES,
    Action.CLOSED: Permission.MANAGE_QUERIES,
    Action.REOPENED: Permission.MANAGE_QUERIES,
    Action.ASSIGNED: Permission.MANAGE_QUERIES,
}
STATES = {
    Action.ANSWERED: {State.OPEN},
    Action.CLOSED: {State.OPEN, State.ANSWERED},
    Action.REOPENED: {State.ANSWERED, State.CLOSED},
    Action.ASSIGNED: {State.OPEN, State.ANSWERED},
}


@transaction.atomic
def open_query(*, actor: User, patient: Patient, variable: str, text: str, place: Place = MAIN_PLACE) -> Query:
    """Open a person's question about a variable of one of a patient's forms, or (variable blank) about the form."""
    require(actor, Permission.OPEN_QUERIES, patient.center)
    _check_variable(variable, questions_of(place))
    words = _read_text(text, needed=True)
    form = get_row(patient, place)
    refuse_if_blinded(actor, form)
    return write_step(actor=actor, action="open_query", step=_opening(actor, patient, form, variable, words))


def _opening(actor: User, patient: Patient, form: CrfForm, variable: str, text: str) -> Step:
    about = {variable: form.values.get(variable)} if variable else {}
    query = Query(patient=patient, form=form, variable=variable, opened_by=actor)
    return Step(query, Action.OPENED, text, about)


def _check_variable(variable: str, questions: Questions) -> None:
    if variable and variable not in questions.variables:
        raise Refusal("query_variable", _("The form has no variable of this name. Choose one of the form."))


@transaction.atomic
def answer_query(*, actor: User, query: Query, text: str) -> Query:
    """Say why a value is as it is, or what was done."""
    return _step(actor, query, Action.ANSWERED, text, needed=True)


@transaction.atomic
def close_query(*, actor: User, query: Query, text: str = "") -> Query:
    """Take the value as right: while it stays the same, no rule asks about it again."""
    return _step(actor, query, Action.CLOSED, text)


@transaction.atomic
def reopen_query(*, actor: User, query: Query, text: str) -> Query:
    """Ask again, and say why."""
    return _step(actor, query, Action.REOPENED, text, needed=True)


@transaction.atomic
def assign_query(*, actor: User, query: Query, to: User | None) -> Query:
    """Give a query to one person, or (None) to all who may answer it."""
    return _step(actor, query, Action.ASSIGNED, "", to=to)


def _step(
    actor: User, query: Query, action: QueryMessage.Action, text: str, *, needed: bool = False, to: User | None = None
) -> Query:
    require(actor, NEEDED[action], query.patient.center)
    words = _read_text(text, needed=needed)
    locked = Query.objects.select_for_update(of=("self",)).select_related("patient__center", "assigned_to")
    query = locked.get(pk=query.pk)
    if query.state not in STATES[action]:
        sentence = _("The query is %(state)s by now. Load it again and see what is left to do.")
        raise Conflict("query_state", sentence % {"state": query.get_state_display()})
    if to is not None:
        _check_person(query, to)
    step = Step(query, action, words or (_name_of(to) if action == Action.ASSIGNED else ""), assigned_to=to)
    return write_step(actor=actor, action=AUDIT_ACTIONS[action], step=step)


def _name_of(to: User | None) -> str:
    return to.full_name if to else ""


def _check_person(query: Query, to: User) -> None:
    """Refuse to give a query to who can't see it: he would never find it, or it would unblind him."""
    centers = Center.objects.filter(pk=query.patient.center_id)
    if not people_for(centers).filter(pk=to.pk).exists() or not queries_visible_to(to).filter(pk=query.pk).exists():
        sentence = _("%(name)s can't see queries of this patient or this kind. Choose somebody else.")
        raise Refusal("query_person", sentence % {"name": to.full_name})


def _read_text(text: str, *, needed: bool = False) -> str:
    try:
        words = clean_text(" ".join(text.split()), TEXT_LENGTH)  # lines of a text area become one
    except RefusedValueError as error:
        raise Refusal("query_text", str(error)) from error
    if needed and not words:
        raise Refusal("query_text", _("Say in a few words what it is about; nothing has been stored yet."))
    return words


@transaction.atomic
def open_queries(*, actor: User, study_ids: Sequence[str], variable: str, text: str) -> list[Query]:
    """Ask the same about the main form of many patients; all of them or, where a study id is not known, none."""
    require(actor, Permission.OPEN_QUERIES)
    _check_variable(variable, load_dictionary())
    words = _read_text(text, needed=True)
    wanted = list(dict.fromkeys(study_id.upper() for study_id in study_ids))
    if not wanted:
        raise Refusal("query_patients", _("Name the study ids of the patients, one a line."))
    centers = centers_with(actor, Permission.OPEN_QUERIES)
    patients = Patient.objects.filter(center__in=centers, study_id__in=wanted).select_related("center")
    found = {patient.study_id: patient for patient in patients}
    unknown = [study_id for study_id in wanted if study_id not in found]
    if unknown:
        sentence = _("No patient of yours has these study ids, so nothing was opened: %(ids)s. Correct the list.")
        raise Refusal("query_patients", sentence % {"ids": ", ".join(unknown[:10])})
    forms = main_rows(found.values())
    refuse_if_blinded(actor, *forms.values())
    steps = [_opening(actor, each, forms[each.pk], variable, words) for each in found.values()]
    write_steps(
        actor=actor,
        author=actor,
        action="open_queries",
        steps=steps,
        patients={each.pk: each for each in found.values()},
    )
    return [step.query for step in steps]


@transaction.atomic
def close_queries(*, actor: User, queries: Sequence[Query], text: str = "") -> list[Query]:
    """Close several queries, all or none."""
    return [close_query(actor=actor, query=query, text=text) for query in queries]


@transaction.atomic
def assign_queries(*, actor: User, queries: Sequence[Query], to: User | None) -> list[Query]:
    """Give several queries to one person, all or none."""
    return [assign_query(actor=actor, query=query, to=to) for query in queries]


def person_named(actor: User, username: str | None) -> User | None:
    """Return who is to look after a query, by his user name."""
    if username is None:
        return None
    found = people_for(centers_with(actor, Permission.MANAGE_QUERIES)).filter(username=username).first()
    if found is None:
        raise Refusal("query_person", _("Nobody of this user name looks after queries of yours. Choose another."))
    return found


@transaction.atomic
def request_run(*, actor: User) -> RuleRun:
    """Queue a run of all rules over the patients whose queries the actor manages; one at a time."""
    from apps.crf.tasks import run  # a task calls services, so it can't be imported before them

    require(actor, Permission.MANAGE_QUERIES)
    User.objects.select_for_update().get(pk=actor.pk)  # two clicks at once
    last = RuleRun.objects.filter(requested_by=actor).select_related("job").first()
    if last is not None and last.job is not None and last.job.is_active:
        raise Conflict("rules_running", _("The rules are running already. Wait until they are done."))
    centers = list(centers_with(actor, Permission.MANAGE_QUERIES).values_list("code", flat=True))
    asked = RuleRun.objects.create(requested_by=actor)
    asked.job = run.enqueue(run_id=asked.pk)
    asked.save(update_fields=["job"])
    record(actor=actor, action="request_rules", target=asked, changes={"centers": [None, ", ".join(centers)]})
    return asked


@transaction.atomic
def retry_run(*, actor: User, run_row: RuleRun) -> None:
    """Queue a run that failed again."""
    require(actor, Permission.MANAGE_QUERIES)
    job = Job.objects.select_for_update().get(rule_run=run_row)
    if job.state != Job.State.FAILED:
        raise Conflict("not_failed", _("Only a run that failed can be tried again."))
    jobs.retry(job)
    record(actor=actor, action="retry_rules", target=run_row)


def may(actor: User, query: Query) -> list[str]:
    """Return the steps that the actor may take now."""
    return [
        str(action)
        for action, permission in NEEDED.items()
        if query.state in STATES[action] and has_permission(actor, permission, query.patient.center)
    ]
