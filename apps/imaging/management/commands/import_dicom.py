"""manage.py import_dicom DIR --patient STUDY_ID --user USERNAME: the CT series in a folder, for one patient."""

from argparse import ArgumentParser
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management.base import BaseCommand, CommandError
from django.http import Http404

from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.core.errors import Refusal
from apps.imaging import services
from apps.imaging.archive import is_litter, unpack
from apps.patients.selectors import access_patient
from ml.errors import MLError


class Command(BaseCommand):
    help = "Import the CT series in a folder (or a ZIP file) for one patient, as one user."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", type=Path)
        parser.add_argument("--patient", required=True, help="study id, such as C1-0001")
        parser.add_argument("--user", required=True, help="username of the person on whose behalf this is done")

    def handle(self, *args: Any, source: Path, patient: str, user: str, **options: Any) -> None:
        if not source.exists():
            raise CommandError("There is no such folder or file. Check the path.")
        actor = User.objects.filter(username=user, is_active=True).first()
        if actor is None:
            raise CommandError("There is no active user of that name.")
        uploads = _read_files(source)
        try:
            target = access_patient(actor, patient, Permission.UPLOAD_CT)
            series = services.receive_series(actor=actor, patient=target, files=unpack(uploads))
        except Http404:
            raise CommandError("There is no such patient, or the user may not upload a CT for him.") from None
        except (Refusal, MLError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Stored {series.slice_count} slices for {target.study_id}; preprocessing is queued.")


def _read_files(source: Path) -> list[SimpleUploadedFile]:
    """Read a file, or every file in a folder, within the bounds of an upload; a file's own name is left behind."""
    paths = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
    paths = [path for path in paths if not is_litter(PurePosixPath(path.relative_to(source.parent)))]
    try:
        if sum(path.stat().st_size for path in paths) > settings.UPLOAD_MAX_BYTES:
            limit = settings.UPLOAD_MAX_BYTES // 1024**2
            raise CommandError(f"The folder holds more than {limit} MB. Name the folder of one series.")
        return [SimpleUploadedFile(f"file{number}", path.read_bytes()) for number, path in enumerate(paths)]
    except OSError:
        raise CommandError("A file in the folder cannot be read. Check the permissions of the files.") from None
