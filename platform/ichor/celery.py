"""The Celery application. Queues: `imaging` (processor work) and `training` (graphics work)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ichor.settings.embedded")

app = Celery("ichor")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
