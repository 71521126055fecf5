"""A patient's forms in the course of the study: which there are, when a visit is due, and how far each form is."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from dateutil.relativedelta import relativedelta
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.crf import rules
from apps.crf.conditions import Values
from apps.crf.dictionary import FurtherForm, VariableType, Visit, load_dictionary
from apps.crf.double_entry.selectors import Stand, stands_of
from apps.crf.models import CrfForm
from apps.crf.places import Place
from apps.crf.rules import Completeness
from apps.patients.models import Patient


@dataclass(frozen=True)
class Planned:
    """One form at one place: what is stored there, and when its visit is due."""

    place: Place
    title: str
    url: str
    due: date | None
    # False where the main form says that there is nothing to visit for.
    expected: bool
    version: int
    completeness: Completeness
    # Where it stands between its two entries; none before somebody has begun the second.
    stand: Stand | None = None


@dataclass(frozen=True)
class Row:
    """A form with its places; one that repeats has an address for a further one."""

    form: FurtherForm
    planned: tuple[Planned, ...]
    add_url: str = ""

    @property
    def extra_rows(self) -> int:
        """Rows of the table below the planned ones: the one in which a further form is added."""
        return 1 if self.add_url else 0


def title_of(place: Place) -> str:
    """Say which form a place means: Follow-up, 3 months; Laboratory values 2."""
    dictionary = load_dictionary()
    if place.is_main:
        return _("Case report form")
    form = dictionary.further[place.form]
    if form.repeats:
        return f"{form.label} {place.instance}"
    return _("%(form)s, %(visit)s") % {"form": form.label, "visit": _visit(place.visit).label}


def form_url(patient: Patient, place: Place) -> str:
    """Return the address of a form's page."""
    if place.is_main:
        return reverse("crf:form", args=[patient.study_id])
    return reverse("crf:further", args=[patient.study_id, place.form, place.visit, place.instance])


def schedule_of(patient: Patient, main: CrfForm, hidden: Collection[int] = ()) -> list[Row]:
    """Return the forms beside the main one, in two queries; visits are counted from the admission on the main form.

    `hidden` are keys of forms of which no value is told.
    """
    stored = {form.place: form for form in patient.forms.filter(main_of__isnull=True)}
    days = {} if main.pk in hidden else main.values
    rows = [_row(patient, form, stored, days, hidden) for form in load_dictionary().forms]
    return _with_stands(rows, stands_of(patient))


def _with_stands(rows: list[Row], stands: Mapping[Place, Stand]) -> list[Row]:
    return [
        replace(row, planned=tuple(replace(each, stand=stands.get(each.place)) for each in row.planned)) for row in rows
    ]


def _row(
    patient: Patient, form: FurtherForm, stored: dict[Place, CrfForm], main: Values, hidden: Collection[int]
) -> Row:  # fmt: skip
    places = list(_places(form, stored))
    planned = tuple(_planned(patient, form, place, stored.get(place), main, hidden) for place in places)
    if not form.repeats:
        return Row(form, planned)
    following = Place(form.name, form.visits[0], max((place.instance for place in places), default=0) + 1)
    return Row(form, planned, form_url(patient, following))


def _places(form: FurtherForm, stored: Iterable[Place]) -> Iterable[Place]:
    """A form that repeats stands where it was entered; another at each of its visits."""
    if not form.repeats:
        return [Place(form.name, visit) for visit in form.visits]
    return sorted((place for place in stored if place.form == form.name), key=lambda place: place.instance)


def _planned(
    patient: Patient, form: FurtherForm, place: Place, stored: CrfForm | None, main: Values, hidden: Collection[int]
) -> Planned:  # fmt: skip
    visit = _visit(place.visit)
    values = stored.values if stored and stored.pk not in hidden else {}
    return Planned(
        place, _day(form, place, values) if form.repeats else str(visit.label), form_url(patient, place),
        _due(visit, main), visit.unless is None or not visit.unless.holds(main),
        stored.version if stored else 0, rules.completeness(form, stored.answers if stored else {}),
    )  # fmt: skip


def _due(visit: Visit, main: Values) -> date | None:
    admission = str(main.get("admission_date") or "")
    return date.fromisoformat(admission) + relativedelta(months=visit.months) if admission and visit.months else None


def _day(form: FurtherForm, place: Place, values: Values) -> str:
    """Tell one entry of a form that repeats from the others: by its number, and the first date on it."""
    days = (values.get(name) for name, found in form.variables.items() if found.type is VariableType.DATE)
    day = next((str(day) for day in days if day), "")
    return f"{place.instance} · {day}" if day else str(place.instance)


def _visit(name: str) -> Visit:
    return next(visit for visit in load_dictionary().visits if visit.name == name)
