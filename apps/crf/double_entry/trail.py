"""What the audit trail calls double entry. It tells no second value before the reconciliation: nobody is unblinded."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.audit.words import Action, Change, Kind, Shown, register
from apps.crf.missing import from_data
from apps.crf.values import display_with_unit
from apps.crf.versions.past import dictionary_at

_COUNTS = {
    "asked": Shown(_("Variables asked")),
    "values": Shown(_("Values entered")),
    "differences": Shown(_("Differences")),
}


def register_words() -> None:
    """Register the words of double entry."""
    register(
        Kind("crf.secondentry", _("Second entry"), "form__patient__study_id"),
        Action("start_second_entry", _("Began to enter a form for the second time"), _COUNTS),
        Action("save_second_entry", _("Entered values into a second entry"), _COUNTS),
        Action("submit_second_entry", _("Submitted a second entry"), _COUNTS),
        Action("give_up_second_entry", _("Gave a second entry up")),
        Action("compare_again", _("A change of the form changed its differences from the second entry"), _COUNTS),
        Action("reconcile", _("Reconciled both entries of a form"), describe=describe_reconciled),
    )


def describe_reconciled(changes: Mapping[str, Any], at: datetime) -> list[Change]:
    """Return first and second answer, and what was kept, of each variable."""
    variables = dictionary_at(at).all_variables
    told = []
    for name, answers in changes.items():
        variable = variables.get(name)
        first, second, kept = (
            display_with_unit(variable, from_data(each)) if variable else str(each) for each in answers
        )
        told.append(Change(str(variable.label) if variable else name, f"{first or '–'} / {second or '–'}", kept))
    return told
