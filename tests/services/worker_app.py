"""The platform's Celery application, with the tests' tasks: `celery -A tests.services.worker_app worker`."""

from ichor.celery import app

app.conf.include = ["tests.services.bodies"]
