"""A study under any settings, in a process of its own: a line of JSON in, a line out.

It makes people and patients, and looks at what became of the scans that were sent for them.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from typing import Any

import django

django.setup()

import pydicom  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.files.storage import storages  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402

from apps.accounts.models import Center, User  # noqa: E402
from apps.accounts.policy import Role  # noqa: E402
from apps.core import store  # noqa: E402
from apps.core.models import Job  # noqa: E402
from apps.core.sweep import sweep  # noqa: E402
from apps.imaging.models import ImagingStudy, Instance, Series  # noqa: E402
from tests.factories import CenterFactory, PatientFactory, user_with  # noqa: E402


def sign_up() -> str:
    """Make a center with a coordinator, and return his token."""
    coordinator = user_with(Role.COORDINATOR, CenterFactory(code="C1"))
    return str(Token.objects.create(user=coordinator).key)


def enroll(study_ids: list[str]) -> None:
    center, coordinator = Center.objects.get(), User.objects.get()
    for study_id in study_ids:
        PatientFactory(study_id=study_id, center=center, enrolled_by=coordinator)


def unfinished() -> int:
    """Return how many jobs wait or run."""
    return Job.objects.filter(state__in=[Job.State.QUEUED, Job.State.RUNNING]).count()


def scans(study_id: str) -> dict[str, Any]:
    """Return all that is stored for a patient; each file is read and held against its row."""
    rows = list(Instance.objects.filter(series__patient__study_id=study_id).order_by("pk"))
    files = [store.get(row.file) for row in rows]
    datasets = [pydicom.dcmread(BytesIO(content)) for content in files]
    return {
        "studies": list(
            ImagingStudy.objects.filter(patient__study_id=study_id).values("series_count", "instance_count")
        ),
        "series": list(Series.objects.filter(patient__study_id=study_id).values("state", "instance_count", "number")),
        "whole": [hashlib.sha256(content).hexdigest() == row.sha256 for content, row in zip(files, rows, strict=True)],
        "pixels": sorted(hashlib.sha256(dataset.PixelData).hexdigest() for dataset in datasets),
        "places": [row.index for row in sorted(rows, key=lambda row: row.index or 0)],
        "tensors": [
            hashlib.sha256(store.get(series.tensor)).hexdigest() == series.tensor_sha256
            for series in Series.objects.filter(patient__study_id=study_id).exclude(tensor="")
        ],
    }


def uids(study_id: str) -> list[str]:
    """Return study, series and instance UID of a patient's lowest slice."""
    row = Instance.objects.select_related("series__study").get(series__patient__study_id=study_id, index=0)
    return [row.series.study.study_instance_uid, row.series.series_instance_uid, row.sop_instance_uid]


def sweep_all() -> dict[str, Any]:
    """Sweep with files of any age, reading each."""
    report = sweep(timedelta(0), verify=True, force=True)
    return {
        "files": report.files, "kept": report.kept, "orphans": report.orphans, "deleted": report.deleted,
        "missing": report.missing.total(), "damaged": report.damaged.total(),
    }  # fmt: skip


def stored_in() -> str:
    """Return the kind of store, and what lies in the folder that must be empty where it is a bucket."""
    folder = settings.VAR / "store"
    return f"{type(storages['default']).__name__} {len(list(folder.rglob('*'))) if folder.exists() else 0}"


VERBS: dict[str, Callable[..., Any]] = {
    verb.__name__: verb for verb in (sign_up, enroll, unfinished, scans, uids, sweep_all, stored_in)
}


def main() -> None:
    for line in sys.stdin:
        verb, arguments = json.loads(line)
        sys.stdout.write(json.dumps(VERBS[verb](**arguments)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
