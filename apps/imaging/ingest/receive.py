"""The one way in for images: browser, STOW-RS, a PACS and the command all end here."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _
from pydicom.dataset import Dataset

from apps.accounts.access import require
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.core.errors import Conflict, Refusal
from apps.imaging.choice import apply_choice
from apps.imaging.ingest.held import hold
from apps.imaging.ingest.index import refresh_series
from apps.imaging.ingest.person import (
    check_person,
    hospital_id,
    person_key,
    person_of_upload,
    remember_person,
)
from apps.imaging.ingest.prepare import Prepared, prepare
from apps.imaging.ingest.reading import Opened, open_files
from apps.imaging.ingest.rows import add_instances, write_files
from apps.imaging.models import HeldInstance, Instance, Series
from apps.imaging.selectors import series_visible_to
from apps.patients.changes import announce
from apps.patients.models import Patient
from ml.volumes.headers import text


class Status(StrEnum):
    STORED = "stored"
    KNOWN = "known"
    HELD = "held"
    LEFT_OUT = "left_out"
    REFUSED = "refused"


# Refusals of a file that is whole, but no picture of a head CT.
_LEFT_OUT = {"not_ct", "not_a_picture"}


@dataclass(frozen=True)
class Outcome:
    """What became of one object of an upload."""

    number: int
    status: Status
    code: str = ""
    sentence: str = ""
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    instance: Instance | None = None


@dataclass(frozen=True)
class Receipt:
    """What became of an upload."""

    patient: Patient
    outcomes: list[Outcome]
    series: list[Series] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        return dict(Counter(outcome.status.value for outcome in self.outcomes))

    def raise_if_nothing_came(self) -> "Receipt":
        """Refuse an upload of which nothing was taken, with the sentence of its first file."""
        if all(outcome.status in (Status.LEFT_OUT, Status.REFUSED) for outcome in self.outcomes):
            if not self.outcomes:
                raise Refusal("no_files", _("There is no image in the upload. Send the DICOM files of the CT."))
            raise Refusal(self.outcomes[0].code, self.outcomes[0].sentence)
        return self


@dataclass
class _Upload:
    actor: User
    patient: Patient
    prepared: list[Prepared]
    outcomes: list[Outcome]
    known: dict[str, Instance] = field(default_factory=dict)


def receive(
    *, actor: User, patient: Patient, files: Sequence[bytes], confirmed: bool = False, more: bool = False
) -> Receipt:
    """Take files in for a patient: each is stored, known already, held for a person, left out or refused.

    Identity is removed in memory before anything is written. Files are written before the rows that name them, so a
    death at any moment leaves rows whose files are whole, and at worst a file that nobody names (the sweep finds it).
    `confirmed`: the actor has said that the scan is this patient's. `more`: other parts follow, preprocessing waits.

    Raises Refusal and Conflict for what concerns the upload as a whole; then nothing was stored.
    """
    return receive_opened(actor=actor, patient=patient, files=open_files(files), confirmed=confirmed, more=more)


def receive_opened(
    *, actor: User, patient: Patient, files: Iterable[Opened], confirmed: bool = False, more: bool = False
) -> Receipt:
    """Take in files that are opened already; outcomes bear their numbers. Otherwise as `receive`."""
    require(actor, Permission.UPLOAD_CT, patient.center)
    upload, key = _prepare_all(actor, patient, files, confirmed)
    _refuse_others_scan(upload)
    upload.known = _known(upload)
    fresh = [item for item in upload.prepared if item.uid not in upload.known and item.hold is None]
    written = write_files(fresh)
    with transaction.atomic():
        Patient.objects.select_for_update().get(pk=patient.pk)
        if upload.prepared:
            remember_person(patient, key)
        series = _store(upload, written)
        if not more:
            queue_preparation(patient)
        # Read anew: the choice and the job were written to the rows.
        series = list(
            Series.objects.filter(pk__in=[row.pk for row in series]).select_related("study", "patient", "job")
        )
        announce(patient)
    upload.outcomes.sort(key=lambda outcome: outcome.number)
    return Receipt(patient, upload.outcomes, series)


def _prepare_all(actor: User, patient: Patient, files: Iterable[Opened], confirmed: bool) -> tuple[_Upload, str]:
    upload = _Upload(actor, patient, [], [])
    taken: list[tuple[Dataset, list[Prepared]]] = []
    for file in files:
        try:
            if file.dataset is None:
                assert file.problem is not None
                raise file.problem
            taken.append((file.dataset, prepare(file.number, file.dataset, patient.study_id)))
        except Refusal as problem:
            status = Status.LEFT_OUT if problem.code in _LEFT_OUT else Status.REFUSED
            upload.outcomes.append(Outcome(file.number, status, problem.code, problem.sentence, *_sent(file.dataset)))
    number = person_of_upload(patient, [dataset for dataset, _prepared in taken])
    of_person = []
    for dataset, prepared in taken:
        if hospital_id(dataset, patient) in ("", number):
            of_person.append(dataset)
            upload.prepared += prepared
        else:
            upload.outcomes.append(_of_another(prepared[0]))
    key = person_key(patient.center, number) if number else ""
    if not confirmed:
        check_person(patient, of_person, key)
    return upload, key


def _of_another(item: Prepared) -> Outcome:
    sentence = _("The file is of another person than the rest of the upload. Upload it for its own patient.")
    return _outcome(item, Status.REFUSED, "another_person", sentence)


def _sent(dataset: Dataset | None) -> tuple[str, str]:
    return ("", "") if dataset is None else (text(dataset, "SOPClassUID"), text(dataset, "SOPInstanceUID"))


def _refuse_others_scan(upload: _Upload) -> None:
    """Refuse a scan that is stored under another patient whom the actor may see.

    A copy under a patient of a foreign center is let in without a word: to say more would tell what lies there.
    """
    digests = {item.pixel_digest for item in upload.prepared if item.hold is None}
    others = Instance.objects.filter(pixel_digest__in=digests, series__in=series_visible_to(upload.actor))
    others = others.exclude(series__patient=upload.patient)
    found = list(others.values_list("pixel_digest", "series__patient__study_id"))
    # A blank slice may be alike in two patients; half a scan is not.
    if digests and 2 * len({digest for digest, _study in found}) >= len(digests):
        raise Conflict(
            "scan_of_other_patient",
            _("This scan is already stored for patient %(study_id)s. Check whose scan it is.")
            % {"study_id": found[0][1]},
        )


def _known(upload: _Upload) -> dict[str, Instance]:
    """Return what is stored already under the same identifiers, its file still there."""
    uids = [item.uid for item in upload.prepared]
    found = Instance.objects.filter(sop_instance_uid__in=uids).select_related("series")
    return {row.sop_instance_uid: row for row in found if default_storage.exists(row.file)}


def _store(upload: _Upload, written: dict[str, tuple[str, str]]) -> list[Series]:
    """Decide on each object under the patient's lock, and write the rows."""
    stored = Instance.objects.filter(sop_instance_uid__in=[item.uid for item in upload.prepared])
    known = {row.sop_instance_uid: row for row in stored.select_related("series")}
    rows = Series.objects.filter(series_instance_uid__in={item.series_uid for item in upload.prepared})
    series = list(rows.values_list("series_instance_uid", "study__study_instance_uid", "locked_at"))
    locked = {uid for uid, _study, locked_at in series if locked_at is not None}
    # A series lies in one study; the first object of a new one says in which.
    studies = {uid: study for uid, study, _locked_at in series}
    new: list[Prepared] = []
    seen: dict[str, str] = {}
    for item in upload.prepared:
        if studies.setdefault(item.series_uid, item.study_uid) != item.study_uid:
            sentence = _("The file names another study than its series. Export the examination again.")
            upload.outcomes.append(_outcome(item, Status.REFUSED, "study_differs", sentence))
            continue
        earlier = known[item.uid].pixel_digest if item.uid in known else seen.get(item.uid)
        if earlier == item.pixel_digest:
            upload.outcomes.append(_outcome(item, Status.KNOWN, instance=known.get(item.uid)))
        elif item.hold is None and earlier is None and item.series_uid not in locked:
            seen[item.uid] = item.pixel_digest
            new.append(item)
        else:
            late = HeldInstance.Reason.LATE if earlier is None else HeldInstance.Reason.CONFLICT
            reason = item.hold or late
            upload.outcomes.append(_held_outcome(item, hold(upload.actor, upload.patient, item, reason)))
    return _add(upload, new, written)


