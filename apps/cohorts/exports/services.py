"""Asking for an export, writing it, and handing it out; each leaves its row in the audit trail."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from apps.accounts.access import centers_with, require
from apps.accounts.models import Center, User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.cohorts.models import Export
from apps.cohorts.table import build_rows
from apps.core import jobs, store
from apps.core.errors import Refusal
from apps.core.models import Job
from apps.crf.double_entry.blinding import refuse_tables
from apps.crf.values import RefusedValueError, clean_text

if TYPE_CHECKING:
    from apps.core.jobs import JobHandle

MIN_PURPOSE = 5


def request_export(*, actor: User, purpose: str, centers: Collection[str] = ()) -> Export:
    """Queue an export of some of the actor's centers, by code; none named: of all of them.

    Raises
    ------
    Refusal
        ``no_purpose``, ``purpose``: it can't be stored; ``no_center``: a code that is none of the actor's centers.
    """
    from apps.cohorts.tasks import write

    require(actor, Permission.EXPORT_DATA)
    refuse_tables(actor)
    why = _read_purpose(purpose)
    chosen = _read_centers(actor, centers)
    with transaction.atomic():
        export = Export.objects.create(
            requested_by=actor, centers=[center.code for center in chosen], purpose=why,
            language=translation.get_language() or "en",
        )  # fmt: skip
        export.job = write.enqueue(export_id=export.pk)
        export.save(update_fields=["job"])
        _record(actor, "request_export", export, chosen)
    return export


def _read_purpose(purpose: str) -> str:
    longest = Export._meta.get_field("purpose").max_length or 0
    try:
        why = clean_text(purpose, longest)
    except RefusedValueError as error:
        raise Refusal("purpose", str(error), status=400) from error
    if len(why) < MIN_PURPOSE:
        raise Refusal("no_purpose", _("Say in a few words what the export is for; it stands in the audit trail."))
    return why


def _read_centers(actor: User, codes: Collection[str]) -> list[Center]:
    mine = list(centers_with(actor, Permission.EXPORT_DATA).order_by("code"))
    if not codes:
        return mine
    chosen = [center for center in mine if center.code in codes]
    if len(chosen) != len(set(codes)):
        raise Refusal("no_center", _("You can export none but your own centers. Choose from the list."))
    return chosen


def _record(actor: User, action: str, export: Export, centers: Collection[Center]) -> None:
    # Of one center it stands in that center's trail; else in the study's.
    (center,) = centers if len(centers) == 1 else (None,)
    record(
        actor=actor, action=action, target=export, center=center, reason=export.purpose,
        changes={"centers": [None, export.centers]},
    )  # fmt: skip


def write_export(job: "JobHandle", export: Export) -> None:
    """Write the files; what has been written is not written again."""
    # Only a worker needs the libraries that write the files.
    from apps.cohorts.exports.archive import build_archive

    if export.is_ready:
        return
    job.report("Reading forms", 0.05)
    rows = build_rows(export.centers)
    if not rows:
        raise Refusal("no_patients", _("No patient is enrolled in these centers yet."), status=409)
    with translation.override(export.language):
        content = build_archive(export, rows, job.report)
    name, digest = store.put(content, ".zip")
    Export.objects.filter(pk=export.pk, file="").update(
        file=name, sha256=digest, size=len(content), patient_count=len(rows)
    )


@transaction.atomic
def retry_export(*, actor: User, export: Export) -> None:
    """Queue a failed export again."""
    require(actor, Permission.EXPORT_DATA)
    job = Job.objects.select_for_update().get(export=export)
    if job.state != Job.State.FAILED:
        raise Refusal("not_failed", _("Only an export that failed can be tried again."), status=409)
    jobs.retry(job)


@transaction.atomic
def download_export(*, actor: User, export: Export) -> bytes:
    """Return the ZIP, and write down who took it."""
    require(actor, Permission.EXPORT_DATA)
    refuse_tables(actor)
    if not export.is_ready:
        raise Refusal("not_ready", _("The export is not ready yet. Wait for its end."), status=409)
    _record(actor, "download_export", export, list(Center.objects.filter(code__in=export.centers)))
    return store.get(export.file)
