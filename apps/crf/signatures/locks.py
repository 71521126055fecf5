"""Is a form locked? Asked by everything that writes into one, under its row lock."""

from collections.abc import Mapping

from django.utils.translation import gettext as _

from apps.core.errors import Conflict
from apps.crf.dictionary import load_dictionary
from apps.crf.missing import Answers
from apps.crf.models import CrfForm, FormAct
from apps.crf.values import display_with_unit


class FormLocked(Conflict):
    """The form is locked, so nothing was saved; `errors` repeats what was to be saved."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("form_locked", _("The form is locked. Ask a data manager to unlock it; nothing was saved."))
        self.errors = dict(errors)


def lock_of(form: CrfForm) -> FormAct | None:
    """Return who locked the form, and when; None while it is open."""
    kinds = (FormAct.Kind.LOCK, FormAct.Kind.UNLOCK)
    newest = form.acts.filter(kind__in=kinds).select_related("by").order_by("-pk").first() if form.pk else None
    return newest if newest is not None and newest.kind == FormAct.Kind.LOCK else None


def refuse_if_locked(form: CrfForm, mine: Answers) -> None:
    """Raise FormLocked with what the actor wanted to save, so that nobody has to remember it."""
    if lock_of(form) is not None:
        variables = load_dictionary().all_variables
        raise FormLocked(
            {
                name: _("Not saved: %(value)s") % {"value": display_with_unit(variables[name], value) or "–"}
                for name, value in mine.items()
            }
        )
