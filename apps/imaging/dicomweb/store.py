"""STOW-RS (PS3.18, 10.5): instances come in over the network, each with its own answer."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils.translation import gettext as _
from pydicom.dataset import Dataset

from apps.accounts.access import person
from apps.accounts.models import User
from apps.core.errors import Refusal
from apps.imaging import derived
from apps.imaging.dicomweb.attributes import Json, element
from apps.imaging.dicomweb.multipart import parse
from apps.imaging.dicomweb.negotiation import DICOM, JSON, MULTIPART, json_type, media_range
from apps.imaging.dicomweb.search import base_of
from apps.imaging.ingest.person import find_patient
from apps.imaging.ingest.reading import Opened, open_files
from apps.imaging.ingest.receive import Outcome, Status, receive_opened
from apps.imaging.models import Instance
from apps.patients.models import Patient
from ml.errors import MLError
from ml.volumes.headers import text

# PS3.18, table I.2-2 (failure and warning reasons) and PS3.7, annex C.
PROCESSING_FAILURE = 0x0110
CLASS_NOT_SUPPORTED = 0x0122
SYNTAX_NOT_SUPPORTED = 0xC122
NOT_AUTHORIZED = 0x0124
DOES_NOT_MATCH = 0xA900
NOT_UNDERSTOOD = 0xC000
COERCED = 0xB000

_REASONS = {
    "not_ct": CLASS_NOT_SUPPORTED,
    "not_a_picture": CLASS_NOT_SUPPORTED,
    "empty_file": NOT_UNDERSTOOD,
    "not_dicom": NOT_UNDERSTOOD,
    "unreadable": NOT_UNDERSTOOD,
    "undecodable": NOT_UNDERSTOOD,
    "missing_identity": DOES_NOT_MATCH,
    "no_pixels": DOES_NOT_MATCH,
    derived.ABSENT: NOT_AUTHORIZED,
    derived.SYNTAX: SYNTAX_NOT_SUPPORTED,
    derived.DAMAGED: NOT_UNDERSTOOD,
    derived.UNFIT: DOES_NOT_MATCH,
}
_PIECE = 1024**2


@dataclass
class Result:
    """What became of one part: nothing wrong, a warning (it waits for a person), or a failure, with its sentence."""

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    failure: int = 0
    warning: int = 0
    sentence: str = ""
    instance: Instance | None = None

    def of(self, sent: "Result") -> "Result":
        """Return the result under the identifiers of what was sent."""
        return replace(self, sop_class_uid=sent.sop_class_uid, sop_instance_uid=sent.sop_instance_uid)


def instances(request: HttpRequest, study: str | None = None) -> HttpResponse:
    """Store instances, each for the patient whom its Patient ID means; `study` is the sender's own study UID."""
    json_type(request)
    boundary = _boundary(request.headers.get("Content-Type", ""))
    parts = parse(_body(request), boundary)
    if not parts:
        raise Refusal("no_files", _("The message holds no instance. Send at least one DICOM file."), status=400)
    if any(part.content_type and media_range(part.content_type).kind != DICOM for part in parts):
        raise _unsupported()
    results = _store_all(person(request.user), [part.content for part in parts], study)
    return _answer(request, results)


def _boundary(content_type: str) -> str:
    found = media_range(content_type)
    if found.kind != MULTIPART or found.content not in {DICOM, "*/*"}:
        raise _unsupported()
    return found.parameters.get("boundary", "")


def _unsupported() -> Refusal:
    sentence = _('Instances are taken as multipart/related; type="application/dicom" only. Send them so.')
    return Refusal("media_type_not_supported", sentence, status=415)


