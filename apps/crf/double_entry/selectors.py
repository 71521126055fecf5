"""Reading second entries: where a form stands, and the two worklists; always through the actor's centers."""

from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.accounts.access import Actor, centers_with, get_visible, has_permission, in_centers
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.core.errors import Conflict
from apps.crf.dictionary import load_dictionary
from apps.crf.double_entry.asked import forms_asking, marked_variables
from apps.crf.double_entry.models import SecondEntry
from apps.crf.models import CrfForm, CrfValue, FormAct
from apps.crf.places import Place
from apps.crf.selectors import questions_of
from apps.patients.models import Patient

State = SecondEntry.State


@dataclass(frozen=True)
class Stand:
    """Where a form stands between its two entries, and what the reader may do about it."""

    entry: SecondEntry | None
    # Variables that both entries have to agree on.
    marked: int
    # The reader is the second person, and is blinded.
    is_own: bool = False
    can_start: bool = False
    can_reconcile: bool = False
    # Somebody else has left it behind.
    can_end: bool = False

    @property
    def text(self) -> str:
        """Say it in words, with the number of variables that it is about."""
        if self.entry is None:
            return _("entered once")
        if self.entry.state == State.OPEN:
            return _("second entry under way")
        if self.entry.state == State.SUBMITTED:
            n = self.entry.differences
            return ngettext("%(n)d difference of %(m)d", "%(n)d differences of %(m)d", n) % {"n": n, "m": self.compared}
        return _("reconciled (%(m)d variables)") % {"m": self.compared}

    @property
    def compared(self) -> int:
        """Variables that at least one of the two has answered."""
        return self.entry.compared if self.entry else 0

    @property
    def badge(self) -> str:
        """Class of the badge."""
        states = {State.SUBMITTED: "badge-warning", State.RECONCILED: "badge-good", State.OPEN: "badge-active"}
        return states.get(State(self.entry.state), "") if self.entry else ""


def live_entry(form: CrfForm) -> SecondEntry | None:
    """Return the second entry of a form; none where it was given up."""
    entries = form.second_entries.exclude(state=State.GIVEN_UP).select_related("entered_by") if form.pk else None
    return entries.first() if entries is not None else None


def stand_of(actor: User, form: CrfForm, lock: FormAct | None) -> Stand:
    """Return where a form stands, for one reader; `lock` is the form's."""
    entry, marked = live_entry(form), marked_variables(questions_of(form.place))
    is_open = entry is None and lock is None and form.version > 0
    can_start = is_open and bool(marked) and _is_awaiting(actor, form)
    is_own = entry is not None and entry.state == State.OPEN and entry.entered_by_id == actor.pk
    can_reconcile = (
        entry is not None and entry.state == State.SUBMITTED
        and has_permission(actor, Permission.RECONCILE, form.patient.center)
    )  # fmt: skip
    can_end = (
        entry is not None and entry.state == State.OPEN and not is_own
        and has_permission(actor, Permission.LOCK_FORMS, form.patient.center)
    )  # fmt: skip
    return Stand(entry, len(marked), is_own, can_start, can_reconcile, can_end)


def _is_awaiting(actor: User, form: CrfForm) -> bool:
    """Say of an open, saved form without a second entry whether it is among those of `awaiting`, with less work."""
    questions = questions_of(form.place)
    asked = {each.outcome for each in questions.variables.values() if each.double_entry and each.is_typed}
    needed = {False: Permission.ENTER_CRF, True: Permission.ENTER_OUTCOME}
    if not any(has_permission(actor, needed[flag], form.patient.center) for flag in asked):
        return False
    own = CrfValue.objects.filter(form=form, recorded_by=actor, variable__in=_marked_anywhere())
    return not own.exists()


def stands_of(patient: Patient) -> dict[Place, Stand]:
    """Return where each form of a patient stands of which somebody has begun a second entry; in one query."""
    entries = SecondEntry.objects.filter(form__patient=patient).exclude(state=State.GIVEN_UP).select_related("form")
    return {entry.form.place: Stand(entry, len(entry.variables)) for entry in entries}


