"""What the case report form adds to the patient page and to the patient list."""

from functools import partial
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise, lazystr
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor, person
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.crf import selectors
from apps.crf.dictionary import Variable, load_dictionary
from apps.crf.double_entry.blinding import hidden_forms
from apps.crf.double_entry.selectors import stand_of
from apps.crf.schedule import schedule_of
from apps.crf.services import writable_variables
from apps.crf.signatures.panel import panel_of
from apps.patients.models import Patient
from apps.patients.page import Column, Filter, Section, column_sources, register

COMPLETE = "complete"
INCOMPLETE = "incomplete"


def register_parts() -> None:
    """Register the sections, the columns that the dictionary asks for, and the filter."""
    register(Section("crf", 10, _("Case report form"), Permission.VIEW_CRF, "crf/section.html", _section, _summary))
    register(
        Section(
            "forms", 12, _("Visits and further forms"), Permission.VIEW_CRF, "crf/schedule.html", _schedule, _filled
        )
    )
    column_sources.append(_columns)
    register(
        Column(
            "completeness", 30, _("Form"), Permission.VIEW_CRF, _completeness, template="crf/partials/completeness.html"
        )
    )
    register(Filter("form", 10, _("Form"), Permission.VIEW_CRF, _choices, _apply))


def _section(request: HttpRequest, patient: Patient) -> dict[str, Any]:
    form = selectors.form_of(patient)
    panel = panel_of(person(request.user), form)
    double = stand_of(person(request.user), form, panel.state.lock)
    return {
        "panel": panel,
        "double": double,
        "patient": patient,
        "form": form,
        "shown_sections": [] if double.is_own else selectors.values_for_display(form),
        "completeness": selectors.completeness(form),
        "warnings": [] if double.is_own else selectors.warnings_of(form),
        "can_enter": panel.state.lock is None and _may_enter(request.user, patient),
    }


def _summary(context: dict[str, Any]) -> str:
    done = context["completeness"]
    if done.is_complete:
        return gettext("complete")
    return gettext("%(n)d of %(m)d values") % {"n": done.entered, "m": done.required}


def _schedule(request: HttpRequest, patient: Patient) -> dict[str, Any]:
    rows = schedule_of(patient, selectors.form_of(patient), hidden_forms(request.user))
    enters = {
        row.form.name: isinstance(request.user, User) and bool(writable_variables(request.user, patient, row.form))
        for row in rows
    }
    return {"rows": [(row, enters[row.form.name]) for row in rows], "today": timezone.now().date()}


def _filled(context: dict[str, Any]) -> str:
    planned = [each for row, _enters in context["rows"] for each in row.planned]
    entered = sum(each.version > 0 for each in planned)
    return ngettext("%(n)d form entered", "%(n)d forms entered", entered) % {"n": entered}


def _may_enter(actor: Actor, patient: Patient) -> bool:
    return isinstance(actor, User) and bool(writable_variables(actor, patient, load_dictionary()))


def _columns() -> list[Column]:
    return [_column(variable) for variable in load_dictionary().list_columns]


def _column(variable: Variable) -> Column:
    number = variable.list_column or 0
    unit: str | Promise = lazystr(variable.unit) if variable.unit else ""
    return Column(
        variable.name, 10 + number, lazystr(variable.short or variable.label), Permission.VIEW_CRF,
        partial(selectors.column_values, variable=variable), unit=unit, sort=f"form__values__{variable.name}",
    )  # fmt: skip


def _completeness(patients: list[Patient]) -> dict[int, Any]:
    return {key: selectors.completeness(form) for key, form in selectors.forms_of(patients).items()}


def _choices() -> list[tuple[str, str | Promise]]:
    return [(COMPLETE, _("complete")), (INCOMPLETE, _("incomplete"))]


def _apply(patients: QuerySet[Patient], value: str) -> QuerySet[Patient]:
    if value == COMPLETE:
        return patients.filter(form__is_complete=True)
    # A patient without a form has nothing entered yet.
    return patients.filter(Q(form__isnull=True) | Q(form__is_complete=False))
