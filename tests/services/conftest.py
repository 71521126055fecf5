"""Platforms and servers for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.services import servers
from tests.services.site import SECRETS, Site, new_site


@dataclass(frozen=True)
class Production:
    """A site under production settings, and the Redis that it uses."""

    site: Site
    redis: servers.Server


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """SQLite, and a folder as the broker."""
    folder = tmp_path_factory.mktemp("embedded")
    with new_site(folder, DJANGO_SETTINGS_MODULE="ichor.settings.embedded") as site:
        yield site


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """PostgreSQL and Redis."""
    folder = tmp_path_factory.mktemp("production")
    with servers.postgresql() as database_url, servers.redis_server() as (redis_url, redis):
        variables = {
            "DJANGO_SETTINGS_MODULE": "ichor.settings.production",
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "ICHOR_HOSTS": "study.example.org",
            **SECRETS,
        }
        with new_site(folder, **variables) as site:
            yield Production(site, redis)


@pytest.fixture(scope="module", params=["embedded", "production"])
def site(request: pytest.FixtureRequest) -> Site:
    """Each profile in turn."""
    found = request.getfixturevalue(request.param)
    return found.site if isinstance(found, Production) else found
