"""Patients with everything that a cohort asks for: a complete form, a preprocessed CT and a hematoma mask.

Forms are saved by the platform's service, so that their events are there; CT and mask are rows with a made-up image,
noise with a bright block where the outcome is poor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import numpy as np
from django.utils import timezone

from apps.accounts.access import centers_with
from apps.accounts.models import Center, User
from apps.accounts.policy import Permission, Role
from apps.annotation import files
from apps.annotation.models import Mask
from apps.core import jobs, store
from apps.core.models import Job
from apps.crf.models import CrfForm
from apps.crf.services import save_form
from apps.demonstration.cohort import form_values
from apps.imaging import geometry
from apps.imaging.models import ImagingStudy, Series
from apps.patients.models import Patient
from ml.preprocessing import PREPROCESSING_VERSION
from ml.simulation import simulate_cohort
from ml.volumes import Geometry
from tests.factories import CenterFactory, PatientFactory, user_with
from tests.ml.training.factory import SHAPE

Row = dict[str, Any]
TWO_SLICES = Geometry(
    positions=np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 5.0]]),
    row_direction=np.array([1.0, 0.0, 0.0]),
    column_direction=np.array([0.0, 1.0, 0.0]),
    pixel_spacing=(0.5, 0.5),
    sop_instance_uids=("", ""),
    series_instance_uid="",
    study_instance_uid="",
    matrix=(64, 64),
)


def simulated_rows(n_poor: int, n_favorable: int) -> list[Row]:
    """Return simulated forms with so many poor and favorable outcomes, in turn."""
    rows = simulate_cohort(20 * (n_poor + n_favorable), seed=5, centers=("C1",)).to_dict("records")
    poor = [row for row in rows if row["poor_outcome"]][:n_poor]
    favorable = [row for row in rows if not row["poor_outcome"]][:n_favorable]
    return sorted(poor + favorable, key=lambda row: str(row["onset_to_ct_hours"]))


def values_of(row: Row, number: int = 0, *, discharged: bool = True) -> dict[str, Any]:
    return dict(form_values(row, number, discharged=discharged))


def fill_form(patient: Patient, values: dict[str, Any]) -> CrfForm:
    """Save a form as the center's coordinator."""
    form = CrfForm.objects.filter(patient=patient).first()
    return save_form(
        actor=coordinator_of(patient.center),
        patient=patient,
        read_version=form.version if form else 0,
        values=values,
        reason="typing error",
    ).form


def coordinator_of(center: Center) -> User:
    found = User.objects.filter(memberships__center=center, memberships__role=Role.COORDINATOR).first()
    found = found or user_with(Role.COORDINATOR, center)
    assert centers_with(found, Permission.ENTER_CRF)
    return found


def image_bytes(seed: int, *, bright: bool) -> bytes:
    """Return a preprocessed image as the store holds it."""
    rng = np.random.default_rng(seed)
    image = rng.uniform(0.2, 0.4, SHAPE)
    if bright:
        z, y, x = rng.integers(3, 8, 3)
        image[z : z + 5, y : y + 5, x : x + 5] = 0.9
    buffer = BytesIO()
    np.save(buffer, image.astype(np.float16))
    return buffer.getvalue()


def add_ct(
    patient: Patient, seed: int = 0, *, state: str = Series.State.READY, bright: bool = False,
    version: str = PREPROCESSING_VERSION,
) -> Series:  # fmt: skip
    """Give a patient a CT; where it is usable it is the one that counts from then on."""
    number = Series.objects.filter(patient=patient).count()
    study = ImagingStudy.objects.create(patient=patient, study_instance_uid=f"2.25.{patient.pk}.{number}")
    tensor: dict[str, str] = {}
    if state == Series.State.READY:
        name, digest = store.put(image_bytes(seed, bright=bright), ".npy")
        tensor = {"tensor": name, "tensor_sha256": digest, "preprocessing_version": version}
    chosen = state != Series.State.FAILED
    if chosen:
        patient.series.update(is_chosen=False)
    return Series.objects.create(
        study=study, patient=patient, series_instance_uid=f"2.25.{patient.pk}.{number}.1",
        state=state, is_chosen=chosen,
        digest=hashlib.sha256(f"{patient.study_id} {number}".encode()).hexdigest(),
        uploaded_by=coordinator_of(patient.center), uploaded_at=timezone.now() + timedelta(seconds=number),
        geometry=geometry.to_json(TWO_SLICES), **tensor,
    )  # fmt: skip


def add_mask(series: Series, volume_ml: str = "12.34") -> Mask:
    """Give a CT its next mask, approved."""
    version = series.masks.count() + 1
    labels = np.zeros(TWO_SLICES.shape, np.uint8)
    labels[:, :version] = 1
    return Mask.objects.create(
        series=series, patient=series.patient, version=version, file=store.put(files.pack(labels, series), ".npz")[0],
        sha256=hashlib.sha256(f"{series.digest} {version}".encode()).hexdigest(),
        volume_ml=Decimal(volume_ml), abc2_ml=Decimal(volume_ml), uploaded_by=series.uploaded_by,
        slice_areas_mm2=[0.0, 0.0], label_ml={"1": volume_ml}, state=Mask.State.APPROVED,
    )  # fmt: skip


def ready_patient(center: Center, row: Row, number: int, *, discharged: bool = True) -> Patient:
    """Enroll one patient whom a training run can use."""
    patient = PatientFactory(
        study_id=f"{center.code}-{number + 1:04d}", center=center, enrolled_by=coordinator_of(center)
    )
    fill_form(patient, values_of(row, number, discharged=discharged))
    series = add_ct(patient, number, bright=bool(row["poor_outcome"]))
    add_mask(series, f"{row['hematoma_volume_ml']:.2f}")
    return patient


def ready_cohort(n_poor: int = 12, n_favorable: int = 12, codes: Sequence[str] = ("C1", "C2")) -> list[Patient]:
    """Enroll patients in several centers, in turn."""
    centers = [Center.objects.filter(code=code).first() or CenterFactory(code=code) for code in codes]
    return [
        ready_patient(centers[number % len(centers)], row, 100 + number)
        for number, row in enumerate(simulated_rows(n_poor, n_favorable))
    ]


def run_waiting(capture: Callable[..., Any], *, queue: str | None = None) -> list[Job]:
    """Run the jobs that wait, and those that they queue, as workers would; return them as they ended."""
    ended: list[int] = []
    while waiting := Job.objects.filter(state=Job.State.QUEUED).order_by("pk"):
        chosen = [job.pk for job in waiting if queue in (None, job.queue)]
        if not chosen:
            break
        for pk in chosen:
            with capture(execute=True):
                jobs.run_job(job_id=pk)
            ended.append(pk)
    return list(Job.objects.filter(pk__in=ended).order_by("pk"))