def refuse_if_unreconciled(form: CrfForm) -> None:
    """Raise Conflict while a second entry of a form is under way, or its differences are open."""
    entry = live_entry(form)
    if entry is not None and entry.state == State.OPEN:
        sentence = _("%(name)s is entering this form for the second time. Wait until that is submitted or given up.")
        raise Conflict("second_entry_open", sentence % {"name": entry.entered_by.full_name})
    if entry is not None and entry.state == State.SUBMITTED:
        raise Conflict("not_reconciled", _("The two entries of this form differ. Have them reconciled first."))


def entries_of(actor: Actor) -> QuerySet[SecondEntry]:
    """Return the actor's own second entries in centers whose forms he may read."""
    entries = SecondEntry.objects.select_related("form__patient__center", "entered_by")
    centers = centers_with(actor, Permission.VIEW_CRF)
    mine = entries.filter(form__patient__center__in=centers)
    return mine.filter(entered_by=actor) if isinstance(actor, User) else mine.none()


def access_own(actor: Actor, entry_id: int) -> SecondEntry:
    """Return one second entry of the actor's own; Http404 otherwise."""
    return get_visible(entries_of(actor), pk=entry_id)


def access_to_end(actor: Actor, entry_id: int) -> SecondEntry:
    """Return a second entry that the actor may give up: his own, or an open one in a center where he locks forms."""
    entries = SecondEntry.objects.select_related("form__patient__center", "entered_by")
    left = Q(state=State.OPEN, form__patient__center__in=centers_with(actor, Permission.LOCK_FORMS))
    return get_visible(entries.filter(Q(pk__in=entries_of(actor).values("pk")) | left), pk=entry_id)


def to_reconcile(actor: Actor) -> QuerySet[SecondEntry]:
    """Return the second entries with open differences that the actor reconciles, none of his own, oldest first."""
    others = _reconcilable(actor).exclude(entered_by=actor if isinstance(actor, User) else None)
    return others.filter(state=State.SUBMITTED).order_by("submitted_at", "pk")


def _reconcilable(actor: Actor) -> QuerySet[SecondEntry]:
    entries = SecondEntry.objects.select_related("form__patient__center", "entered_by", "reconciled_by")
    return entries.filter(in_centers(actor, Permission.RECONCILE, "form__patient__center"))


def access_submitted(actor: Actor, entry_id: int) -> SecondEntry:
    """Return one second entry that has been submitted and that the actor's role reconciles; Http404 otherwise."""
    return get_visible(_reconcilable(actor).filter(state__in=[State.SUBMITTED, State.RECONCILED]), pk=entry_id)


def count_waiting(actor: Actor) -> int:
    return to_reconcile(actor).count()


def _marked_anywhere() -> list[str]:
    return [name for name, variable in load_dictionary().all_variables.items() if variable.double_entry]


def awaiting(actor: Actor) -> QuerySet[CrfForm]:
    """Return the forms that the actor may enter for the second time, the newest first."""
    regular, outcome = (
        Q(name__in=forms_asking(outcome=flag)) & in_centers(actor, permission)
        for flag, permission in ((False, Permission.ENTER_CRF), (True, Permission.ENTER_OUTCOME))
    )
    own = CrfValue.objects.filter(
        form=OuterRef("pk"), recorded_by=actor if isinstance(actor, User) else None, variable__in=_marked_anywhere()
    )
    live = SecondEntry.objects.filter(form=OuterRef("pk")).exclude(state=State.GIVEN_UP)
    locks = FormAct.objects.filter(form=OuterRef("pk"), kind__in=[FormAct.Kind.LOCK, FormAct.Kind.UNLOCK])
    newest = Coalesce(Subquery(locks.order_by("-pk").values("kind")[:1]), Value(""))
    forms = CrfForm.objects.filter(regular | outcome, ~Exists(own), ~Exists(live), version__gt=0)
    forms = forms.annotate(last_act=newest).exclude(last_act=FormAct.Kind.LOCK)
    return forms.select_related("patient__center").order_by("-updated_at", "-pk")