def _add(upload: _Upload, new: list[Prepared], written: dict[str, tuple[str, str]]) -> list[Series]:
    # An instance that was stored a moment ago, and is gone now, has no file of this upload yet.
    missing = [item for item in new if item.uid not in written]
    grown = add_instances(upload.actor, upload.patient, new, written | write_files(missing))
    headers = {item.uid: item.dataset for item in new}
    for series in grown:
        refresh_series(series, headers)
        record(
            actor=upload.actor,
            action="upload_ct",
            target=series,
            center=upload.patient.center,
            changes={"instances": [None, series.instance_count], "digest": [None, series.digest]},
        )
    if grown:
        apply_choice(upload.patient)
    found = Instance.objects.filter(sop_instance_uid__in=[item.uid for item in new]).defer("metadata", "frame_parts")
    rows = {row.sop_instance_uid: row for row in found}
    upload.outcomes += [_outcome(item, Status.STORED, instance=rows[item.uid]) for item in new]
    return grown


def queue_preparation(patient: Patient) -> None:
    """Queue preprocessing for every series of a patient that waits for it and has no job in the queue."""
    from apps.core.models import Job
    from apps.imaging.tasks import prepare_series

    with transaction.atomic():
        Patient.objects.select_for_update().get(pk=patient.pk)
        waiting = Series.objects.filter(patient=patient, modality="CT", state=Series.State.RECEIVED)
        for series in waiting.exclude(geometry_report={}).exclude(job__state=Job.State.QUEUED):
            series.job = prepare_series.enqueue(series_id=series.pk)
            series.save(update_fields=["job"])


