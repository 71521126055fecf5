"""Addresses of the DICOMweb service (PS3.18, chapter 10)."""

from functools import partial
from typing import NoReturn

from django.http import Http404, HttpRequest
from django.urls import path, register_converter

from apps.imaging.dicomweb import retrieve, search, store
from apps.imaging.dicomweb.access import endpoint
from apps.imaging.dicomweb.rendered import rendered


class UidConverter:
    """A DICOM unique identifier; its length is left to the look-up, which finds nothing."""

    regex = "[0-9.]+"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


def _nothing(request: HttpRequest, rest: str) -> NoReturn:
    raise Http404


register_converter(UidConverter, "uid")
app_name = "dicomweb"
_thumbnail = endpoint(get=partial(rendered, thumbnail=True))
_rendered = endpoint(get=rendered)
STUDY = "studies/<uid:study>"
SERIES = f"{STUDY}/series/<uid:series>"
INSTANCE = f"{SERIES}/instances/<uid:instance>"

urlpatterns = [
    # QIDO-RS and STOW-RS
    path("studies", endpoint(get=search.studies, post=store.instances), name="studies"),
    path("series", endpoint(get=search.series), name="search-series"),
    path("instances", endpoint(get=search.instances), name="search-instances"),
    path(f"{STUDY}/series", endpoint(get=search.series), name="study-series"),
    path(f"{STUDY}/instances", endpoint(get=search.instances), name="study-instances"),
    path(f"{SERIES}/instances", endpoint(get=search.instances), name="series-instances"),
    # WADO-RS
    path(STUDY, endpoint(get=retrieve.instances, post=store.instances), name="study"),
    path(SERIES, endpoint(get=retrieve.instances), name="series"),
    path(INSTANCE, endpoint(get=retrieve.instances), name="instance"),
    path(f"{STUDY}/metadata", endpoint(get=retrieve.study_metadata), name="study-metadata"),
    path(f"{SERIES}/metadata", endpoint(get=retrieve.series_metadata), name="series-metadata"),
    path(f"{INSTANCE}/metadata", endpoint(get=retrieve.instance_metadata), name="instance-metadata"),
    path(f"{INSTANCE}/frames/<str:numbers>", endpoint(get=retrieve.frames), name="frames"),
    path(f"{INSTANCE}/bulkdata", endpoint(get=retrieve.bulkdata), name="bulkdata-all"),
    path(f"{INSTANCE}/bulkdata/<str:tag>", endpoint(get=retrieve.bulkdata), name="bulkdata"),
    path(f"{STUDY}/rendered", _rendered, name="study-rendered"),
    path(f"{SERIES}/rendered", _rendered, name="series-rendered"),
    path(f"{INSTANCE}/rendered", _rendered, name="instance-rendered"),
    path(f"{INSTANCE}/frames/<str:number>/rendered", _rendered, name="frame-rendered"),
    path(f"{STUDY}/thumbnail", _thumbnail, name="study-thumbnail"),
    path(f"{SERIES}/thumbnail", _thumbnail, name="series-thumbnail"),
    path(f"{INSTANCE}/thumbnail", _thumbnail, name="instance-thumbnail"),
    path(f"{INSTANCE}/frames/<str:number>/thumbnail", _thumbnail, name="frame-thumbnail"),
    path("<path:rest>", endpoint(get=_nothing, post=_nothing), name="nothing"),
]
