"""The pages that people wait for, with 2,000 patients: time at the server, and queries."""

from __future__ import annotations

from django.db import connection

from tests.bench.table import median_seconds, show

TARGET = 0.3
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
