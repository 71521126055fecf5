"""The API, version 1: the addresses that each app gives."""

from importlib import import_module
from importlib.util import find_spec

from django.urls import URLPattern

APPS = ("audit", "patients", "crf", "imaging", "annotation", "cohorts", "predictions", "experiments", "analytics")

urlpatterns: list[URLPattern] = []
for app in APPS:
    if find_spec(f"apps.{app}.api_urls"):
        urlpatterns += import_module(f"apps.{app}.api_urls").urlpatterns
