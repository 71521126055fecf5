"""What a save of a form does to its queries: a corrected value closes a rule's and answers a person's."""

from collections.abc import Collection

from apps.accounts.models import User
from apps.crf.models import CrfForm
from apps.crf.queries.judgment import judge_again
from apps.crf.queries.models import Query
from apps.crf.queries.rules import Subject
from apps.crf.queries.thread import Action, State, Step, write_steps


def follow_save(*, actor: User, form: CrfForm, changed: Collection[str]) -> None:
    """Bring the queries of a form that was just saved after it, in the transaction of the save."""
    queries = list(Query.objects.select_for_update(of=("self",)).filter(form=form).exclude(state=State.CLOSED))
    if not queries:
        return
    subject = Subject.of(form)
    steps = judge_again(subject, [query for query in queries if query.rule])
    for query in queries:
        if not query.rule and query.state == State.OPEN and query.variable in changed:
            steps.append(Step(query, Action.CORRECTED, about={query.variable: form.values.get(query.variable)}))
    if steps:
        write_steps(
            actor=actor, author=actor, action="follow_save", steps=steps, patients={form.patient_id: form.patient}
        )
