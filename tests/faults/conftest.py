"""The platforms of tests/services."""

from tests.services.conftest import embedded, production, site

__all__ = ["embedded", "production", "site"]
