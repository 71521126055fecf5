"""Freezing the cohort."""

from io import BytesIO

import pandas as pd
from django.db import transaction

from apps.accounts.access import require
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.cohorts.models import Snapshot
from apps.cohorts.table import build_table, count_exclusions
from apps.core import store
from apps.core.errors import Refusal
from apps.crf.dictionary import load_dictionary


@transaction.atomic
def freeze_snapshot(*, actor: User) -> Snapshot:
    """Write the cohort of this moment as Parquet and return its snapshot; the same cohort gives the same snapshot."""
    require(actor, Permission.RUN_EXPERIMENTS)
    table = build_table()
    if table.empty:
        raise Refusal("no_patients", "No patient is enrolled yet, so there is nothing to freeze.", status=409)
    with store.writing() as files:
        name, digest = files.put(_parquet(table), ".parquet")
        included = int((table["exclusion"] == "").sum())
        snapshot, created = Snapshot.objects.get_or_create(
            digest=digest,
            defaults={
                "file": name,
                "created_by": actor,
                "dictionary_version": load_dictionary().id,
                "patient_count": len(table),
                "included_count": included,
                "exclusions": count_exclusions(table),
            },
        )
        if created:
            record(actor=actor, action="freeze_snapshot", target=snapshot, changes={"digest": [None, digest]})
    return snapshot


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()
