"""The patient list: which columns, filters and order an actor gets, and one page of it."""

from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import (
    Actor,
    centers_with,
    has_permission,
    has_permission_everywhere,
    is_assessor,
    memberships_of,
)
from apps.accounts.policy import BLINDED, MATRIX, Permission, Role
from apps.patients import page as parts
from apps.patients.blinding import allowed_patients, hidden_from
from apps.patients.models import Patient
from apps.patients.selectors import patients_visible_to

PAGE_SIZE = 25
BASE_SORTS = {"study_id": "study_id", "enrolled": "enrolled_at"}


@dataclass(frozen=True)
class Choice:
    """A filter as the page shows it."""

    key: str
    title: Any
    choices: list[tuple[str, Any]]
    chosen: str


@dataclass(frozen=True)
class Listing:
    """One page of the list."""

    page: Page[Patient]
    columns: list[parts.Column]
    sortable: frozenset[str]
    rows: list[tuple[Patient, list[tuple[parts.Column, Any]]]]
    filters: list[Choice]
    search: str
    sort: str
    total: int

    @property
    def narrowed(self) -> bool:
        return bool(self.search) or any(choice.chosen for choice in self.filters)


def list_patients(actor: Actor, query: QueryDict) -> Listing:
    """Return the page of patients that a query string asks for; unknown values are left out, never an error."""
    visible, known = patients_visible_to(actor), parts.all_columns()
    patients, search = _search(visible, query)
    patients, filters = _filter(actor, patients, query)
    sortable = {
        c.key: c
        for c in known
        if c.sort and has_permission(actor, c.permission) and _holds_wherever_visible(actor, c.permission)
    }
    hidden = hidden_from(actor)
    if hidden:  # the order would tell what the cells do not
        sortable = {}
    patients, sort = _sort(patients, sortable, query.get("sort", ""))
    page = Paginator(patients, PAGE_SIZE).get_page(query.get("page"))
    found = list(page.object_list)
    needed = {column.permission for column in known}
    allowed = {permission: allowed_patients(actor, permission, found) for permission in needed}
    allowed[Permission.VIEW_CRF] = [each for each in allowed[Permission.VIEW_CRF] if each.pk not in hidden]
    columns = [column for column in known if allowed[column.permission] or has_permission(actor, column.permission)]
    loaded = [(column, _load(column, allowed[column.permission])) for column in columns]
    rows = [(patient, [(column, values.get(patient.pk)) for column, values in loaded]) for patient in found]
    return Listing(page, columns, frozenset(sortable), rows, filters, search, sort, visible.count())


def _load(column: parts.Column, allowed: list[Patient]) -> dict[int, Any]:
    """Return a column's values for those patients on whom the actor holds the column's permission."""
    return column.load(allowed) if allowed else {}


def _holds_wherever_visible(actor: Actor, permission: Permission) -> bool:
    """Say whether sorting or filtering by a value tells the actor nothing that he may not see."""
    if has_permission_everywhere(actor, permission):
        return True
    if permission in BLINDED and is_assessor(actor):
        return False
    seeing = {m.center_id for m in memberships_of(actor) if Permission.VIEW_PATIENTS in MATRIX[Role(m.role)]}
    holding = {m.center_id for m in memberships_of(actor) if permission in MATRIX[Role(m.role)]}
    return seeing <= holding


def _search(patients: QuerySet[Patient], query: QueryDict) -> tuple[QuerySet[Patient], str]:
    search = query.get("q", "").strip()[:40].replace("\x00", "")
    return (patients.filter(study_id__icontains=search) if search else patients), search


def _filter(actor: Actor, patients: QuerySet[Patient], query: QueryDict) -> tuple[QuerySet[Patient], list[Choice]]:
    shown = []
    codes = [
        (center.code, f"{center.code} · {center.name}") for center in centers_with(actor, Permission.VIEW_PATIENTS)
    ]
    chosen = query.get("center", "")
    if len(codes) > 1:
        chosen = chosen if chosen in dict(codes) else ""
        shown.append(Choice("center", _("Center"), list(codes), chosen))
        if chosen:
            patients = patients.filter(center__code=chosen)
    for part in sorted(parts.filters.values(), key=lambda part: part.order):
        if not _holds_wherever_visible(actor, part.permission):
            continue
        choices = part.choices()
        value = query.get(part.key, "")
        value = value if value in dict(choices) else ""
        shown.append(Choice(part.key, part.title, list(choices), value))
        if value:
            patients = part.apply(patients, value)
    return patients, shown


def _sort(patients: QuerySet[Patient], sortable: dict[str, parts.Column], wanted: str) -> tuple[QuerySet[Patient], str]:
    name = wanted.removeprefix("-")
    if name in sortable:
        column = sortable[name]
        if column.annotate is not None:
            patients = column.annotate(patients)
        expression = column.sort
    elif name in BASE_SORTS:
        expression = BASE_SORTS[name]
    else:
        return patients.order_by("study_id"), "study_id"
    # The study id breaks ties, so that no patient moves between pages.
    return patients.order_by(("-" if wanted.startswith("-") else "") + expression, "study_id"), wanted
