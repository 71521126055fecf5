"""What the rules find in a form, and what that means for the queries that are there."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from apps.crf.conditions import Values
from apps.crf.queries.models import Query
from apps.crf.queries.rules import Evidence, Finding, Gather, Subject, rule_of, rules
from apps.crf.queries.thread import Action, State, Step

Key = tuple[int | None, str, str]


def key_of(query: Query) -> Key:
    """Return what a rule's query is recognized by."""
    return query.form_id, query.rule, query.variable


def findings_of(subjects: Sequence[Subject], gathers: Mapping[str, Gather]) -> dict[Key, tuple[Subject, Finding]]:
    """Return all that all rules find, by the identity of the query."""
    found: dict[Key, tuple[Subject, Finding]] = {}
    for name, gather in gathers.items():
        evidence = gather(subjects)
        for subject in subjects:
            for finding in rules[name].find(subject, evidence.get(subject.patient_id, {})):
                found[subject.form_id, finding.rule, finding.variable] = subject, finding
    return found


def steps_for(found: Mapping[Key, tuple[Subject, Finding]], queries: Iterable[Query]) -> list[Step]:
    """Compare findings with the rule queries of the same forms; what is as it was takes no step."""
    existing = {key_of(query): query for query in queries}
    steps = [_opened(subject, finding) for key, (subject, finding) in found.items() if key not in existing]
    for key, query in existing.items():
        step = judge(query, found[key][1]) if key in found else resolve(query, {})
        if step is not None:
            steps.append(step)
    return steps


def _opened(subject: Subject, finding: Finding) -> Step:
    query = Query(patient_id=subject.patient_id, form_id=subject.form_id, rule=finding.rule, variable=finding.variable)
    return Step(query, Action.OPENED, about=finding.about, facts=finding.facts)


def judge(query: Query, finding: Finding) -> Step | None:
    """Return the step of a query whose finding stands; None where a person knows and has said that it is right."""
    is_same = query.about == dict(finding.about)
    if query.state == State.CLOSED:
        if is_same and query.closed_by_id is not None:
            return None
        return Step(query, Action.REOPENED, about=finding.about, facts=finding.facts)
    if is_same:
        return None
    action = Action.UPDATED if query.state == State.OPEN else Action.REOPENED
    return Step(query, action, about=finding.about, facts=finding.facts)


def resolve(query: Query, values: Values) -> Step | None:
    """Return the step of a query whose finding is gone; `values` are those that the variables have now."""
    if query.state == State.CLOSED:
        return None
    return Step(query, Action.RESOLVED, about={name: values.get(name) for name in query.about} if values else {})


def judge_again(subject: Subject, queries: Sequence[Query]) -> list[Step]:
    """Judge the open rule queries of one form by its values now and by what each was opened with."""
    evidence: dict[str, dict[str, Any]] = {}
    for query in queries:
        evidence.setdefault(query.rule.partition(".")[0], {})[query.variable] = query.facts
    steps = []
    for name, facts in evidence.items():
        mine = [query for query in queries if query.rule.partition(".")[0] == name]
        found = _found(name, subject, facts)
        for query in mine:
            finding = found.get((query.rule, query.variable))
            step = judge(query, finding) if finding else resolve(query, subject.values)
            if step is not None:
                steps.append(step)
    return steps


def _found(name: str, subject: Subject, evidence: Evidence) -> dict[tuple[str, str], Finding]:
    rule = rule_of(name)
    if rule is None:
        return {}
    return {(finding.rule, finding.variable): finding for finding in rule.find(subject, evidence)}
