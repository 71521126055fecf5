"""What of a frozen cohort, or of an export, rests on masks that no longer count."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
from django.db.models import Max

from apps.accounts.access import Actor
from apps.accounts.policy import Permission
from apps.annotation.models import Mask
from apps.annotation.selectors import current_masks
from apps.cohorts.models import Export, Snapshot
from apps.cohorts.selectors import read_file
from apps.core.errors import Refusal
from apps.patients.models import Patient
from apps.patients.selectors import patients_visible_to

# More study ids than these would push the page's own figures out of sight.
MOST_NAMED = 20
_COLUMNS = ["study_id", "center", "exclusion", "mask_sha256"]


@dataclass(frozen=True)
class OutdatedMasks:
    """Analysed patients of a snapshot whose mask was corrected since, or belongs to a CT that another replaced."""

    count: int
    # All analysed patients, of the same centers.
    total: int
    # Study ids for who may open these patients, at most `MOST_NAMED`.
    named: tuple[str, ...] = ()
    # How many more he may open.
    more: int = 0


def outdated_masks(snapshot: Snapshot, actor: Actor, centers: Collection[str] | None = None) -> OutdatedMasks | None:
    """Compare the masks that a snapshot was frozen with to those that count now; None where nothing changed.

    `centers` are the codes of those that the actor looks at, left out: all. A digest stands for the labels on the
    slices of one CT, so a mask that was approved anew without a change is the same. The snapshot stays as it is.
    """
    try:
        table = pq.read_table(BytesIO(read_file(snapshot)), columns=_COLUMNS)
    except (Refusal, OSError, pa.ArrowInvalid):
        # Lost, damaged, or without digests: a run's page needs none of it, and what does says so.
        return None
    frozen = {
        row["study_id"]: row["mask_sha256"]
        for row in table.to_pylist()
        if not row["exclusion"] and (centers is None or row["center"] in centers)
    }
    changed = _changed(frozen)
    if not changed:
        return None
    visible = patients_visible_to(actor, Permission.VIEW_IMAGING).filter(study_id__in=changed)
    named = tuple(visible.order_by("study_id").values_list("study_id", flat=True))
    return OutdatedMasks(len(changed), len(frozen), named[:MOST_NAMED], len(named[MOST_NAMED:]))


def _changed(frozen: dict[str, str]) -> list[str]:
    """Return the study ids of those for whom another mask counts now, or none."""
    patients = list(Patient.objects.filter(study_id__in=frozen).only("study_id"))
    masks = current_masks(patients)
    now = {patient.study_id: masks[patient.pk].sha256 for patient in patients if patient.pk in masks}
    return [study_id for study_id, digest in frozen.items() if now.get(study_id) != digest]


def approved_since(exports: Sequence[Export]) -> dict[int, int]:
    """Return {export pk: patients of its centers for whom a mask was approved since it was written}, in one query.

    An export does not say which masks are in it, so this holds for a patient's first mask too.
    """
    ready = [export for export in exports if export.is_ready]
    if not ready:
        return {}
    newer = Mask.objects.filter(state=Mask.State.APPROVED, reviewed_at__gt=min(map(_read_at, ready)))
    rows = list(newer.values_list("patient__center__code", "patient").annotate(at=Max("reviewed_at")))
    return {
        export.pk: sum(code in export.centers and at > _read_at(export) for code, _, at in rows) for export in ready
    }


def _read_at(export: Export) -> datetime:
    """Return when a worker began to read what is in an export."""
    started = None if export.job is None else export.job.started_at
    return started or export.created_at
