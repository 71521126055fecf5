"""Who enters a form for the second time sees nothing of the first entry until he has submitted or given up."""

from collections.abc import Iterable

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from apps.accounts.access import Actor
from apps.accounts.models import User
from apps.core.errors import Conflict
from apps.crf.double_entry.models import SecondEntry
from apps.crf.models import CrfForm


class BlindedError(Conflict):
    """The actor is entering this form for the second time; `errors` is empty, as no value of it is told."""

    def __init__(self) -> None:
        super().__init__(
            "second_entry_open",
            _("You are entering this form for the second time. Submit your second entry or give it up first."),
        )
        self.errors: dict[str, str] = {}


def _open_of(actor: Actor) -> QuerySet[SecondEntry]:
    entries = SecondEntry.objects.filter(state=SecondEntry.State.OPEN)
    return entries.filter(entered_by=actor) if isinstance(actor, User) else entries.none()


def hidden_forms(actor: Actor) -> set[int]:
    """Return the keys of the forms of whose values the actor may see none."""
    return set(hidden_rows(actor))


def hidden_rows(actor: Actor) -> QuerySet[SecondEntry, int]:
    """Return the same for a query to leave them out by itself."""
    return _open_of(actor).order_by().values_list("form_id", flat=True)


def hidden_patients(actor: User) -> set[int]:
    """Return the keys of the patients whose main form is hidden: lists, scores and predictions rest on that."""
    return set(_open_of(actor).filter(form__main_of__isnull=False).values_list("form__main_of", flat=True))


def refuse_if_blinded(actor: Actor, *forms: CrfForm) -> None:
    """Raise BlindedError where one of the forms is hidden from the actor."""
    keys = [form.pk for form in forms if form.pk]
    if keys and _open_of(actor).filter(form__in=keys).exists():
        raise BlindedError


def refuse_tables(actor: Actor) -> None:
    """Raise Conflict where the actor's tables of all patients would hold a hidden value."""
    study_ids: Iterable[str] = _open_of(actor).values_list("form__patient__study_id", flat=True)[:10]
    if found := ", ".join(study_ids):
        raise Conflict(
            "second_entry_open",
            _("A table would show you what you are entering for the second time (%(ids)s). Submit that, or give it up.")
            % {"ids": found},
        )


def hidden_events(actor: Actor) -> Q | None:
    """Return which events of the audit trail would tell the actor of a hidden value; None: none."""
    keys = [str(key) for key in hidden_forms(actor)]
    return Q(object_type=CrfForm._meta.label_lower, object_id__in=keys) if keys else None
