"""The work of a transfer, on a worker. Fetching or sending twice changes nothing: what is there already is known."""

from collections import Counter
from io import BytesIO

import pydicom

from apps.core import store
from apps.core.jobs import JobHandle, durable_task
from apps.core.seal import unseal_text
from apps.imaging.exchange.client import fetch_series, send_datasets
from apps.imaging.exchange.services import note_outcome
from apps.imaging.ingest.receive import Receipt, queue_preparation, receive
from apps.imaging.models import ArchiveTransfer

# Instances that are sent in one request.
SEND_AT_ONCE = 64


@durable_task(queue="imaging")
def fetch(job: JobHandle, *, transfer_id: int) -> None:
    """Fetch a study series by series and take it in like any upload."""
    transfer = _load(transfer_id)
    job.report("Fetching", 0.1)
    counts: Counter[str] = Counter()
    sentences: list[str] = []
    for files in fetch_series(transfer.archive, unseal_text(transfer.sealed_study_uid)):
        receipt = receive(
            actor=transfer.asked_by,
            patient=transfer.patient,
            files=files,
            confirmed=bool(transfer.outcome.get("confirmed")),
            more=True,
        )
        counts.update(receipt.counts)
        sentences += [sentence for sentence in _reasons(receipt) if sentence not in sentences]
        job.report("Fetching", 0.5)
    queue_preparation(transfer.patient)
    note_outcome(transfer, dict(counts), sentences)


@durable_task(queue="imaging")
def send(job: JobHandle, *, transfer_id: int) -> None:
    """Send a series' instances as they are stored."""
    transfer = _load(transfer_id)
    assert transfer.series is not None
    names = list(transfer.series.instances.order_by("number", "pk").values_list("file", flat=True))
    for start in range(0, len(names), SEND_AT_ONCE):
        job.report("Sending", start / len(names))
        part = names[start : start + SEND_AT_ONCE]
        send_datasets(transfer.archive, [pydicom.dcmread(BytesIO(store.get(name))) for name in part])
    note_outcome(transfer, {"sent": len(names)}, [])


def _load(transfer_id: int) -> ArchiveTransfer:
    rows = ArchiveTransfer.objects.select_related("archive", "patient__center", "asked_by", "series")
    return rows.get(pk=transfer_id)


def _reasons(receipt: Receipt) -> list[str]:
    return [outcome.sentence for outcome in receipt.outcomes if outcome.sentence]
