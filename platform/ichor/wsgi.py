"""WSGI entry for gunicorn."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ichor.settings.embedded")
application = get_wsgi_application()
# What is loaded stays: a full collection in the middle of a request need not walk it.
gc.freeze()
