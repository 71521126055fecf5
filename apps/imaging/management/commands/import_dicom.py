"""manage.py import_dicom SOURCE: the scans in a folder, for one patient or for a center's whole archive."""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pydicom
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management.base import BaseCommand, CommandError
from django.http import Http404

from apps.accounts.access import centers_with
from apps.accounts.models import Center, User
from apps.accounts.policy import Permission
from apps.core.errors import Refusal
from apps.imaging.archive import ZIP_STARTS, is_litter, unpack
from apps.imaging.ingest.person import find_patient, person_key, remember_person
from apps.imaging.ingest.receive import Receipt, Status, receive
from apps.patients.models import Patient
from apps.patients.selectors import access_patient
from apps.patients.services import enroll_patient
from ml.errors import MLError
from ml.volumes.headers import text

# Read and sent together: far below what the memory holds.
PART_BYTES = 256 * 1024**2


class Command(BaseCommand):
    help = (
        "Import the scans in a folder (or a ZIP file), as one user: for one patient, or for a center. For a center, "
        "each person in the folder is found again by his hospital number, or enrolled as a new patient."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", type=Path)
        parser.add_argument("--patient", help="study id, such as C1-0001: everything is this patient's")
        parser.add_argument("--center", help="code of the center, such as C1: everybody in the folder")
        parser.add_argument("--user", required=True, help="username of the person on whose behalf this is done")

    def handle(self, *args: Any, source: Path, user: str, **options: Any) -> None:
        if not source.exists():
            raise CommandError("There is no such folder or file. Check the path.")
        if bool(options["patient"]) == bool(options["center"]):
            raise CommandError("Say either --patient or --center.")
        actor = User.objects.filter(username=user, is_active=True).first()
        if actor is None:
            raise CommandError("There is no active user of that name.")
        try:
            if options["patient"]:
                self._import_patient(actor, source, options["patient"])
            else:
                self._import_center(actor, source, options["center"])
        except Http404:
            raise CommandError("There is no such patient, or the user may not upload a CT for him.") from None
        except OSError:
            raise CommandError("A file in the folder cannot be read. Check the permissions of the files.") from None
        except (Refusal, MLError) as error:
            raise CommandError(str(error)) from None

    def _import_patient(self, actor: User, source: Path, study_id: str) -> None:
        target = access_patient(actor, study_id, Permission.UPLOAD_CT)
        parts = list(_parts(_paths(source)))
        for number, part in enumerate(parts, start=1):
            receipt = _receive(actor, target, part, more=number < len(parts))
            if len(parts) == 1:
                receipt.raise_if_nothing_came()
            self._tell(receipt)

    def _import_center(self, actor: User, source: Path, code: str) -> None:
        center = centers_with(actor, Permission.UPLOAD_CT).filter(code=code).first()
        if center is None:
            raise CommandError("There is no such center, or the user may not upload for it.")
        persons, unknown = _by_person(_paths(source))
        for hospital_id, paths in persons.items():
            patient = _patient_of(actor, center, hospital_id)
            for number, part in enumerate(parts := list(_parts(paths)), start=1):
                try:
                    self._tell(_receive(actor, patient, part, more=number < len(parts)))
                except Refusal as refusal:
                    self.stderr.write(f"{patient.study_id}: {refusal.sentence}")
        if unknown:
            self.stderr.write(f"{unknown} files were left out: no DICOM image, or without a patient ID.")

    def _tell(self, receipt: Receipt) -> None:
        words = {
            Status.STORED: "stored", Status.KNOWN: "here already", Status.HELD: "kept apart",
            Status.LEFT_OUT: "left out", Status.REFUSED: "refused",
        }  # fmt: skip
        counts = ", ".join(
            f"{receipt.counts[s.value]} {word}" for s, word in words.items() if s.value in receipt.counts
        )
        self.stdout.write(f"{receipt.patient.study_id}: {counts or 'no image'}")
        for sentence, count in Counter(o.sentence for o in receipt.outcomes if o.sentence).items():
            self.stdout.write(f"  {count} ×: {sentence}")


def _paths(source: Path) -> list[Path]:
    paths = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
    return [path for path in paths if not is_litter(PurePosixPath(path.relative_to(source.parent)))]


def _parts(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Cut a list of files into parts that are read at once."""
    part: list[Path] = []
    size = 0
    for path in paths:
        length = path.stat().st_size
        if part and (size + length > PART_BYTES or len(part) >= settings.UPLOAD_MAX_FILES):
            yield part
            part, size = [], 0
        part.append(path)
        size += length
    if part:
        yield part


def _receive(actor: User, patient: Patient, paths: Sequence[Path], *, more: bool) -> Receipt:
    # A file's own name is left behind.
    uploads = [SimpleUploadedFile(f"file{number}", path.read_bytes()) for number, path in enumerate(paths)]
    return receive(actor=actor, patient=patient, files=unpack(uploads), more=more)


def _by_person(paths: Sequence[Path]) -> tuple[dict[str, list[Path]], int]:
    """Return {hospital number: files}, from the headers alone, and how many files name nobody."""
    persons: dict[str, list[Path]] = {}
    unknown = 0
    for path in paths:
        hospital_id = _hospital_id(path)
        if hospital_id:
            persons.setdefault(hospital_id, []).append(path)
        else:
            unknown += 1
    return persons, unknown


def _hospital_id(path: Path) -> str:
    with path.open("rb") as file:
        if file.read(4).startswith(ZIP_STARTS):
            raise CommandError("The folder holds a ZIP file. Unpack it first: a ZIP may hold several persons.")
    try:
        dataset = pydicom.dcmread(path, specific_tags=["PatientID"], stop_before_pixels=True, force=True)
        return text(dataset, "PatientID").upper()
    except Exception:  # no DICOM, or a damaged one
        return ""


def _patient_of(actor: User, center: Center, hospital_id: str) -> Patient:
    """Return the patient whom a hospital number means, enrolled now where it comes for the first time."""
    known = find_patient(actor, hospital_id)
    if known is not None and known.center_id == center.pk:
        return known
    patient = enroll_patient(actor=actor, center=center)
    remember_person(patient, person_key(center, hospital_id))
    return patient
