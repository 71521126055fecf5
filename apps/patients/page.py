"""The patient page and the patient list are made of parts that later apps add (CRF, CT, mask, prognosis).

This keeps the direction of imports: `patients` knows none of them, and each registers itself in its AppConfig.ready.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise

from apps.accounts.policy import Permission
from apps.patients.models import Patient


@dataclass(frozen=True)
class Section:
    """One card of the patient page, left out for an actor without the permission."""

    key: str
    order: int
    title: str | Promise
    permission: Permission
    template: str
    context: Callable[[HttpRequest, Patient], dict[str, Any]]
    # The section in a few words ("23.88 mL"), for the strip on top of the page; made from its context.
    summary: Callable[[dict[str, Any]], str | Promise]


@dataclass(frozen=True)
class Column:
    """One column of the patient list.

    `load` gets the patients of one page and returns {patient pk: value}, so that a page costs one query a column.
    `sort` names a database expression that `annotate` (if any) has made available.
    """

    key: str
    order: int
    title: str | Promise
    permission: Permission
    load: Callable[[list[Patient]], dict[int, Any]]
    unit: str | Promise = ""
    template: str = ""
    sort: str = ""
    annotate: Callable[[QuerySet[Patient]], QuerySet[Patient]] | None = None


@dataclass(frozen=True)
class Filter:
    """One choice above the patient list: `apply` narrows the patients to those with the chosen value."""

    key: str
    order: int
    title: str | Promise
    permission: Permission
    choices: Callable[[], list[tuple[str, str | Promise]]]
    apply: Callable[[QuerySet[Patient], str], QuerySet[Patient]]


sections: dict[str, Section] = {}
columns: dict[str, Column] = {}
filters: dict[str, Filter] = {}
# Columns that are not the same for ever: those which the data dictionary asks for.
column_sources: list[Callable[[], list[Column]]] = []


def all_columns() -> list[Column]:
    """Return the columns of the list in their order."""
    found = [*columns.values(), *(column for source in column_sources for column in source())]
    return sorted(found, key=lambda column: column.order)


def register(part: Section | Column | Filter) -> None:
    """Add a part; the same key twice is a programming error."""
    registries: dict[type, dict[str, Any]] = {Section: sections, Column: columns, Filter: filters}
    registry = registries[type(part)]
    if part.key in registry:
        raise ValueError(f"The patient page has a part {part.key!r} already.")
    registry[part.key] = part
