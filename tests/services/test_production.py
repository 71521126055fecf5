"""Production settings with a real PostgreSQL and Redis, through gunicorn."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator

import pytest

from tests.services.conftest import Production
from tests.services.site import SECRETS, Site

pytestmark = [pytest.mark.services, pytest.mark.slow]
BEHIND_PROXY = {"Host": "study.example.org", "X-Forwarded-Proto": "https"}


@pytest.fixture(scope="module")
def port(production: Production) -> Iterator[int]:
    collected = production.site.manage("collectstatic", "--noinput", "--verbosity", "0")
    assert collected.returncode == 0, collected.stderr
    web, port = production.site.start_web()
    yield port
    web.stop()


def get(port: int, path: str, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def test_djangos_own_check_for_deployment_finds_nothing(production: Production) -> None:
    checked = production.site.manage("check", "--deploy", "--fail-level", "WARNING")
    assert checked.returncode == 0, checked.stderr


def test_every_migration_is_applied(production: Production) -> None:
    assert production.site.manage("migrate", "--check").returncode == 0
    assert production.site.manage("makemigrations", "--check", "--dry-run").returncode == 0


@pytest.mark.parametrize("name", [*SECRETS, "DATABASE_URL", "REDIS_URL"])
def test_a_missing_secret_is_named(production: Production, name: str) -> None:
    site: Site = production.site
    kept = site.environment.pop(name)
    try:
        failed = site.manage("check")
    finally:
        site.environment[name] = kept
    assert failed.returncode != 0
    assert f"Set the environment variable {name}" in failed.stderr


def test_the_home_page_leads_to_sign_in(port: int) -> None:
    answer, _ = get(port, "/", BEHIND_PROXY)
    assert (answer.status, answer.getheader("Location")) == (302, "/account/login/?next=/")
    answer, page = get(port, "/account/login/", BEHIND_PROXY)
    assert answer.status == 200
    assert 'name="login"' in page
    assert "max-age=31536000" in (answer.getheader("Strict-Transport-Security") or "")
    assert "Secure" in (answer.getheader("Set-Cookie") or ""), "the CSRF cookie goes over TLS alone"
    start = page.index('rel="stylesheet" href="') + len('rel="stylesheet" href="')
    style, _ = get(port, page[start : page.index('"', start)], BEHIND_PROXY)
    assert style.status == 200
    assert "immutable" in (style.getheader("Cache-Control") or ""), "named by its content, so kept for ever"


def test_plain_http_is_sent_to_https_but_for_health(port: int) -> None:
    answer, _ = get(port, "/patients/", {"Host": "study.example.org"})
    assert (answer.status, answer.getheader("Location")) == (301, "https://study.example.org/patients/")
    for path in ("/healthz", "/readyz"):
        answer, text = get(port, path, {"Host": "study.example.org"})
        assert (answer.status, json.loads(text)) == (200, {"status": "ok"})


def test_another_host_name_is_refused(port: int) -> None:
    answer, text = get(port, "/", {**BEHIND_PROXY, "Host": "evil.example"})
    assert answer.status == 400
    assert "Traceback" not in text and "ALLOWED_HOSTS" not in text


def test_an_absent_page_tells_nothing_of_the_machine(port: int) -> None:
    answer, text = get(port, "/static/absent.js", BEHIND_PROXY)
    assert answer.status == 404
    assert "Traceback" not in text and "urlpatterns" not in text and "DEBUG" not in text
