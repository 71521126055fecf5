"""QIDO-RS (PS3.18, 10.6): search for studies, series and instances; one database query an answer."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import get_script_prefix, reverse

from apps.imaging.dicomweb.access import centers_of, visible
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
# Stands for the study in a query that is written before any is asked for.
_STUDY = "study"
# Where a study's columns end in a row.
_STUDY_END = len(PATIENT_FIELDS) + len(STUDY_FIELDS)
_UID = len(PATIENT_FIELDS)


def _columns(paths: dict[str, str], *owners: str) -> list[str]:
    """Return the columns of a row: of patient, study, series and instance as far as searched, or of those named."""
    fields = {"patient": PATIENT_FIELDS, "study": STUDY_FIELDS, "series": SERIES_FIELDS, "instance": INSTANCE_FIELDS}
    return [paths[owner] + name for owner in owners or fields if owner in paths for name in fields[owner]]


# Made once: to put a query together takes Django longer than the database to answer it. A study's own rows come by
# their numbers and without its columns; of all that there are the last ones stored come first, which any number of rows
# lets stand.
_STUDIES = ImagingStudy.objects.order_by("-study_date", "-pk").values_list(*_columns(_STUDY_PATHS))
_ALL_SERIES = Series.objects.order_by("-pk").values_list(*_columns(_SERIES_PATHS))
_OF_STUDY = Series.objects.order_by("number", "pk").values_list(*_columns(_SERIES_PATHS, "series"))
_ALL_INSTANCES = Instance.objects.order_by("-pk").values_list(*_columns(_INSTANCE_PATHS))
_BELOW_STUDY = Instance.objects.order_by("number", "pk").values_list(*_columns(_INSTANCE_PATHS, "series", "instance"))


def studies(request: HttpRequest) -> HttpResponse:
    """Search for studies, the newest first."""
    search = read(request.GET, _STUDY_PATHS)
    base = base_of(request)
    return _answer(request, search, _STUDIES, visible(request, "center"), lambda row: study_json(base, *row))


def series(request: HttpRequest, study: str | None = None) -> HttpResponse:
    """Search for series: of one study, or of all that are visible."""
    search = read(request.GET, _SERIES_PATHS)
    base, scope = base_of(request), visible(request, "study__center")
    if study is not None:
        scope &= Q(study__study_instance_uid=study)
        found = _series_of(study, centers_of(request)) if search.is_plain else None
        return _answer(request, search, _OF_STUDY, scope, lambda row: series_json(base, study, *row), study, found)

    def to_json(row: Row) -> Json:
        return study_json(base, *row[:_STUDY_END]) | series_json(base, row[_UID], *row[_STUDY_END:])

    return _answer(request, search, _ALL_SERIES, scope, to_json)


def instances(request: HttpRequest, study: str | None = None, series: str | None = None) -> HttpResponse:
    """Search for instances: of one series, of one study, or of all that are visible."""
    search = read(request.GET, _INSTANCE_PATHS)
    base, scope = base_of(request), visible(request, "series__study__center")
    if study is not None:
        scope &= Q(series__study__study_instance_uid=study)
    if series is not None:
        scope &= Q(series__series_instance_uid=series)

    def to_json(row: Row) -> Json:
        above, own = (study_json(base, *row[:_STUDY_END]), row[_STUDY_END:]) if study is None else ({}, row)
        uid, series_uid, of_instance = study or row[_UID], own[0], own[len(SERIES_FIELDS) :]
        if series is None:
            above |= series_json(base, uid, *own[: len(SERIES_FIELDS)])
        else:
            above |= {"0020000D": element("UI", uid), "0020000E": element("UI", series_uid)}
        return above | instance_json(f"{base}/{uid}/series/{series_uid}", search.fields, *of_instance)

    return _answer(request, search, _ALL_INSTANCES if study is None else _BELOW_STUDY, scope, to_json, study)


def _series_of(study: str, centers: list[int] | None) -> list[Row] | None:
    """Return all series of a study, which a viewer asks for first of all; None where the query differs by its shape."""
    if centers is not None and len(centers) != 1:
        return None
    sql, places = _series_query(everywhere=centers is None)
    with connection.cursor() as cursor:
        cursor.execute(sql, [study if place == _STUDY else centers and centers[0] for place in places])
        found: list[Row] = cursor.fetchall()
    return found


@cache
def _series_query(*, everywhere: bool) -> tuple[str, tuple[Any, ...]]:
    """Return the query as Django writes it, once, and what stands for the study and the center in it."""
    wanted: dict[str, Any] = {"study__study_instance_uid": _STUDY}
    rows = _OF_STUDY.filter(**wanted if everywhere else wanted | {"study__center_id": -1})
    sql, places = rows[: CAP + 1].query.sql_with_params()
    return sql, tuple(places)


def base_of(request: HttpRequest) -> str:
    """Return the absolute address below which studies lie."""
    return f"{request.scheme}://{request.get_host()}{_studies_path(get_script_prefix())}"


@cache
def _studies_path(prefix: str) -> str:
    return reverse("dicomweb:studies")


def _answer(
    request: HttpRequest,
    search: Search,
    rows: QuerySet[Any],
    scope: Q,
    to_json: Callable[[Row], Json],
    within: str | None = None,
    found: list[Row] | None = None,
) -> HttpResponse:
    content_type = json_type(request)
    length = min(search.limit, CAP)
    if found is None:
        found = list(rows.filter(scope & search.condition)[search.offset : search.offset + length + 1])
    if within is not None and not found:
        # Nothing of this study matches; a study that is absent or foreign is told from that.
        study_rows = ImagingStudy.objects.filter(visible(request, "center"), study_instance_uid=within)
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
