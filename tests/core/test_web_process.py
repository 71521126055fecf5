"""The web process stays light: torch is for workers."""

import subprocess
import sys

from tests.conftest import ROOT

CODE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "ichor.settings.test"
import django
django.setup()
from django.urls import get_resolver
get_resolver().url_patterns
import apps.imaging.tasks, apps.experiments.tasks, apps.predictions.tasks
print(sorted({"torch", "monai"} & set(sys.modules)))
"""


def test_pages_and_tasks_load_without_torch() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
