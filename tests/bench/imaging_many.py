"""The searches of a viewer and the patients' pages: a few thousand studies stored, and a hundred thousand."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django.db import connection

from tests.bench.table import Peer, median_seconds, show

FEW, MANY = 2_000, 100_000
CENTERS = 20
# Of the few, so many lie in the first center: its pages are as full as those of all.
OF_FIRST_CENTER = 700
MOST = 2.0
REPEATS = 15
_LIST = "/dicomweb/studies?limit=101&fuzzymatching=false&includefield=00081030,00080060,00080090,00100030&offset="
_HEADER = {"00280010": {"vr": "US", "Value": [512]}, "00280011": {"vr": "US", "Value": [512]}}
_STUDY = "/dicomweb/studies/1.2.1"
# name: (who asks, address)
QUESTIONS = {
    "own center, first page": ("center", f"{_LIST}0"),
    "own center, from the 500th": ("center", f"{_LIST}500"),
    "all centers, first page": ("all", f"{_LIST}0"),
    "all centers, from the 500th": ("all", f"{_LIST}500"),
    "one patient's, own center": ("center", f"{_LIST}0&00100020=C01-000001"),
    "one patient's, all centers": ("all", f"{_LIST}0&00100020=C01-000001"),
    "PatientName=*01-00003*, own": ("center", f"{_LIST}0&PatientName=*01-00003*"),
    "PatientName=*01-00003*, all": ("all", f"{_LIST}0&PatientName=*01-00003*"),
    "StudyDate, a year": ("all", f"{_LIST}0&StudyDate=20180101-20181231"),
    "StudyDescription=*ANGIO* (1 in 10)": ("all", f"{_LIST}0&StudyDescription=*ANGIO*"),
    "StudyDescription=*PERFUSION* (9)": ("all", f"{_LIST}0&StudyDescription=*PERFUSION*"),
    "the same, own center": ("center", f"{_LIST}0&StudyDescription=*PERFUSION*"),
    "ModalitiesInStudy=SEG, one of ten": ("all", f"{_LIST}0&ModalitiesInStudy=SEG"),
    "series of a study": ("center", f"{_STUDY}/series?includefield=0008103E,00080021"),
    "instances of a series": ("center", f"{_STUDY}/series/1.2.1.1/instances"),
    "metadata of a series": ("center", f"{_STUDY}/series/1.2.1.1/metadata"),
    "patient page": ("browser", "/patients/C01-000001/"),
    "patient list": ("browser", "/patients/"),
    "patient list, searched": ("browser", "/patients/?q=00003"),
}


def run() -> None:
    if connection.vendor != "postgresql":
        print(f"{MANY:,} studies: only with PostgreSQL, as `make bench` runs it")
        return
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases

    setup_test_environment()
    old = setup_databases(verbosity=0, interactive=False)
    try:
        _measure()
    finally:
        teardown_databases(old, verbosity=0)


def _measure() -> None:
    clients = _clients()
    _fill(0, FEW)
    few = _ask(clients)
    _fill(FEW, MANY)
    for name, seconds in _ask(clients).items():
        aim = "met" if seconds <= MOST * few[name] else "MISSED"
        show(
            f"{MANY:,} studies: {name}",
            seconds,
            peer=Peer(f"{FEW:,} studies", few[name]),
            note=f"target {aim} (ratio {MOST:g})",
        )


def _clients() -> dict[str, Any]:
    """Make the centers and those who ask: people of one center by token and at the browser, and of all by token."""
    from django.test import Client
    from rest_framework.authtoken.models import Token

    from apps.accounts.policy import Role
    from tests.factories import CenterFactory, user_with

    centers = [CenterFactory(code=f"C{number:02d}") for number in range(1, CENTERS + 1)]
    coordinator, manager = user_with(Role.COORDINATOR, centers[0]), user_with(Role.DATA_MANAGER, centers[0])
    browser = Client()
    browser.force_login(coordinator, backend="allauth.account.auth_backends.AuthenticationBackend")
    tokens = {"center": coordinator, "all": manager}
    clients = {
        name: Client(headers={"Authorization": f"Token {Token.objects.create(user=user).key}"})
        for name, user in tokens.items()
    }
    return clients | {"browser": browser}


def _ask(clients: dict[str, Any]) -> dict[str, float]:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    found = {}
    for name, (who, address) in QUESTIONS.items():

        def get(who: str = who, address: str = address) -> None:
            answer = clients[who].get(address)
            assert answer.status_code == 200 and answer.content not in (b"", b"[]"), address

        found[name] = median_seconds(get, REPEATS)
    return found


def _fill(start: int, end: int) -> None:
    """Add the studies with these numbers, two of each patient; each has a series of one instance, one of them 28."""
    from apps.accounts.models import Center, User
    from apps.imaging.models import ImagingStudy, Instance, Series, SeriesMetadata
    from apps.patients.models import Patient

    centers, user = list(Center.objects.order_by("code")), User.objects.order_by("pk")[0]

    def patient(number: int) -> Patient:
        center = centers[0 if 2 * number < OF_FIRST_CENTER else number % CENTERS]
        return Patient(study_id=f"{center.code}-{number:06d}", center=center, enrolled_by=user)

    patients = _added(Patient, map(patient, range(start // 2, end // 2)))
    studies = _added(ImagingStudy, (_study(number, patients[(number - start) // 2]) for number in range(start, end)))
    series = _added(
        Series,
        (
            Series(
                study=study, patient_id=study.patient_id, series_instance_uid=f"{study.study_instance_uid}.1", number=1,
                description="HEAD 5 MM", series_date=study.study_date, instance_count=1, uploaded_by=user,
            )
            for study in studies
        ),
    )  # fmt: skip
    _added(Instance, (_instance(row, 1) for row in series))
    if start == 0:
        _added(Instance, (_instance(series[1], number) for number in range(2, 29)))
    content = gzip.compress(json.dumps([_HEADER]).encode())
    _added(SeriesMetadata, (SeriesMetadata(series=row, revision=1, content=content, etag="0") for row in series))


def _added(model: Any, rows: Iterable[Any]) -> list[Any]:
    found: list[Any] = model.objects.bulk_create(rows, batch_size=2000)
    return found


def _study(number: int, patient: Any) -> Any:
    from apps.imaging.models import ImagingStudy

    rare = number < 9
    return ImagingStudy(
        patient=patient, center_id=patient.center_id, study_instance_uid=f"1.2.{number}", study_time="101500",
        study_date=date(2015, 1, 1) + timedelta(number % 3650), series_count=1, instance_count=1,
        description="CT PERFUSION" if rare else "CT ANGIO" if number % 10 == 0 else "CT HEAD",
        modalities="CT\\SEG" if number % 10 == 1 else "CT",
    )  # fmt: skip


def _instance(series: Any, number: int) -> Any:
    from apps.imaging.models import Instance

    return Instance(
        series=series, sop_instance_uid=f"{series.series_instance_uid}.{number}", number=number, index=number - 1,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2", transfer_syntax_uid="1.2.840.10008.1.2.1", file="00/00/0.dcm",
        sha256="0" * 64, pixel_digest=f"{series.pk:064d}", rows=512, columns=512, metadata=json.dumps(_HEADER),
    )  # fmt: skip
