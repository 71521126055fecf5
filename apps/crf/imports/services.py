"""An import step by step: asked for, checked, confirmed, done; each step of a person leaves its row in the trail."""

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from apps.accounts.access import centers_with, require
from apps.accounts.models import Center, User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.core import jobs
from apps.core.errors import Conflict, Refusal
from apps.core.models import Job
from apps.crf.imports.judging import judge
from apps.crf.imports.models import Dates, Encoding, Import
from apps.crf.imports.reports import Report
from apps.crf.imports.sheets import MOST_BYTES
from apps.crf.services import REASON_LENGTH
from apps.crf.values import RefusedValueError, clean_text

if TYPE_CHECKING:
    from apps.core.jobs import JobHandle

State = Import.State
KEPT = timedelta(days=7)


class _Moved(Exception):  # noqa: N818 - an answer, no fault of the program
    """The forms, or the person's rights, are no longer those of the check."""


@transaction.atomic
def start_import(
    *, actor: User, content: bytes, encoding: str = Encoding.UTF8, dates: str = Dates.ISO, dry_run: bool = True,
    reason: str = "",
) -> Import:  # fmt: skip
    """Have a file checked; unless `dry_run` it is imported right after, if nothing is refused.

    An earlier file of the same person that waits for its import is dropped.
    """
    from apps.crf.imports.tasks import check

    require(actor, Permission.IMPORT_CRF)
    if not content:
        raise Refusal("import_empty", _("The file is empty. Choose the file with the table."))
    if len(content) > MOST_BYTES:
        limit = MOST_BYTES // 1024**2
        raise Refusal("import_too_large", _("The file is larger than %(n)d MB. Split it.") % {"n": limit}, status=413)
    why = _read_reason(reason)
    Import.objects.filter(requested_by=actor, state=State.READY).update(state=State.DROPPED, content=b"")
    found = Import.objects.create(
        requested_by=actor, language=translation.get_language() or "en", encoding=encoding, dates=dates,
        at_once=not dry_run, reason=why, sha256=hashlib.sha256(content).hexdigest(), content=content,
    )  # fmt: skip
    found.job = check.enqueue(import_id=found.pk)
    found.save(update_fields=["job"])
    _record(actor, "check_import", found, {"sha256": [None, found.sha256]})
    return found


def _read_reason(reason: str) -> str:
    try:
        return clean_text(reason, REASON_LENGTH)
    except RefusedValueError as error:
        raise Refusal("import_reason", str(error)) from error


def _record(actor: User, action: str, found: Import, changes: dict[str, list[object]]) -> None:
    # Of one center it stands in that center's trail; else in the study's.
    centers = list(centers_with(actor, Permission.IMPORT_CRF)[:2])
    center: Center | None = centers[0] if len(centers) == 1 else None
    record(actor=actor, action=action, target=found, center=center, changes=changes, reason=found.reason)


def check_import(job: "JobHandle", found: Import) -> None:
    """Check the file, and say in the row what came of it; what has been checked is left alone."""
    if found.state != State.CHECKING:
        return
    report = _check(job, found)
    _conclude(found, report)
    if found.state == State.READY and found.at_once and not (report.needs_reason and not found.reason):
        run_import(actor=found.requested_by, found=found, reason=found.reason)


def _check(job: "JobHandle", found: Import, *, moved: bool = False) -> Report:
    with translation.override(found.language):
        stage = _("Checking the rows; nothing is saved")
        report = judge(found, keep=False, progress=lambda done, total: job.report(stage, done / total))
    report.moved = moved
    return report


def _conclude(found: Import, report: Report) -> None:
    found.report = report.as_data()
    found.state = State.REFUSED if report.refused else State.READY if report.writes else State.SAME
    if found.state != State.READY:
        found.content = b""
    found.save(update_fields=["report", "state", "content"])


@transaction.atomic
def run_import(*, actor: User, found: Import, reason: str = "") -> Import:
    """Import a file that was checked and has nothing refused."""
    from apps.crf.imports.tasks import run

    require(actor, Permission.IMPORT_CRF)
    locked = Import.objects.select_for_update().get(pk=found.pk)
    if locked.state != State.READY:
        raise Conflict("import_state", _("Only a file that was checked and has nothing refused can be imported."))
    locked.reason = _read_reason(reason) or locked.reason
    if locked.report["needs_reason"] and not locked.reason:
        raise Refusal("import_reason", _("The file changes values that were saved before. Say why, then import it."))
    locked.state = State.RUNNING
    locked.job = run.enqueue(import_id=locked.pk)
    locked.save(update_fields=["reason", "state", "job"])
    return locked


def perform_import(job: "JobHandle", found: Import) -> None:
    """Write all values or none. What no longer means what the check meant is not written, and reported anew."""
    if found.state != State.RUNNING:
        return
    job.report(_("Importing: all of the file, or nothing"), 0.5)
    # Said before, not during: a row that is locked until the end could not tell that this worker lives.
    try:
        with translation.override(found.language), transaction.atomic():
            _write(found)
    except _Moved:
        _conclude(found, _check(job, found, moved=True))


def _write(found: Import) -> None:
    report = judge(found, keep=True)
    if report.refused or report.digest != found.report["digest"] or (report.needs_reason and not found.reason):
        raise _Moved
    found.report = report.as_data()
    found.state, found.content = State.DONE, b""
    found.save(update_fields=["report", "state", "content"])
    counts = {name: [None, getattr(report, name)] for name in ("patients", "new", "changed", "cleared")}
    _record(found.requested_by, "import_forms", found, {"sha256": [None, found.sha256], **counts})


@jobs.periodic
def drop_forgotten() -> None:
    """Delete the files that nobody has imported for a week."""
    old = timezone.now() - KEPT
    busy = Q(job__state__in=[Job.State.QUEUED, Job.State.RUNNING])
    waiting = Import.objects.filter(state__in=[State.CHECKING, State.READY, State.RUNNING], created_at__lt=old)
    for found in waiting.exclude(busy).defer("content"):
        with transaction.atomic():
            if waiting.filter(pk=found.pk).exclude(busy).update(state=State.DROPPED, content=b""):
                record(actor=None, action="drop_import", target=found)


@transaction.atomic
def retry_import(*, actor: User, found: Import) -> None:
    """Queue a check or an import again whose worker failed."""
    require(actor, Permission.IMPORT_CRF)
    job = Job.objects.select_for_update().get(pk=found.job_id or 0)
    if job.state != Job.State.FAILED:
        raise Conflict("not_failed", _("Only what failed can be tried again."))
    jobs.retry(job)
