"""Reading snapshots."""

from io import BytesIO

import pandas as pd
from django.db.models import QuerySet

from apps.accounts.access import Actor, has_permission_everywhere
from apps.accounts.policy import Permission
from apps.cohorts.models import Snapshot
from apps.core import store


def snapshots_visible_to(actor: Actor) -> QuerySet[Snapshot]:
    """Return all snapshots for those who see experiments of all centers, none for others."""
    if not has_permission_everywhere(actor, Permission.VIEW_EXPERIMENTS):
        return Snapshot.objects.none()
    return Snapshot.objects.select_related("created_by")


def load_table(snapshot: Snapshot) -> pd.DataFrame:
    """Return the frozen table, all patients."""
    return pd.read_parquet(BytesIO(store.get(snapshot.file)))


def load_included(snapshot: Snapshot) -> pd.DataFrame:
    """Return the frozen table's analysed patients."""
    table = load_table(snapshot)
    return table[table["exclusion"] == ""].reset_index(drop=True)
