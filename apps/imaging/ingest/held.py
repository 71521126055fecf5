"""Quarantine: what a person must look at before it is stored, and what he decides."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO

import pydicom
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from pydicom.dataset import Dataset

from apps.accounts.access import require
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.core import store
from apps.core.errors import Refusal
from apps.core.seal import seal, unseal
from apps.imaging.choice import apply_choice
from apps.imaging.deidentification import replace_uid
from apps.imaging.ingest.index import refresh_series
from apps.imaging.ingest.prepare import Prepared, pack
from apps.imaging.ingest.rows import add_instances, write_files
from apps.imaging.models import HeldInstance, Instance, Series
from apps.patients.changes import announce
from apps.patients.models import Patient
from ml.volumes.headers import text

MIN_REASON = 5


def hold(actor: User, patient: Patient, item: Prepared, reason: HeldInstance.Reason) -> HeldInstance:
    """Keep an object apart, sealed; the same one twice is kept once. The caller's transaction is open."""
    known = HeldInstance.objects.filter(sop_instance_uid=item.uid, pixel_digest=item.pixel_digest).first()
    if known is not None:
        return known
    name, digest = store.put(seal(item.content), ".held")
    held = HeldInstance.objects.create(
        patient=patient,
        reason=reason,
        study_instance_uid=item.study_uid,
        series_instance_uid=item.series_uid,
        sop_instance_uid=item.uid,
        modality=text(item.dataset, "Modality")[:16],
        description=text(item.dataset, "SeriesDescription")[:64],
        rows=int(item.dataset.Rows),
        columns=int(item.dataset.Columns),
        file=name,
        sha256=digest,
        pixel_digest=item.pixel_digest,
        received_by=actor,
    )
    record(
        actor=actor,
        action="hold_image",
        target=held,
        center=patient.center,
        changes={"reason": [None, reason.value]},
    )
    return held


def load_held(held: HeldInstance) -> Dataset:
    """Return a held object, for a person to look at."""
    return pydicom.dcmread(BytesIO(unseal(store.get(held.file))))


def discard(*, actor: User, held: Sequence[HeldInstance], reason: str) -> None:
    """Throw held objects away for good; that they were there, and why they went, stays written."""
    with _deciding(actor, held, reason) as rows:
        for row in rows:
            _decide(actor, row, HeldInstance.Decision.DISCARDED, reason)
    for row in rows:
        default_storage.delete(row.file)


def accept(*, actor: User, held: Sequence[HeldInstance], reason: str) -> list[Series]:
    """Take held objects in. A conflict or a late slice never touches what is stored: it makes a series of its own."""
    from apps.imaging.ingest.receive import queue_preparation

    with _deciding(actor, held, reason) as rows:
        patient = rows[0].patient
        items = [item for group in _groups(rows) for item in _accepted(group)]
        grown = add_instances(actor, patient, items, write_files(items))
        for series in grown:
            refresh_series(series)
        for row in rows:
            _decide(actor, row, HeldInstance.Decision.ACCEPTED, reason)
        apply_choice(patient)
        queue_preparation(patient)
        announce(patient)
    for row in rows:
        default_storage.delete(row.file)
    return grown


@contextmanager
def _deciding(actor: User, held: Sequence[HeldInstance], reason: str) -> Iterator[list[HeldInstance]]:
    """Lock the patient and the waiting rows, in one transaction; refuse what was decided already."""
    if len(reason.strip()) < MIN_REASON:
        raise Refusal("no_reason", _("Say in a few words why, so that others can follow the decision."))
    patient = held[0].patient
    require(actor, Permission.UPLOAD_CT, patient.center)
    with transaction.atomic():
        Patient.objects.select_for_update().get(pk=patient.pk)
        keys = [row.pk for row in held]
        rows = list(HeldInstance.objects.filter(pk__in=keys, patient=patient, decision=""))
        if len(rows) != len(keys):
            raise Refusal(
                "already_decided", _("Somebody has decided on this already. Load the page again."), status=409
            )
        yield rows


def _decide(actor: User, row: HeldInstance, decision: HeldInstance.Decision, reason: str) -> None:
    row.decision, row.decided_by, row.decided_at, row.decision_reason = decision, actor, timezone.now(), reason
    row.save(update_fields=["decision", "decided_by", "decided_at", "decision_reason"])
    record(
        actor=actor,
        action="decide_on_image",
        target=row,
        center=row.patient.center,
        changes={"decision": ["", decision.value]},
        reason=reason,
    )


def _groups(rows: Sequence[HeldInstance]) -> list[list[HeldInstance]]:
    groups: dict[tuple[str, str], list[HeldInstance]] = {}
    for row in rows:
        groups.setdefault((row.series_instance_uid, row.reason), []).append(row)
    return list(groups.values())


def _accepted(group: Sequence[HeldInstance]) -> list[Prepared]:
    """Return the objects of one series as they are to be stored."""
    loaded = [(_looked_at(load_held(row)), row.pixel_digest) for row in group]
    own = Instance.objects.filter(series__series_instance_uid=group[0].series_instance_uid)
    is_conflict = Instance.objects.filter(sop_instance_uid__in=[row.sop_instance_uid for row in group]).exists()
    is_locked = own.filter(series__locked_at__isnull=False).exists()
    if not is_conflict and not is_locked:
        return [_packed(dataset, digest) for dataset, digest in loaded]
    # What is stored is never touched, whatever the objects were held for. A mask rests on a locked series' slices: all
    # of them are copied beside the late ones. Of a conflict only the other version makes the new series.
    if not is_conflict:
        loaded += [(pydicom.dcmread(BytesIO(store.get(row.file))), row.pixel_digest) for row in own]
    salt = ",".join(sorted(digest for _, digest in loaded))
    return [_packed(_renamed(dataset, salt), digest) for dataset, digest in loaded]


def _looked_at(dataset: Dataset) -> Dataset:
    """Write down that a person saw nothing in the picture that names the patient."""
    dataset.BurnedInAnnotation = "NO"
    return dataset


def _renamed(dataset: Dataset, salt: str) -> Dataset:
    """Give an object identifiers of its own, the same each time for the same set."""
    for keyword in ("SeriesInstanceUID", "SOPInstanceUID"):
        setattr(dataset, keyword, replace_uid(f"{dataset[keyword].value}|{salt}", str(dataset.PatientID)))
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def _packed(dataset: Dataset, pixel_digest: str) -> Prepared:
    return pack(0, (str(dataset.SOPClassUID), ""), dataset, pixel_digest)
