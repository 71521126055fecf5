"""Reading queries, always through the actor's centers, and nothing to a blinded person that would unblind him."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, Q, QuerySet

from apps.accounts.access import Actor, get_visible, has_permission_everywhere, in_centers
from apps.accounts.models import Center, User
from apps.accounts.policy import Permission, roles_with
from apps.crf.dictionary import load_dictionary
from apps.crf.double_entry.blinding import hidden_rows
from apps.crf.models import CrfForm
from apps.crf.queries.models import Query, QueryMessage, RuleRun
from apps.crf.queries.rules import rules

PERSON = "person"


def queries_visible_to(actor: Actor) -> QuerySet[Query]:
    """Return the queries that the actor may read.

    Who holds VIEW_QUERIES without VIEW_ALL_QUERIES (the blinded assessor) reads those on outcomes alone. What a rule
    tells of the image is read by those who may see images, and never by the assessor. Who enters a form for the second
    time reads none on it.
    """
    telling = [(rule.tells, rule_filter(rule.key)) for rule in rules.values() if rule.tells is not None]
    seen = in_centers(actor, Permission.VIEW_ALL_QUERIES)
    for permission, found in telling:
        if not has_permission_everywhere(actor, permission):
            seen &= ~found | in_centers(actor, permission)
    if not has_permission_everywhere(actor, Permission.VIEW_ALL_QUERIES):
        outcomes = [name for name, variable in load_dictionary().all_variables.items() if variable.outcome]
        blinded = in_centers(actor, Permission.VIEW_QUERIES) & Q(variable__in=outcomes)
        for _permission, found in telling:
            blinded &= ~found
        seen |= blinded
    queries = Query.objects.filter(seen).exclude(form__in=hidden_rows(actor))
    return queries.select_related("patient__center", "form", "assigned_to")


def rule_filter(key: str) -> Q:
    """Return what the queries of one rule fulfill, or those that people opened."""
    if key == PERSON:
        return Q(rule="")
    return Q(rule=key) | Q(rule__startswith=f"{key}.")


def access_query(actor: Actor, query_id: int) -> Query:
    """Return one query that the actor may read; Http404 otherwise."""
    return get_visible(queries_visible_to(actor), pk=query_id)


def waiting_for(actor: Actor) -> QuerySet[Query]:
    """Return what waits for the actor: open queries that he may answer, and answered ones that he may close.

    An open one that is assigned to somebody waits for him alone.
    """
    answering = Q(state=Query.State.OPEN) & in_centers(actor, Permission.ANSWER_QUERIES)
    closing = Q(state=Query.State.ANSWERED) & in_centers(actor, Permission.MANAGE_QUERIES)
    mine = Q(assigned_to=None) | Q(assigned_to=actor if isinstance(actor, User) else None)
    return queries_visible_to(actor).filter((answering & mine) | closing)


def count_waiting(actor: Actor) -> int:
    return waiting_for(actor).count()


def messages_of(queries: Collection[Query]) -> dict[int, list[QueryMessage]]:
    """Return the threads of several queries, in one query."""
    threads: dict[int, list[QueryMessage]] = {query.pk: [] for query in queries}
    for message in QueryMessage.objects.filter(query__in=threads).select_related("author"):
        threads[message.query_id].append(message)
    return threads


def queries_of_form(actor: Actor, form: CrfForm) -> QuerySet[Query]:
    """Return the visible queries of one form."""
    return queries_visible_to(actor).filter(form=form.pk) if form.pk else Query.objects.none()


def open_by_variable(actor: Actor, form: CrfForm) -> dict[str, int]:
    """Return how many queries on each variable of a form are not closed."""
    found = queries_of_form(actor, form).exclude(state=Query.State.CLOSED)
    return dict(found.order_by().values_list("variable").annotate(Count("pk")))


@dataclass(frozen=True)
class Counts:
    """What stands on top of the worklist."""

    waiting: int
    open: int
    answered: int
    closed: int
    oldest: datetime | None

    @property
    def oldest_query(self) -> Query | None:
        """A query as old as the oldest, for its age."""
        return None if self.oldest is None else Query(opened_at=self.oldest)


def counts_for(actor: Actor) -> Counts:
    """Count what the actor sees."""
    states = {state: Count("pk", filter=Q(state=state)) for state in Query.State.values}
    found = (
        queries_visible_to(actor)
        .order_by()
        .aggregate(**states, oldest=Min("opened_at", filter=~Q(state=Query.State.CLOSED)))
    )
    return Counts(count_waiting(actor), **found)


def chosen_queries(actor: Actor, chosen: Mapping[str, Any]) -> QuerySet[Query]:
    """Return the visible queries that the filters (`QueryFilter.cleaned_data`) leave, the oldest first."""
    whose = chosen.get("whose")
    queries = waiting_for(actor) if whose == "waiting" else queries_visible_to(actor)
    if whose == "mine":
        queries = queries.filter(assigned_to=actor if isinstance(actor, User) else None)
    state = chosen.get("state")
    if state == "":
        queries = queries.exclude(state=Query.State.CLOSED)
    elif state and state != "all":
        queries = queries.filter(state=state)
    if rule := chosen.get("rule"):
        queries = queries.filter(rule_filter(rule))
    if study_id := chosen.get("patient"):
        queries = queries.filter(patient__study_id=study_id.upper())
    for name, column in (("variable", "variable"), ("center", "patient__center")):
        if value := chosen.get(name):
            queries = queries.filter(**{column: value})
    return queries.order_by("opened_at", "pk")


def people_for(centers: QuerySet[Center]) -> QuerySet[User]:
    """Return who may be given queries of these centers: those who answer or manage them there."""
    roles = {*roles_with(Permission.ANSWER_QUERIES), *roles_with(Permission.MANAGE_QUERIES)}
    there = Q(memberships__center__in=centers) | Q(memberships__center=None)
    people = User.objects.filter(there, memberships__role__in=roles, is_active=True)
    return people.distinct().order_by("full_name", "username")


def runs_visible_to(actor: Actor) -> QuerySet[RuleRun]:
    """Return the actor's own runs of the rules."""
    runs = RuleRun.objects.select_related("job", "requested_by")
    return runs.filter(requested_by=actor) if isinstance(actor, User) else runs.none()
