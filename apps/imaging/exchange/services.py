"""Fetching a study from a center's PACS, and sending a series to it. Each is a job with a row of its own."""

from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.access import require
from apps.accounts.models import Center, User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.core.errors import Conflict, Refusal
from apps.core.seal import seal_text
from apps.imaging.models import Archive, ArchiveTransfer, Series
from apps.patients.models import Patient


def add_archive(*, center: Center, name: str, url: str, username: str = "", secret: str = "") -> Archive:
    """Write down a center's PACS; one of the same name is set anew."""
    if not url.startswith(("https://", "http://")):
        raise Refusal("bad_address", _("The address must begin with https:// or http://."))
    archive, _created = Archive.objects.update_or_create(
        center=center,
        name=name,
        defaults={
            "url": url,
            "username": username,
            "secret": seal_text(secret) if secret else "",
            "is_active": True,
        },
    )
    return archive


@transaction.atomic
def fetch_study(*, actor: User, archive: Archive, patient: Patient, study_uid: str) -> ArchiveTransfer:
    """Queue the fetching of one study for a patient."""
    from apps.imaging.exchange.tasks import fetch

    _check(actor, archive, patient)
    transfer = ArchiveTransfer.objects.create(
        archive=archive,
        patient=patient,
        direction=ArchiveTransfer.Direction.FETCH,
        sealed_study_uid=seal_text(study_uid),
        asked_by=actor,
    )
    transfer.job = fetch.enqueue(transfer_id=transfer.pk)
    transfer.save(update_fields=["job"])
    record(actor=actor, action="fetch_from_archive", target=transfer, center=patient.center)
    return transfer


@transaction.atomic
def send_series(*, actor: User, archive: Archive, series: Series) -> ArchiveTransfer:
    """Queue the sending of one series (CT or segmentation), as it is kept here: without identity."""
    from apps.imaging.exchange.tasks import send

    _check(actor, archive, series.patient)
    transfer = ArchiveTransfer.objects.create(
        archive=archive,
        patient=series.patient,
        direction=ArchiveTransfer.Direction.SEND,
        series=series,
        asked_by=actor,
    )
    transfer.job = send.enqueue(transfer_id=transfer.pk)
    transfer.save(update_fields=["job"])
    record(
        actor=actor,
        action="send_to_archive",
        target=transfer,
        center=series.patient.center,
        changes={"series": [None, series.pk]},
    )
    return transfer


def _check(actor: User, archive: Archive, patient: Patient) -> None:
    require(actor, Permission.UPLOAD_CT, patient.center)
    if archive.center_id != patient.center_id or not archive.is_active:
        raise Conflict("archive_of_other_center", _("This archive is not the patient's center's. Choose another one."))


def note_outcome(transfer: ArchiveTransfer, counts: dict[str, int], sentences: list[str]) -> None:
    """Write down what came of a transfer."""
    transfer.outcome = {**counts, "sentences": sentences}
    transfer.save(update_fields=["outcome"])
