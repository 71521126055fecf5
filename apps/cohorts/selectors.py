"""Reading snapshots."""

import hashlib
from io import BytesIO

import pandas as pd
import pyarrow.parquet as pq
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from apps.accounts.access import Actor, has_permission_everywhere
from apps.accounts.policy import Permission
from apps.cohorts.models import Snapshot
from apps.cohorts.table import REASONS, Row, included
from apps.core import store
from apps.core.errors import Refusal


def snapshots_visible_to(actor: Actor) -> QuerySet[Snapshot]:
    """Return all snapshots for those who see experiments of all centers, none for others."""
    if not has_permission_everywhere(actor, Permission.VIEW_EXPERIMENTS):
        return Snapshot.objects.none()
    return Snapshot.objects.select_related("created_by")


def load_table(snapshot: Snapshot) -> pd.DataFrame:
    """Return the frozen table, all patients."""
    return pd.read_parquet(BytesIO(read_file(snapshot)))


def load_included(snapshot: Snapshot) -> pd.DataFrame:
    """Return the frozen table's analysed patients."""
    table = load_table(snapshot)
    return table[table["exclusion"] == ""].reset_index(drop=True)


def load_included_rows(snapshot: Snapshot) -> list[Row]:
    """Return the analysed patients as Python's own values: a yes is a bool, an integer an int, a blank None."""
    return included(pq.read_table(BytesIO(read_file(snapshot))).to_pylist())


def exclusions_of(snapshot: Snapshot) -> list[tuple[str, int]]:
    """Return (reason, number of patients left out for it) in the order in which the reasons were looked at."""
    return [(reason, snapshot.exclusions[reason]) for reason in REASONS if reason in snapshot.exclusions]


def read_file(snapshot: Snapshot) -> bytes:
    """Return the Parquet file as it was frozen, or raise Refusal ``snapshot_damaged``."""
    content = store.get(snapshot.file)
    if hashlib.sha256(content).hexdigest() != snapshot.digest:
        raise Refusal(
            "snapshot_damaged", _("The file of a frozen cohort was changed. Tell the administrator."), status=409
        )
    return content
