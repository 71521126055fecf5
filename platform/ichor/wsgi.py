"""WSGI entry for gunicorn."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ichor.settings.embedded")
application = get_wsgi_application()
# All pages are loaded now: `gunicorn --preload` then shares them between its processes, and nobody waits for them.
get_resolver().url_patterns  # noqa: B018
# What is loaded stays: a full collection in the middle of a request need not walk it.
gc.freeze()
