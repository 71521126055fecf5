"""Queries in the words of the reader: what the pages and the API show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from apps.accounts.access import Actor
from apps.accounts.models import User
from apps.crf.conditions import Value
from apps.crf.dictionary import load_dictionary
from apps.crf.places import Place
from apps.crf.queries.models import Query, QueryMessage
from apps.crf.queries.rules import Finding, rule_of, show
from apps.crf.queries.selectors import messages_of
from apps.crf.queries.services import may
from apps.crf.schedule import form_url, title_of
from apps.crf.versions.past import variable_named


@dataclass(frozen=True)
class ShownMessage:
    message: QueryMessage
    author: str
    text: str


@dataclass(frozen=True)
class ShownQuery:
    """A query with its question, the value that it is about, and its thread."""

    query: Query
    label: str
    value: str
    source: str
    question: str
    # The values that it is about as they were when it was asked: (label, value).
    about: tuple[tuple[str, str], ...]
    # The form that it is about.
    place: Place
    form_title: str
    form_url: str
    messages: tuple[ShownMessage, ...]
    actions: tuple[str, ...]

    @property
    def badge(self) -> str:
        """Class of the badge of its state."""
        return {"open": "badge-warning", "answered": "badge-active", "closed": "badge-good"}[self.query.state]


def in_words(actor: Actor, queries: Sequence[Query]) -> list[ShownQuery]:
    """Return queries in words, in one query for all their threads."""
    threads = messages_of(queries)
    return [_shown(actor, query, threads[query.pk]) for query in queries]


def _shown(actor: Actor, query: Query, messages: list[QueryMessage]) -> ShownQuery:
    rule = rule_of(query.rule) if query.rule else None
    lines = tuple(ShownMessage(message, _author(message), _text(query, message)) for message in messages)
    question = next(
        (line.text for line in reversed(lines) if line.message.action in {"opened", "updated", "reopened"}), ""
    )
    source = str(rule.label) if rule else query.rule or _("a person")
    actions = tuple(may(actor, query)) if isinstance(actor, User) else ()
    value = show(query.variable, query.about.get(query.variable)) if query.variable else ""
    about = tuple((label_of(name), show(name, one)) for name, one in _in_order(query.about))
    place = query.form.place
    return ShownQuery(
        query, label_of(query.variable), value, source, question, about, place, title_of(place),
        form_url(query.patient, place), lines, actions,
    )  # fmt: skip


def label_of(variable: str) -> str:
    """Return what a query is about, as the form calls it."""
    found = variable_named(variable)
    return str(found.label) if found else variable or _("the form as a whole")


def _in_order(about: Mapping[str, Value]) -> list[tuple[str, Value]]:
    """Return values in the order of the form; a database keeps the names of JSON in an order of its own."""
    order = list(load_dictionary().all_variables)
    return sorted(about.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order))


def _author(message: QueryMessage) -> str:
    return message.author.full_name if message.author else _("Rule")


def _text(query: Query, message: QueryMessage) -> str:
    if message.text:
        return message.text
    if message.action in {"opened", "updated", "reopened"} and (rule := rule_of(query.rule)):
        return rule.say(Finding(query.rule, query.variable, message.about, message.facts))
    if message.action == "assigned":
        return _("everybody who may answer it")
    return "; ".join(
        _("%(label)s is now: %(value)s") % {"label": label_of(name), "value": show(name, value) or _("blank")}
        for name, value in _in_order(message.about)
    )
