"""Freezing the cohort."""

import pandas as pd
from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.access import require_everywhere
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.cohorts.models import Snapshot
from apps.cohorts.table import Row, build_rows, count_exclusions, included, to_parquet
from apps.core import store
from apps.core.errors import Refusal
from apps.crf.dictionary import load_dictionary


def freeze_snapshot(*, actor: User, rows: list[Row] | None = None) -> Snapshot:
    """Write the cohort of this moment as Parquet and return its snapshot; the same cohort gives the same snapshot.

    `rows` are those of `build_rows` where the caller has read them already. The slow part is done before the
    transaction begins, so that nobody's write waits for it.
    """
    require_everywhere(actor, Permission.RUN_EXPERIMENTS)
    rows = build_rows() if rows is None else rows
    if not rows:
        raise Refusal("no_patients", _("No patient is enrolled yet, so there is nothing to freeze."), status=409)
    content = to_parquet(rows)
    exclusions = count_exclusions(pd.DataFrame(rows, columns=["exclusion"]))
    with transaction.atomic():
        name, digest = store.put(content, ".parquet")
        snapshot, created = Snapshot.objects.get_or_create(
            digest=digest,
            defaults={
                "file": name,
                "created_by": actor,
                "dictionary_version": load_dictionary().id,
                "patient_count": len(rows),
                "included_count": len(included(rows)),
                "exclusions": exclusions,
            },
        )
        if created:
            record(actor=actor, action="freeze_snapshot", target=snapshot, changes={"digest": [None, digest]})
    return snapshot