def _body(request: HttpRequest) -> bytes:
    """Read the request into memory; no more of it is kept than an upload may hold."""
    stream: Any = request
    if "chunked" in request.headers.get("Transfer-Encoding", "").lower():
        # Django reads no body without a stated length; the server says whether it ends the stream by itself.
        environment = getattr(request, "environ", {})
        if not environment.get("wsgi.input_terminated"):
            raise Refusal("length_required", _("State the length of the message (Content-Length)."), status=411)
        stream = environment["wsgi.input"]
    pieces, room = [], settings.UPLOAD_MAX_BYTES
    try:
        while piece := stream.read(_PIECE):
            room -= len(piece)
            if room >= 0:
                pieces.append(piece)
            else:  # read to the end all the same: a client that still sends hears no answer
                pieces.clear()
    except (UnreadablePostError, OSError):
        raise Refusal("interrupted", _("The connection broke off. Send the message again."), status=400) from None
    if room < 0:
        sentence = _("The message is larger than %d MB. Send one series at a time.")
        raise Refusal("upload_too_large", sentence % (settings.UPLOAD_MAX_BYTES // 1024**2), status=413)
    return b"".join(pieces)


def _store_all(actor: User, files: Sequence[bytes], study: str | None) -> list[Result]:
    """Return one result a file, in their order."""
    results = [Result(failure=NOT_UNDERSTOOD, sentence=_("The directory of a disk is not stored.")) for _file in files]
    patients: dict[str, Patient | None] = {}
    # By the ID as it was sent: two hospital numbers are two uploads even where both mean one patient.
    groups: dict[str, list[Opened]] = defaultdict(list)
    others: list[Opened] = []
    for opened in open_files(files):
        place = opened.number - 1
        if opened.dataset is None:
            assert opened.problem is not None
            results[place] = _failed(opened.problem)
            continue
        result, patient_id = _sent(opened.dataset, study)
        results[place] = result
        if result.sop_class_uid in derived.takers:
            others += [] if result.failure else [opened]
            continue
        if patient_id not in patients:
            patients[patient_id] = find_patient(actor, patient_id)
        if patients[patient_id] is None and not result.failure:
            result.failure, result.sentence = NOT_AUTHORIZED, _no_patient()
        if not result.failure:
            groups[patient_id].append(opened)
    for patient_id, group in groups.items():
        patient = patients[patient_id]
        assert patient is not None
        for opened, result in zip(group, _received(actor, patient, group), strict=True):
            sent = results[opened.number - 1]
            results[opened.number - 1] = result.of(sent)
    for opened in others:  # behind the scans on which they lie
        sent = results[opened.number - 1]
        results[opened.number - 1] = _taken(actor, opened, sent.sop_class_uid).of(sent)
    return results


def _sent(dataset: Dataset, study: str | None) -> tuple[Result, str]:
    result = Result(text(dataset, "SOPClassUID"), text(dataset, "SOPInstanceUID"))
    if study is not None and text(dataset, "StudyInstanceUID") != study:
        result.failure = DOES_NOT_MATCH
        result.sentence = _("The instance belongs to another study than the address names.")
    return result, text(dataset, "PatientID")


def _no_patient() -> str:
    return _(
        "Its Patient ID means no patient for whom you may upload. Send it under the study id, or upload the person's "
        "first scan on the patient's page."
    )


def _received(actor: User, patient: Patient, files: Sequence[Opened]) -> list[Result]:
    """Take the files of one patient in; a refusal of the whole is said of each of them."""
    try:
        receipt = receive_opened(actor=actor, patient=patient, files=files)
    except (Refusal, MLError) as problem:
        return [_failed(problem) for _file in files]
    outcomes: dict[int, list[Outcome]] = defaultdict(list)
    for outcome in receipt.outcomes:
        outcomes[outcome.number].append(outcome)
    return [_result(outcomes[file.number]) for file in files]


def _taken(actor: User, opened: Opened, sop_class_uid: str) -> Result:
    """Have an object that is no image taken in by who takes its kind. What is kept waits for a person."""
    assert opened.dataset is not None
    try:
        taken = derived.takers[sop_class_uid](actor=actor, dataset=opened.dataset)
    except (Refusal, MLError) as problem:
        return _failed(problem)
    return Result(warning=COERCED, sentence=taken.sentence, instance=taken.instance)


def _failed(problem: Refusal | MLError) -> Result:
    return Result(failure=_REASONS.get(problem.code, PROCESSING_FAILURE), sentence=str(problem))


def _result(outcomes: Sequence[Outcome]) -> Result:
    """Return the result of one file; a file of many frames has an outcome for each of them."""
    done = [outcome for outcome in outcomes if outcome.status in (Status.STORED, Status.KNOWN)]
    if done:
        return Result(instance=done[0].instance)
    held = [outcome for outcome in outcomes if outcome.status == Status.HELD]
    if held:
        return Result(warning=COERCED, sentence=held[0].sentence)
    if not outcomes:
        return Result(failure=NOT_UNDERSTOOD, sentence=_("The file holds no picture."))
    first = outcomes[0]
    return Result(failure=_REASONS.get(first.code, PROCESSING_FAILURE), sentence=first.sentence)


def _answer(request: HttpRequest, results: Sequence[Result]) -> HttpResponse:
    """Answer with a Store Instances Response (PS3.18, annex I)."""
    base = base_of(request)
    addresses = _addresses(base, results)
    studies = {address.partition("/series/")[0] for address in addresses.values()}
    body: Json = {"00081190": element("UR", *studies) if len(studies) == 1 else element("UR")}
    referenced = [_referenced(result, addresses) for result in results if not result.failure]
    failed = [_item(result) | {"00081197": element("US", result.failure)} for result in results if result.failure]
    if referenced:
        body["00081199"] = element("SQ", *referenced)
    if failed:
        body["00081198"] = element("SQ", *failed)
    status = 200
    if failed or any(result.warning for result in results):
        status = 202 if referenced else 409
    return HttpResponse(json.dumps(body, ensure_ascii=False), status=status, content_type=JSON)


def _addresses(base: str, results: Sequence[Result]) -> dict[int, str]:
    """Return the address of each stored instance, by its key."""
    keys = [result.instance.pk for result in results if result.instance is not None]
    rows = Instance.objects.filter(pk__in=keys).values_list(
        "pk", "series__study__study_instance_uid", "series__series_instance_uid", "sop_instance_uid"
    )
    return {key: f"{base}/{study}/series/{series}/instances/{uid}" for key, study, series, uid in rows}


def _referenced(result: Result, addresses: dict[int, str]) -> Json:
    item = _item(result)
    if result.instance is not None:
        item["00081190"] = element("UR", addresses[result.instance.pk])
    if result.warning:
        item["00081196"] = element("US", result.warning)
    return item


def _item(result: Result) -> Json:
    """Return an item under the sender's own identifiers, with the sentence that goes with it."""
    item = {
        "00081150": element("UI", result.sop_class_uid),
        "00081155": element("UI", result.sop_instance_uid),
    }
    if result.sentence:
        item["00000902"] = element("LO", result.sentence)
    return item
