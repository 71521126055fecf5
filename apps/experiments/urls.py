"""Addresses of the experiments pages."""

from django.urls import URLPattern

app_name = "experiments"
urlpatterns: list[URLPattern] = []
