"""The pages that people wait for, with 2,000 patients: time at the server, and queries; and their export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection

from tests.bench.table import median_seconds, show

if TYPE_CHECKING:
    from apps.accounts.models import User

TARGET, EXPORT_TARGET = 0.3, 20.0
PAGES = {
    "patient list, first page": "/patients/",
    "patient list, sorted by volume, page 40": "/patients/?sort=-volume&page=40",
    "patient list, search and filter": "/patients/?q=00&center=C3&form=complete",
    "dashboard, whole cohort": "/dashboard/",
    "dashboard, one center": "/dashboard/?center=C2",
}


def run() -> None:
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases

    setup_test_environment()
    old = setup_databases(verbosity=0, interactive=False)
    try:
        _measure()
    finally:
        teardown_databases(old, verbosity=0)


def _measure() -> None:
    from django.core.cache import cache
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from apps.accounts.models import Center
    from apps.accounts.policy import Role
    from tests.analytics.factory import make_finished_experiment
    from tests.factories import user_with

    make_finished_experiment(400)
    client = Client()
    user = user_with(Role.PI, Center.objects.first())
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    for name, url in PAGES.items():

        def get(url: str = url) -> None:
            assert client.get(url).status_code == 200

        def get_cold(url: str = url) -> None:
            cache.clear()
            get(url)

        get()
        with CaptureQueriesContext(connection) as queries:
            get()
        note = f"{len(queries)} queries, {connection.vendor}"
        if "dashboard" in name:
            show(f"{name}, first time", median_seconds(get_cold, 7), target=TARGET)
        show(name, median_seconds(get, 11), target=TARGET, note=note)
    _measure_export(user)


def _measure_export(user: User) -> None:
    from apps.accounts.models import Center
    from apps.cohorts.exports.archive import build_archive
    from apps.cohorts.models import Export
    from apps.cohorts.table import build_rows

    centers = list(Center.objects.values_list("code", flat=True))
    export = Export(requested_by=user, centers=centers, purpose="bench", language="en")

    def everything() -> None:
        build_archive(export, build_rows(centers), lambda stage, progress: None)

    show("export of everything: CSV, Excel, SPSS, JSON", median_seconds(everything, 3, warm=1), target=EXPORT_TARGET)
