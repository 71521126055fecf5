"""Reading series, always through the actor's centers."""

from io import BytesIO

import pydicom
from django.db.models import QuerySet

from apps.accounts.access import Actor, get_visible
from apps.accounts.policy import Permission
from apps.core import store
from apps.imaging.models import HeldInstance, Instance, Series
from apps.patients.models import Patient
from apps.patients.selectors import patients_visible_to
from ml.volumes import Volume, read_series


def series_visible_to(actor: Actor) -> QuerySet[Series]:
    """Return the series of patients whose imaging the actor may see."""
    return Series.objects.filter(patient__in=patients_visible_to(actor, Permission.VIEW_IMAGING))


def access_series(actor: Actor, study_id: str, series_id: int) -> Series:
    """Return one series of one patient, or raise Http404."""
    return get_visible(
        series_visible_to(actor).select_related("patient__center", "study", "job"),
        pk=series_id,
        patient__study_id=study_id,
    )


def ct_series(patient: Patient) -> QuerySet[Series]:
    """Return a patient's CT series, the one that stands for his initial CT first."""
    found = patient.series.filter(modality="CT").select_related("study", "job", "uploaded_by")
    return found.order_by("-is_chosen", "-uploaded_at", "-pk")


def current_series(patient: Patient) -> Series | None:
    """Return the series that stands for the patient's initial CT; where none is usable the newest, with its reasons."""
    return ct_series(patient).first()


def chosen_series() -> QuerySet[Series]:
    """Return the series that stand for their patients' initial CT: at most one of each."""
    return Series.objects.filter(is_chosen=True)


def waiting_held(patient: Patient) -> QuerySet[HeldInstance]:
    """Return what is kept apart for a patient and waits for a decision."""
    return patient.held_instances.filter(decision="")


def held_visible_to(actor: Actor) -> QuerySet[HeldInstance]:
    """Return what is kept apart for patients for whom the actor may decide."""
    return HeldInstance.objects.filter(patient__in=patients_visible_to(actor, Permission.UPLOAD_CT))


def slices_of(series: Series) -> QuerySet[Instance]:
    """Return the instances that are slices of the volume, from foot to head."""
    return series.instances.filter(index__isnull=False).order_by("index")


def load_volume(series: Series) -> Volume:
    """Read a series' slices from the store."""
    names = slices_of(series).values_list("file", flat=True)
    return read_series([BytesIO(store.get(name)) for name in names])


def load_slice(series: Series, index: int) -> pydicom.Dataset | None:
    """Read one slice, counted from the foot; None where there is none."""
    name = series.instances.filter(index=index).values_list("file", flat=True).first()
    return None if name is None else pydicom.dcmread(BytesIO(store.get(name)))
