"""The Django project: settings, URLs, Celery and the ASGI and WSGI entries. Nothing else lives here."""

from ichor.celery import app as celery_app

__all__ = ["celery_app"]
