"""The forms beside the main one as tables: a row for each that was entered, in the order of patients and visits."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from apps.cohorts.exports.columns import Column, Kind, of_reasons, of_variable
from apps.cohorts.table import Row, exported_value
from apps.crf.dictionary import FurtherForm, load_dictionary
from apps.crf.missing import REASONS_COLUMN, reasons_as_text
from apps.crf.models import CrfForm


@dataclass(frozen=True)
class Table:
    """What one file of an export holds; `name` is the file's, `title` its label in SPSS."""

    name: str
    title: str
    columns: list[Column]
    rows: list[Row]


def further_tables(centers: Iterable[str]) -> list[Table]:
    """Return a table for each form beside the main one, of the patients of the centers with these codes."""
    stored = CrfForm.objects.filter(main_of__isnull=True, patient__center__code__in=list(centers), version__gt=0)
    found = list(stored.select_related("patient__center").order_by("patient__study_id", "name", "instance", "pk"))
    return [
        Table(form.name, str(form.label), _columns(form), list(_rows(form, found))) for form in load_dictionary().forms
    ]


def _columns(form: FurtherForm) -> list[Column]:
    visits = tuple((visit.name, str(visit.label)) for visit in load_dictionary().visits if visit.name in form.visits)
    return [
        Column("study_id", "study_id", _("Study id"), Kind.TEXT),
        Column("center", "center", _("Center"), Kind.TEXT),
        Column("visit", "visit", _("Visit"), Kind.CODE, codes=visits),
        Column("instance", "instance", _("Which one, of a form that repeats"), Kind.WHOLE),
        *(of_variable(variable) for variable in form.variables.values()),
        of_reasons(),
        Column("form_version", "form_version", _("Saves of the form"), Kind.WHOLE),
    ]


def _rows(form: FurtherForm, found: Iterable[CrfForm]) -> Iterator[Row]:
    mine = sorted(
        (each for each in found if each.name == form.name and each.visit in form.visits),
        key=lambda each: (each.patient.study_id, form.visits.index(each.visit), each.instance),
    )
    for each in mine:
        values: dict[str, Any] = {
            f"crf_{name}": exported_value(variable, each.values.get(name), each.patient)
            for name, variable in form.variables.items()
        }
        yield {
            "study_id": each.patient.study_id, "center": each.patient.center.code, "visit": each.visit,
            "instance": each.instance, "form_version": each.version, **values,
            REASONS_COLUMN: reasons_as_text(each.missing, form.variables),
        }  # fmt: skip
