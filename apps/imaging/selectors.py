"""Reading series, always through the actor's centers."""

from io import BytesIO

import pydicom
from django.db.models import Case, F, OrderBy, QuerySet, Value, When

from apps.accounts.access import Actor, get_visible
from apps.accounts.policy import Permission
from apps.core import store
from apps.imaging.models import Series
from apps.patients.models import Patient
from apps.patients.selectors import patients_visible_to
from ml.volumes import Volume, read_series


def series_visible_to(actor: Actor) -> QuerySet[Series]:
    """Return the series of patients whose imaging the actor may see."""
    return Series.objects.filter(patient__in=patients_visible_to(actor, Permission.VIEW_IMAGING))


def access_series(actor: Actor, study_id: str, series_id: int) -> Series:
    """Return one series of one patient, or raise Http404."""
    return get_visible(
        series_visible_to(actor).select_related("patient__center", "job"), pk=series_id, patient__study_id=study_id
    )


# The series that stands for a patient's initial CT comes first: the newest usable one, else the newest.
CURRENT_FIRST = (
    Case(When(state=Series.State.FAILED, then=Value(1)), default=Value(0)),
    OrderBy(F("uploaded_at"), descending=True),
    OrderBy(F("pk"), descending=True),
)


def current_series(patient: Patient) -> Series | None:
    """Return the series that stands for the patient's initial CT: the newest usable one, else the newest."""
    return patient.series.select_related("job", "uploaded_by").order_by(*CURRENT_FIRST).first()


def usable_series() -> QuerySet[Series]:
    """Return the series that preprocessing has not refused, the newest first."""
    return Series.objects.exclude(state=Series.State.FAILED).order_by("-uploaded_at", "-pk")


def load_volume(series: Series) -> Volume:
    """Read a series' slices from the store."""
    names = series.instances.order_by("index").values_list("file", flat=True)
    return read_series([BytesIO(store.get(name)) for name in names])


def load_slice(series: Series, index: int) -> pydicom.Dataset | None:
    """Read one slice, counted from the foot; None where there is none."""
    name = series.instances.filter(index=index).values_list("file", flat=True).first()
    return None if name is None else pydicom.dcmread(BytesIO(store.get(name)))
