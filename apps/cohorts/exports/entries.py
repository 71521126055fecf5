"""The forms of each patient as they may leave the platform, for files that hold all forms at once."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.db.models import Prefetch

from apps.cohorts.table import exported_value
from apps.crf.conditions import Value
from apps.crf.dictionary import load_dictionary
from apps.crf.models import CrfForm
from apps.crf.places import MAIN_PLACE, Place
from apps.patients.models import Patient

# Patients read at once: forms of more would only fill the memory.
_CHUNK = 500


@dataclass(frozen=True)
class Entry:
    """One form that was entered: its values, dates moved, and why others are missing, by variable."""

    place: Place
    values: Mapping[str, Value]
    missing: Mapping[str, str]


@dataclass(frozen=True)
class Subject:
    study_id: str
    center: str
    entries: tuple[Entry, ...]


def subjects(centers: Iterable[str]) -> Iterator[Subject]:
    """Yield the patients of the centers with these codes, by study ID, each with his forms by visit."""
    stored = CrfForm.objects.filter(version__gt=0)
    found = Patient.objects.filter(center__code__in=list(centers)).select_related("center").order_by("study_id")
    for patient in found.prefetch_related(Prefetch("forms", stored)).iterator(chunk_size=_CHUNK):
        yield Subject(patient.study_id, patient.center.code, tuple(_entries(patient)))


def _entries(patient: Patient) -> Iterator[Entry]:
    order = {key: number for number, key in enumerate(_asked())}
    mine = [form for form in patient.forms.all() if (form.visit, form.name) in order]
    for form in sorted(mine, key=lambda form: (order[form.visit, form.name], form.instance)):
        variables = load_dictionary().questions(form.name).variables
        values = {
            name: exported_value(variable, form.values[name], patient)
            for name, variable in variables.items()
            if form.values.get(name) is not None
        }
        yield Entry(form.place, values, {name: form.missing[name] for name in variables if name in form.missing})


def _asked() -> list[tuple[str, str]]:
    return [(visit, form) for visit, forms in asked_at().items() for form in forms]


def asked_at() -> dict[str, list[str]]:
    """Return the names of the forms that are asked at each visit; the main one belongs to the hospital stay."""
    dictionary = load_dictionary()
    names = dict.fromkeys((MAIN_PLACE.visit, *(visit.name for visit in dictionary.visits)))
    main = {MAIN_PLACE.visit: [MAIN_PLACE.form]}
    return {
        name: main.get(name, []) + [form.name for form in dictionary.forms if name in form.visits] for name in names
    }
