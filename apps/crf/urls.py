"""Addresses of the crf pages."""

from django.urls import URLPattern

app_name = "crf"
urlpatterns: list[URLPattern] = []
