"""QIDO-RS (PS3.18, 10.6): search for studies, series and instances; one database query an answer."""

import json
from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from apps.imaging.dicomweb.access import visible
from apps.imaging.dicomweb.attributes import (
    INSTANCE_FIELDS,
    PATIENT_FIELDS,
    SERIES_FIELDS,
    STUDY_FIELDS,
    Json,
    element,
    instance_json,
    series_json,
    study_json,
)
from apps.imaging.dicomweb.negotiation import json_type
from apps.imaging.dicomweb.query import CAP, Search, read
from apps.imaging.models import ImagingStudy, Instance, Series

Row = tuple[Any, ...]

_FUZZY = "The fuzzymatching parameter is not supported. Only literal matching has been performed."
_MORE = "There are additional results that can be requested"

_STUDY_PATHS = {"study": "", "patient": "patient__"}
_SERIES_PATHS = {"series": "", "study": "study__", "patient": "patient__"}
_INSTANCE_PATHS = {"instance": "", "series": "series__", "study": "series__study__", "patient": "series__patient__"}
# Where a study's columns end in a row, and where its series' do.
_STUDY_END = len(PATIENT_FIELDS) + len(STUDY_FIELDS)
_SERIES_END = _STUDY_END + len(SERIES_FIELDS)
_UID = len(PATIENT_FIELDS)


def studies(request: HttpRequest) -> HttpResponse:
    """Search for studies, the newest first."""
    search = read(request.GET, _STUDY_PATHS)
    rows = ImagingStudy.objects.filter(visible(request, "patient")).order_by("-study_date", "-pk")
    base = base_of(request)
    return _answer(request, search, rows.values_list(*_columns(_STUDY_PATHS)), lambda row: study_json(base, *row))


def series(request: HttpRequest, study: str | None = None) -> HttpResponse:
    """Search for series: of one study, or of all that are visible."""
    search = read(request.GET, _SERIES_PATHS)
    rows = Series.objects.filter(visible(request, "patient"))
    if study is not None:
        rows = rows.filter(study__study_instance_uid=study)
    base = base_of(request)

    def to_json(row: Row) -> Json:
        above = {} if study is not None else study_json(base, *row[:_STUDY_END])
        return above | series_json(base, row[_UID], *row[_STUDY_END:])

    return _answer(request, search, _ordered(rows, study).values_list(*_columns(_SERIES_PATHS)), to_json, study)


def instances(request: HttpRequest, study: str | None = None, series: str | None = None) -> HttpResponse:
    """Search for instances: of one series, of one study, or of all that are visible."""
    search = read(request.GET, _INSTANCE_PATHS)
    rows = Instance.objects.filter(visible(request, "series__patient"))
    if study is not None:
        rows = rows.filter(series__study__study_instance_uid=study)
    if series is not None:
        rows = rows.filter(series__series_instance_uid=series)
    base = base_of(request)

    def to_json(row: Row) -> Json:
        uid, series_uid = row[_UID], row[_STUDY_END]
        found: Json = {} if study is not None else study_json(base, *row[:_STUDY_END])
        if series is None:
            found |= series_json(base, uid, *row[_STUDY_END:_SERIES_END])
        else:
            found |= {"0020000D": element("UI", uid), "0020000E": element("UI", series_uid)}
        return found | instance_json(f"{base}/{uid}/series/{series_uid}", search.fields, *row[_SERIES_END:])

    return _answer(request, search, _ordered(rows, study).values_list(*_columns(_INSTANCE_PATHS)), to_json, study)


def _columns(paths: dict[str, str]) -> list[str]:
    """Return the columns of a row: patient, study, series, instance, as far down as is searched."""
    fields = {"patient": PATIENT_FIELDS, "study": STUDY_FIELDS, "series": SERIES_FIELDS, "instance": INSTANCE_FIELDS}
    return [paths[owner] + name for owner, names in fields.items() if owner in paths for name in names]


def base_of(request: HttpRequest) -> str:
    """Return the absolute address below which studies lie."""
    return request.build_absolute_uri(reverse("dicomweb:studies"))


def _ordered(rows: QuerySet[Any], study: str | None) -> QuerySet[Any]:
    """A study's own by their numbers; among all, the last ones stored first, which any number of rows lets stand."""
    return rows.order_by("-pk") if study is None else rows.order_by("number", "pk")


def _answer(
    request: HttpRequest,
    search: Search,
    rows: QuerySet[Any],
    to_json: Callable[[Row], Json],
    within: str | None = None,
) -> HttpResponse:
    content_type = json_type(request)
    if search.annotations:
        rows = rows.alias(**search.annotations)
    rows = rows.filter(search.condition)
    length = min(search.limit, CAP)
    found = list(rows[search.offset : search.offset + length + 1])
    if within is not None and not found:
        # Nothing of this study matches; a study that is absent or foreign is told from that.
        study_rows = ImagingStudy.objects.filter(visible(request, "patient"), study_instance_uid=within)
        if not study_rows.exists():
            raise Http404
    body = json.dumps([to_json(row) for row in found[:length]], separators=(",", ":"), ensure_ascii=False)
    response = HttpResponse(body, content_type=content_type)
    warnings = [_FUZZY] if search.is_fuzzy else []
    if (len(found) > length and search.limit > CAP) or (len(found) > length == CAP):
        warnings.append(_MORE)
    if warnings:
        response["Warning"] = ", ".join(f'299 {request.get_host()} "{warning}"' for warning in warnings)
    return response
