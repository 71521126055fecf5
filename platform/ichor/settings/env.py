"""Reading settings from the environment: each variable is named once, where it is used."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def required(name: str) -> str:
    """Return an environment variable that production cannot start without."""
    value = os.environ.get(name, "")
    if not value:
        raise ImproperlyConfigured(f"Set the environment variable {name}; see docs/reference/settings.md.")
    return value


def boolean(name: str, default: bool = False) -> bool:
    return os.environ.get(name, str(default)).lower() in {"1", "true", "yes", "on"}


def csv(name: str, default: str = "") -> list[str]:
    return [part.strip() for part in os.environ.get(name, default).split(",") if part.strip()]


def database(url: str) -> dict[str, object]:
    """Turn postgresql://user:password@host:port/name or sqlite:///path into a Django database."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return sqlite(Path(parts.path))
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured("DATABASE_URL must begin with postgresql:// or sqlite:///.")
    return {
        "ENGINE": "apps.core.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or 5432),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        # A query that comes back is planned once a connection: planning takes PostgreSQL longer than most answers do.
        "OPTIONS": {"server_side_binding": True, "prepare_threshold": 1},
    }


def sqlite(path: Path) -> dict[str, object]:
    """SQLite as a small server: readers never wait for the writer, and a writer waits its turn."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        # To open the file anew costs a millisecond a request.
        "CONN_MAX_AGE": 60,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            # recursive_triggers: without it, INSERT OR REPLACE deletes rows past the triggers that refuse it.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
            " PRAGMA recursive_triggers=ON;",
        },
    }
