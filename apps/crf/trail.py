"""What the audit trail calls the case report form: values read as the data dictionary has them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.audit.words import Action, Change, Kind, pair_of, register
from apps.crf.dictionary import Dictionary, Variable
from apps.crf.missing import Answer, from_data
from apps.crf.queries.trail import register_query_words
from apps.crf.values import display_with_unit
from apps.crf.versions.past import dictionary_at, dictionary_before


def register_words() -> None:
    """Register the words of this app."""
    register(
        Kind("crf.crfform", _("Case report form"), "patient__study_id"),
        Action("save_form", _("Entered values into the case report form"), describe=describe_values),
        Action(
            "migrate_form",
            _("Moved the values of a form to a new version of the dictionary"),
            describe=describe_migrated,
        ),
        Action("take_into_trail", _("Took the values of an earlier version of the platform into the audit trail")),
    )
    register_query_words()


def describe_values(changes: Mapping[str, Any], at: datetime) -> list[Change]:
    """Return changed values in the order and the words of the form as it was then."""
    now = dictionary_at(at)
    return _describe(changes, now, now)


def describe_migrated(changes: Mapping[str, Any], at: datetime) -> list[Change]:
    """Return moved values: what stood there by the version before, and what stands there by the new one."""
    now = dictionary_at(at)
    return _describe(changes, dictionary_before(now), now)


def _describe(changes: Mapping[str, Any], before: Dictionary, now: Dictionary) -> list[Change]:
    order = [*now.all_variables, *(name for name in before.all_variables if name not in now.all_variables)]
    told = []
    for name in sorted(changes, key=lambda name: order.index(name) if name in order else len(order)):
        old, new = (from_data(each) for each in pair_of(changes[name]))
        was, is_now = before.all_variables.get(name), now.all_variables.get(name)
        variable = is_now or was
        told.append(Change(str(variable.label) if variable else name, _text(was, old), _text(is_now, new)))
    return told


def _text(variable: Variable | None, answer: Answer) -> str:
    if variable is None:  # no version has it: as it is stored
        return "" if answer is None else str(answer)
    return display_with_unit(variable, answer)