def _outcome(
    item: Prepared, status: Status, code: str = "", sentence: str = "", instance: Instance | None = None
) -> Outcome:
    return Outcome(item.number, status, code, sentence, *item.sent_as, instance=instance)


def _held_outcome(item: Prepared, held: HeldInstance) -> Outcome:
    if held.decision == HeldInstance.Decision.ACCEPTED:
        return _outcome(item, Status.KNOWN)
    if held.decision == HeldInstance.Decision.DISCARDED:
        sentence = _("Somebody looked at this picture before and threw it away. It was left out.")
        return _outcome(item, Status.LEFT_OUT, "discarded", sentence)
    return _outcome(item, Status.HELD, held.reason, _held_sentence(HeldInstance.Reason(held.reason)))


def _held_sentence(reason: HeldInstance.Reason) -> str:
    return {
        HeldInstance.Reason.BURNED_IN: _(
            "Text may be burned into the picture, which could name the patient. It is kept apart until somebody looks."
        ),
        HeldInstance.Reason.SECONDARY_CAPTURE: _(
            "The file is a screen shot or dose sheet, which could name the patient. It is kept apart until somebody "
            "looks."
        ),
        HeldInstance.Reason.OVERLAY: _(
            "A drawing lies in the picture's values, which could name the patient. It is kept apart until somebody "
            "looks."
        ),
        HeldInstance.Reason.CONFLICT: _(
            "Another picture is stored under the same identifier. This one is kept apart: decide which is right."
        ),
        HeldInstance.Reason.LATE: _(
            "A mask was drawn on this series already. The slice is kept apart: decide whether it belongs to it."
        ),
    }[reason]
