"""What the audit trail calls queries."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.audit.words import Action, Change, Kind, Shown, pair_of, register
from apps.crf.queries.models import Query

_STATE = {"state": Shown(_("State"), show=lambda state: _state(state))}


def register_query_words() -> None:
    """Register the words of queries."""
    register(
        Kind("crf.query", _("Query"), "patient__study_id"),
        Kind("crf.rulerun", _("Run of the rules")),
        Action("open_query", _("Opened a query"), _STATE),
        Action("open_queries", _("Opened queries on several patients"), describe=describe_states),
        Action("answer_query", _("Answered a query"), _STATE),
        Action("close_query", _("Closed a query"), _STATE),
        Action("reopen_query", _("Reopened a query"), _STATE),
        Action("assign_query", _("Assigned a query"), {"assigned_to": Shown(_("Assigned to"))}),
        Action("request_rules", _("Asked for a run of the rules"), {"centers": Shown(_("Centers"))}),
        Action("retry_rules", _("Had a run of the rules done again")),
        Action("run_rules", _("The rules opened or closed queries"), describe=describe_states),
        Action("follow_save", _("A correction answered or closed queries"), describe=describe_states),
    )


def describe_states(changes: Mapping[str, Any], at: datetime) -> list[Change]:
    """Return the states of several queries, by their numbers."""
    told = []
    for number, value in changes.items():
        old, new = (str(_state(state)) if state else "" for state in pair_of(value))
        told.append(Change(gettext("Query %(n)s") % {"n": number}, old, new))
    return told


def _state(value: str) -> str | Promise:
    return Query.State(value).label if value in Query.State.values else value
