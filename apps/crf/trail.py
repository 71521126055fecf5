"""What the audit trail calls the case report form: values read as the data dictionary has them."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.audit.words import Action, Change, Kind, pair_of, register
from apps.crf.dictionary import load_dictionary
from apps.crf.missing import from_data
from apps.crf.queries.trail import register_query_words
from apps.crf.values import display_with_unit


def register_words() -> None:
    """Register the words of this app."""
    register(
        Kind("crf.crfform", _("Case report form"), "patient__study_id"),
        Action("save_form", _("Entered values into the case report form"), describe=describe_values),
        Action("take_into_trail", _("Took the values of an earlier version of the platform into the audit trail")),
    )
    register_query_words()


def describe_values(changes: Mapping[str, Any]) -> list[Change]:
    """Return changed values in the order and the words of the form; what the dictionary no longer has, as stored."""
    variables = load_dictionary().all_variables
    told = []
    for name in sorted(changes, key=lambda name: list(variables).index(name) if name in variables else len(variables)):
        old, new = (from_data(each) for each in pair_of(changes[name]))
        if variable := variables.get(name):
            change = Change(str(variable.label), display_with_unit(variable, old), display_with_unit(variable, new))
        else:
            change = Change(name, *("" if value is None else str(value) for value in (old, new)))
        told.append(change)
    return told
