"""Addresses of the analytics API."""

from django.urls import path

from apps.analytics import api

urlpatterns = [path("analysis/", api.AnalysisDetail.as_view(), name="api-analysis")]
