"""The sweep: which files does no row name, and which rows name a file that is not there?

The store is listed once and held against the names in the rows, both in order, so that neither is ever whole in
memory. Rows and files change meanwhile; whatever looks wrong is looked at again before it is deleted or reported.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.apps import apps
from django.core.files.storage import default_storage
from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Collate

from apps.core import store

# No upload and no job keeps a file waiting for its row as long as this.
A_DAY = timedelta(hours=24)
# The form of the names that apps.core.store gives, and of what a killed writer leaves; other files are not ours.
_OURS = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/(?:(?P<digest>[0-9a-f]{64})\.\w+|\.part-\w+)")
_CHUNK = 500
# More than these wait for the next day, so that the list of them stays small.
MOST = 100_000


@dataclass(frozen=True)
class _Column:
    """A column that holds names of stored files."""

    model: str
    name: str
    where: tuple[tuple[str, Any], ...]

    def rows(self) -> QuerySet[Any]:
        manager = apps.get_model(self.model)._base_manager
        return manager.filter(**dict(self.where)).exclude(**{self.name: ""})

    def names(self) -> Iterator[tuple[str, str]]:
        """Yield (file name, model) of every row, in the order of the names' bytes, as a store lists its files."""
        by_bytes = Collate(self.name, "C" if connection.vendor == "postgresql" else "BINARY")
        for name in self.rows().order_by(by_bytes).values_list(self.name, flat=True).iterator():
            yield name, self.model


_columns: set[_Column] = set()


def keep(model: str, column: str, **where: Any) -> None:
    """Say which column names files that must stay, if only in some rows; called in AppConfig.ready."""
    _columns.add(_Column(model, column, tuple(sorted(where.items()))))


def kept_columns() -> set[tuple[str, str]]:
    """Return (model, column) of everything that names files."""
    return {(column.model, column.name) for column in _columns}


@dataclass
class SweepReport:
    """What a sweep found. `missing` and `damaged` count files by the model whose rows name them."""

    files: int = 0
    kept: int = 0
    orphans: int = 0
    deleted: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    damaged: Counter[str] = field(default_factory=Counter)
    # More files without a row than with one: rather the wrong database than an orphaned store.
    doubtful: bool = False

    @property
    def is_whole(self) -> bool:
        """Every row's file is there, and undamaged as far as that was looked at."""
        return not self.missing and not self.damaged


def sweep(
    older_than: timedelta = A_DAY, *, delete: bool = True, verify: bool = False, force: bool = False
) -> SweepReport:
    """Delete the files that no row names and that nobody has written for a while; report the rows without a file.

    `verify` reads every file and holds it against the digest that is its name. Nothing is deleted where most of the
    files would be, unless `force` says that this is meant.
    """
    before = datetime.now(UTC) - older_than
    report = SweepReport()
    orphans: list[str] = []
    lost: list[tuple[str, str]] = []
    for name, modified, models in _side_by_side():
        if modified is None:
            lost += [(name, model) for model in models]
        elif not models:
            report.files += 1
            report.orphans += modified < before
            if modified < before and len(orphans) < MOST:
                orphans.append(name)
        else:
            report.files += 1
            report.kept += 1
            if verify and _is_damaged(name):
                report.damaged.update(models)
        if len(lost) >= _CHUNK:
            report.missing.update(_really_lost(lost))
            lost.clear()
    report.missing.update(_really_lost(lost))
    report.doubtful = report.orphans > report.kept and not force
    if delete and not report.doubtful:
        report.deleted = _delete(orphans, before)
    return report


def _side_by_side() -> Iterator[tuple[str, datetime | None, set[str]]]:
    """Yield (name, when its file was written, models whose rows name it) of everything that is in either."""
    files = ((name, modified) for name, modified in default_storage.files() if _OURS.fullmatch(name))  # type: ignore[attr-defined]
    entries = merge(files, *(column.names() for column in _columns), key=itemgetter(0))
    for name, group in groupby(entries, key=itemgetter(0)):
        found = [entry[1] for entry in group]
        modified = next((entry for entry in found if isinstance(entry, datetime)), None)
        yield name, modified, {entry for entry in found if isinstance(entry, str)}


def _is_damaged(name: str) -> bool:
    match = _OURS.fullmatch(name)
    try:
        return match is None or hashlib.sha256(store.get(name)).hexdigest() != match["digest"]
    except FileNotFoundError:  # deleted since, together with its row
        return False


def _really_lost(candidates: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield the model of each name that rows still hold, and whose file still is not there."""
    gone = {name for name, _ in candidates if not default_storage.exists(name)}
    named = _named(gone)
    return (model for name, model in candidates if name in named)


def _delete(orphans: Sequence[str], before: datetime) -> int:
    """Delete what is still named by no row and was still not written again; return how many."""
    deleted = 0
    for start in range(0, len(orphans), _CHUNK):
        chunk = orphans[start : start + _CHUNK]
        named = _named(chunk)
        deleted += sum(default_storage.delete_older(name, before) for name in chunk if name not in named)  # type: ignore[attr-defined]
    return deleted


def _named(names: Sequence[str] | set[str]) -> set[str]:
    """Return those of the names that a row holds now."""
    found: set[str] = set()
    for column in _columns if names else ():
        found.update(column.rows().filter(**{f"{column.name}__in": names}).values_list(column.name, flat=True))
    return found
