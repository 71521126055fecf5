"""Addresses of the audit trail's API."""

from django.urls import path

from apps.audit import api

urlpatterns = [path("audit/", api.TrailView.as_view(), name="api-audit")]
